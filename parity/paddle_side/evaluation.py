"""Held-out data: the mean loss, and documents as a code length by strided windows."""

import numpy as np

from paddle_impl import evaluate, objectives, trainer
from paddle_impl.distributed import Ranks
from parity.cases import DOCUMENT_LENGTHS, STRIDE, STRIDED_WINDOW, Case
from parity.compare import Point, Trace
from parity.paddle_side import weights


def mean_loss(case: Case, dtype: str) -> Trace:
    """Loss over all labels of uneven batches, of a model that is being trained and goes on to be.
    """
    model = weights.build(case, dtype)
    model.train()
    batches = [batch for micro_batches in case.steps[:3] for batch in micro_batches]
    loss = trainer.mean_loss(model, objectives.causal_lm, batches, Ranks())
    dropping = all(layer.training for layer in model.sublayers(include_self=True))
    return {
        Point(0, "loss", "three steps' batches"): np.asarray(loss, dtype),
        Point(0, "mode", "training again"): np.asarray(dropping),
    }


def code_length(case: Case, dtype: str) -> Trace:
    """Nats of each document after an end token and with its own, and how many tokens that is."""
    model, end = weights.build(case, dtype), case.config.eos_token_id
    trace: Trace = {}
    for number, document in enumerate(case.documents(DOCUMENT_LENGTHS)):
        told = evaluate.code_length(
            model, [document], lambda ids: bytes(ids.astype(np.uint8)), eos_token_id=end,
            window=STRIDED_WINDOW, stride=STRIDE,
        )
        trace[Point(0, "code length", f"document {number}")] = np.asarray(told.nats)
        trace[Point(0, "tokens", f"document {number}")] = np.asarray(told.tokens)
    return trace
