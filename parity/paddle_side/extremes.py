"""The functions that the product stands on, at extreme values."""

import math
from collections.abc import Callable

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_impl import objectives
from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding import sampling
from paddle_impl.evaluation import code_length, lambada, wikitext
from paddle_impl.generate import generate
from paddle_impl.optim.clip import clip_grad_norm
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.parallel.tensor import Parts
from paddle_impl.training import measuring
from parity.cases import LAYER_NORM_EPSILON, Case, extremes
from parity.cases import evaluation as fixtures
from parity.compare import Point, Trace
from parity.paddle_side import forward, meeting, weights


def functions(case: Case, dtype: str) -> Trace:
    """Cross entropy and its gradient, softmax, GELU, LayerNorm, and the gradient norm."""
    trace: Trace = {}
    for columns, processes in extremes.vocabularies(case).items():
        for name, row in extremes.rows(columns, dtype).items():
            for shares in processes:
                losses, gradient = _cross_entropy(row, shares)
                at = f"{columns} columns, {shares} processes, {name}"
                trace |= extremes.recorded("cross entropy", at, losses, dtype)
                trace |= extremes.recorded("its gradient", at, gradient, dtype)
            with np.errstate(invalid="ignore"):
                chances = sampling.log_softmax(row[None])[0]
            trace |= extremes.recorded(
                "log of the probabilities", f"{columns} columns, {name}", chances, dtype)
    for name, row in extremes.rows(64, dtype).items():
        x = paddle.to_tensor(row)
        if name not in extremes.SOFTMAX_LEFT_OUT:
            trace |= extremes.recorded("softmax", name, F.softmax(x, axis=-1), dtype)
        trace |= extremes.recorded("GELU", name, F.gelu(x, approximate=True), dtype)
        with weights.default_dtype(dtype):
            norm = nn.LayerNorm(len(row), epsilon=LAYER_NORM_EPSILON)
        trace |= extremes.recorded("LayerNorm", name, norm(x[None])[0].detach(), dtype)
        holder = paddle.zeros_like(x)
        holder.stop_gradient = False
        (holder * x).sum().backward()
        trace |= extremes.recorded(
            "gradient norm", name, np.asarray(clip_grad_norm([holder], 0.0), dtype), dtype)
    return trace


def refused(case: Case, dtype: str) -> Trace:
    """Whether each use of a model with a weight that is NaN gives NaN or a ValueError."""
    model = _spoilt(weights.build(case, dtype))
    rows, end = case.batch["input_ids"], case.config.eos_token_id
    passages = [lambada.passage(text, fixtures.encode_letters) for text in fixtures.PASSAGES[:2]]

    def of_two(ranks: Ranks) -> float:
        share = _spoilt(weights.build_share(case, dtype, ranks.model))
        return forward.summed_loss(share, case.batch)[0].item()

    def continued(decoder: str, **options) -> None:
        generate(model, [rows[0, :5].tolist()], Decoding(max_new_tokens=2, **options),
                 decoder=decoder)

    uses: dict[str, Callable[[], float | None]] = {
        "loss": lambda: forward.summed_loss(model, case.batch)[0].item(),
        "loss of two processes": lambda: sum(meeting.run(2, of_two, model=2)),
        "validation": lambda: measuring.measure(
            model, objectives.CAUSAL_LM, [case.batch], Ranks())["loss"],
        "held-out documents": lambda: code_length.code_length(
            model, [rows[0]], lambda ids: bytes(ids.astype(np.uint8)), eos_token_id=end,
            window=fixtures.WINDOW, stride=fixtures.MOVED).nats,
        "WikiText": lambda: wikitext.score_text(
            model, fixtures.WIKITEXT, fixtures.encode, window=fixtures.WINDOW,
            overlapping_eval=fixtures.MOVED, vocab_size=fixtures.VOCABULARY).nats,
        "LAMBADA": lambda: lambada.last_words(
            model, passages, window=fixtures.PASSAGE_WINDOW, vocab_size=fixtures.FEW).nats,
        "greedy search": lambda: continued("paddle", strategy="greedy_search"),
        "C++ decoder": lambda: continued("auto", strategy="greedy_search"),
        "beam search": lambda: continued("paddle", strategy="beam_search", num_beams=3),
    }
    return {Point(0, "refusal", use): np.asarray(_no_number(uses[use])) for use in extremes.USES}


def _no_number(use: Callable[[], float | None]) -> bool:
    try:
        value = use()
    except ValueError:
        return True
    return value is not None and math.isnan(value)


@paddle.no_grad()
def _spoilt(model):
    gains = model.transformer.ln_f.weight.numpy()
    gains[0] = math.nan
    model.transformer.ln_f.weight.set_value(gains)
    return model


def _cross_entropy(row: np.ndarray, shares: int) -> tuple[np.ndarray, np.ndarray]:
    """(losses (4,), gradient of their sum (4, V)) of the row's labels, in this many processes."""
    targets = paddle.to_tensor(extremes.labels(len(row)))
    logits = np.tile(row, (len(targets), 1))

    def work(ranks: Ranks) -> tuple[np.ndarray, np.ndarray]:
        parts = Parts(ranks.model)
        own = paddle.to_tensor(logits[:, slice(*parts.bounds(len(row)))], stop_gradient=False)
        losses = objectives.cross_entropy(own, targets, parts, len(row))
        losses.sum().backward()
        return losses.numpy(), own.grad.numpy()

    (losses, first), *others = meeting.run(shares, work, model=shares)
    return losses, np.concatenate([first, *(gradient for _, gradient in others)], axis=-1)
