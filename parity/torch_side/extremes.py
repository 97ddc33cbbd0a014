"""The functions that the product stands on, at extreme values."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from parity.cases import LAYER_NORM_EPSILON, Case, extremes
from parity.compare import Point, Trace
from parity.torch_side import weights


def functions(case: Case, dtype: str) -> Trace:
    """Cross entropy and its gradient, softmax, GELU, LayerNorm, and the gradient norm."""
    trace: Trace = {}
    for columns, processes in extremes.vocabularies(case).items():
        targets = torch.from_numpy(extremes.labels(columns))
        for name, row in extremes.rows(columns, dtype).items():
            logits = torch.from_numpy(np.tile(row, (len(targets), 1))).requires_grad_()
            losses = F.cross_entropy(
                logits, targets, reduction="none", ignore_index=extremes.IGNORED)
            losses.sum().backward()
            for shares in processes:
                at = f"{columns} columns, {shares} processes, {name}"
                trace |= extremes.recorded("cross entropy", at, losses.detach(), dtype)
                trace |= extremes.recorded("its gradient", at, logits.grad, dtype)
            chances = logits.detach()[0].double().log_softmax(-1)
            trace |= extremes.recorded(
                "log of the probabilities", f"{columns} columns, {name}", chances, dtype)
    for name, row in extremes.rows(64, dtype).items():
        x = torch.from_numpy(row)
        if name not in extremes.SOFTMAX_LEFT_OUT:
            trace |= extremes.recorded("softmax", name, x.softmax(-1), dtype)
        trace |= extremes.recorded("GELU", name, F.gelu(x, approximate="tanh"), dtype)
        norm = partial(F.layer_norm, normalized_shape=x.shape, eps=LAYER_NORM_EPSILON)
        trace |= extremes.recorded("LayerNorm", name, norm(x), dtype)
        trace |= extremes.recorded("gradient norm", name, torch.linalg.vector_norm(x), dtype)
    return trace


def refused(case: Case, dtype: str) -> Trace:
    """With a weight that is NaN no position has a logit that is a number, so no use may give one.
    """
    model = weights.build(case, dtype)
    with torch.no_grad():
        model.transformer.ln_f.weight[0] = torch.nan
        logits = model(torch.from_numpy(case.batch["input_ids"])).logits
    return {Point(0, "refusal", use): logits.isnan().all().numpy() for use in extremes.USES}
