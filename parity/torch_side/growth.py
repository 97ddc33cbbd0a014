"""A vocabulary that grows: the rows of new tokens, and training with them."""

import math

import numpy as np
import torch

from parity.cases import Case, growth
from parity.compare import Point, Trace
from parity.torch_side import training, weights
from parity.torch_side.backward import gradient_trace
from parity.torch_side.forward import summed_loss


def vocabulary(case: Case, dtype: str) -> Trace:
    """New rows, logits and losses of old and of new tokens, gradients, and a step of AdamW.

    transformers draws new rows around the mean of the old ones, or N(0, 0.02); the mean itself is
    written over them.
    """
    own = growth.grown(case)
    model = weights.build(case.without_dropout(), dtype)
    before = _loss(model, case.batch)
    old = model.transformer.wte.weight.detach().clone()
    model.resize_token_embeddings(growth.OLD + growth.NEW, mean_resizing=False)
    rows = model.transformer.wte.weight
    with torch.no_grad():
        rows[growth.OLD :] = old.double().sum(0) / len(old)
    after = _loss(model, case.batch)
    bound = math.log1p(growth.NEW / growth.OLD)
    trace: Trace = {
        Point(0, "kept", "rows of old tokens"): np.asarray(torch.equal(rows[: growth.OLD], old)),
        Point(0, "kept", "head is tied"): np.asarray(model.lm_head.weight is rows),
        Point(0, "kept", "loss of old text within its bound"): np.asarray(after - before <= bound),
        Point(0, "tokens", "vocabulary"): np.asarray(model.config.vocab_size),
        Point(0, "tokens", "vocabulary with fewer tokens in the tokenizer"): np.asarray(len(old)),
    }
    new = rows.detach()[growth.OLD :].numpy().copy()
    for how in ("in place", "by a tokenizer", "while they are loaded"):
        trace[Point(0, "new rows", how)] = new
    for what, batch in (("old text", case.batch), ("new tokens", own.batch)):
        with torch.no_grad():
            logits = model(torch.from_numpy(batch["input_ids"])).logits.numpy()
        trace[Point(0, "logits", what)] = logits
        for processes in ("", ", two processes"):
            trace[Point(0, "loss", f"{what}{processes}")] = np.asarray(_loss(model, batch))
    loss_sum, weight = summed_loss(model, own.batch)
    (loss_sum / weight).backward()
    trace |= gradient_trace(model)
    return trace | training.run(own, model, *training.optimizer_and_scheduler(own, model))


@torch.no_grad()
def _loss(model, batch) -> float:
    loss_sum, weight = summed_loss(model, batch)
    return float(loss_sum / weight)
