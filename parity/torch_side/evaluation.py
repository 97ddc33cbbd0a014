"""Held-out data: the mean loss, and documents as a code length by strided windows."""

import numpy as np
import torch
import torch.nn.functional as F

from parity.cases import DOCUMENT_LENGTHS, STRIDE, STRIDED_WINDOW, Case
from parity.compare import Point, Trace
from parity.torch_side import weights
from parity.torch_side.forward import summed_loss


def mean_loss(case: Case, dtype: str) -> Trace:
    """Loss over all labels of uneven batches, of a model that is being trained and goes on to be.
    """
    model = weights.build(case, dtype)
    batches = [batch for micro_batches in case.steps[:3] for batch in micro_batches]
    with torch.no_grad():
        sums, counts = zip(*(summed_loss(model, batch) for batch in batches), strict=True)
    return {
        Point(0, "loss", "three steps' batches"): (sum(sums) / sum(counts)).numpy(),
        Point(0, "mode", "training again"): np.asarray(True),
    }


def code_length(case: Case, dtype: str) -> Trace:
    """Nats of each document after an end token and with its own, and how many tokens that is.

    Token j is predicted in the first window that reaches it: windows end at W, W + S, W + 2S ...
    and at the end, and are W long (the strided perplexity of transformers' documentation, but
    that its last window is shortened at the front).
    """
    model, end = weights.build(case, dtype), case.config.eos_token_id
    trace: Trace = {}
    for number, document in enumerate(case.documents(DOCUMENT_LENGTHS)):
        sequence = torch.tensor([end, *document, end])
        length = len(sequence) - 1
        nats = 0.0
        for token in range(length):
            later = -(-(token + 1 - STRIDED_WINDOW) // STRIDE) if token >= STRIDED_WINDOW else 0
            last = min(length, STRIDED_WINDOW + later * STRIDE)
            context = sequence[max(0, last - STRIDED_WINDOW) : token + 1]
            with torch.no_grad():
                logits = model(context[None], use_cache=False).logits[0, -1]
            nats += float(F.cross_entropy(logits, sequence[token + 1]))
        trace[Point(0, "code length", f"document {number}")] = np.asarray(nats)
        trace[Point(0, "tokens", f"document {number}")] = np.asarray(length)
    return trace
