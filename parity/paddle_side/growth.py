"""A vocabulary that grows: the rows of new tokens, and training with them."""

import math
from functools import partial

import numpy as np
import paddle

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.convert import hugging_face
from paddle_impl.convert.resizing import grow_vocabulary
from paddle_impl.model import GPTForCausalLM
from paddle_impl.parallel.ranks import ALONE, Group, Ranks
from paddle_impl.parallel.tensor import Parts
from parity.cases import Case, growth
from parity.compare import Point, Trace
from parity.paddle_side import meeting, training, weights
from parity.paddle_side.backward import gradient_trace
from parity.paddle_side.forward import summed_loss


def vocabulary(case: Case, dtype: str) -> Trace:
    """New rows, logits and losses of old and of new tokens, gradients, and a step of AdamW."""
    own = growth.grown(case)
    model = weights.build(case.without_dropout(), dtype)
    before = _loss(model, case.batch)
    old = model.transformer.wte.weight.numpy()
    small = Tokenizer.byte_level()
    grow_vocabulary(model, small)
    untouched = model.config.vocab_size
    grow_vocabulary(model, growth.OLD + growth.NEW)
    rows = model.transformer.wte.weight.numpy()
    after = _loss(model, case.batch)
    bound = math.log1p(growth.NEW / growth.OLD)
    named = dict(model.named_parameters())
    trace: Trace = {
        Point(0, "kept", "rows of old tokens"):
            np.asarray(rows[: growth.OLD].tobytes() == old.tobytes()),
        Point(0, "kept", "head is tied"): np.asarray(
            "lm_head.weight" not in named and named[growth.WTE] is model.transformer.wte.weight),
        Point(0, "kept", "loss of old text within its bound"): np.asarray(after - before <= bound),
        Point(0, "tokens", "vocabulary"): np.asarray(model.config.vocab_size),
        Point(0, "tokens", "vocabulary with fewer tokens in the tokenizer"): np.asarray(untouched),
        Point(0, "new rows", "in place"): rows[growth.OLD :],
        Point(0, "new rows", "by a tokenizer"): _by_tokenizer(case, dtype, small),
        Point(0, "new rows", "while they are loaded"):
            _loaded(own, case, dtype, ALONE).transformer.wte.weight.numpy()[growth.OLD :],
    }
    for what, batch in (("old text", case.batch), ("new tokens", own.batch)):
        with paddle.no_grad():
            logits = model(paddle.to_tensor(batch["input_ids"])).numpy()
        trace[Point(0, "logits", what)] = logits
        trace[Point(0, "loss", what)] = np.asarray(_loss(model, batch))
        split, _ = meeting.run(2, partial(_loss_of_share, own, case, dtype, batch), model=2)
        trace[Point(0, "loss", f"{what}, two processes")] = np.asarray(split)
    loss_sum, weight = summed_loss(model, own.batch)
    (loss_sum / weight).backward()
    trace |= gradient_trace(model)
    model.clear_gradients()
    return trace | training.run(own, model, training.build_optimizer(model))


def _by_tokenizer(case: Case, dtype: str, small: Tokenizer) -> np.ndarray:
    """The new rows where a tokenizer has more tokens than the model."""
    more = growth.OLD + growth.NEW - growth.SMALLER
    model = weights.build(case, dtype)
    grow_vocabulary(model, small.with_added_tokens(f"<{number}>" for number in range(more)))
    return model.transformer.wte.weight.numpy()[growth.OLD :]


def _loaded(own: Case, case: Case, dtype: str, group: Group) -> GPTForCausalLM:
    """This process's share of a model with rows for all tokens, from weights without the new ones.
    """
    with weights.default_dtype(dtype):
        model = GPTForCausalLM(own.config, Parts(group))
    hugging_face.load_weights(model, hugging_face.from_hf(case.weights), grow_vocabulary=True)
    model.eval()
    return model


def _loss_of_share(own: Case, case: Case, dtype: str, batch: dict, ranks: Ranks) -> float:
    return _loss(_loaded(own, case, dtype, ranks.model), batch)


@paddle.no_grad()
def _loss(model, batch: dict) -> float:
    loss_sum, weight = summed_loss(model, batch)
    return float(loss_sum / weight)
