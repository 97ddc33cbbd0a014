"""Direct preference optimization (DPO): of two responses to a prompt, the chosen one becomes
likelier than the rejected one, measured against a fixed reference model.

With l the log-probability of a response, and x the margin of a pair,

    x = (l_policy(chosen) - l_reference(chosen)) - (l_policy(rejected) - l_reference(rejected))

    sigmoid, sigmoid_norm   -log sigmoid(beta x)            Rafailov et al. 2023, equation 7
    ipo, ipo_norm           (x - 1 / (2 beta))^2            Azar et al. 2023, equation 17
    hinge                   max(0, 1 - beta x)              Zhao et al. 2023 (SLiC), equation 2

l is the sum over the response's tokens, as in the papers; with `_norm` it is their mean, as in
rasbt's dpo.py (sigmoid_norm) and in the library trl, whose `ipo` is the ipo_norm here.

Shapes: B pairs, T tokens. A batch has 2B rows: those of the chosen responses, then the rejected.
"""

import paddle
import paddle.nn.functional as F

from paddle_impl.config.preference import LOSSES, SMOOTHED
from paddle_impl.data.batch import IGNORED, Batch
from paddle_impl.layers import masks
from paddle_impl.objectives import Metrics, Objective, cross_entropy


def preference(
    form: str, beta: float, label_smoothing: float = 0.0, sft_weight: float = 0.0
) -> Objective:
    """The objective; its weight is the number of pairs.

    label_smoothing: the share of pairs that are taken to be labelled the wrong way round, for
    `sigmoid` alone (conservative DPO: Mitchell 2023). sft_weight: factor of the chosen response's
    cross entropy, a mean over its tokens, which is added to the loss of its pair (Pang et al.
    2024). ValueError for a label_smoothing with another form.

    Metrics, means over pairs: rewards are beta x (l_policy - l_reference), `margin` is the
    difference of both rewards, `unscaled_margin` is x. `accuracy` counts a margin of exactly 0 as
    one half. With sft_weight `chosen_nll` is the cross entropy that is added.
    """
    if label_smoothing and form != SMOOTHED:
        raise ValueError(f"label smoothing is defined for the loss {SMOOTHED}, not for {form}")
    is_mean = LOSSES[form] == "mean"

    def loss(model, batch: dict[str, paddle.Tensor]) -> tuple[paddle.Tensor, Metrics]:
        """batch: input_ids and labels (2B, T); reference (2B,), the sums of log_probabilities by
        the reference model.
        """
        sums, tokens = log_probabilities(model, batch)
        ratios = sums - batch["reference"].astype(sums.dtype)
        counted = (tokens.split(2)[0] > 0.0).astype(sums.dtype)  # (B,); 0: a row without a pair
        tokens = tokens.clip(min=1.0)
        if is_mean:
            ratios = ratios / tokens
        losses = pair_losses(ratios, form, beta, label_smoothing)
        nll = -(sums / tokens).split(2)[0]
        if sft_weight:
            losses = losses + _constant(sft_weight, nll) * nll
        chosen, rejected = (sums / tokens if is_mean else sums).split(2)
        shown = rewards(ratios, beta) | {"chosen_logp": chosen, "rejected_logp": rejected} | (
            {"chosen_nll": nll} if sft_weight else {})
        return (losses * counted).sum(), {
            name: ((values.detach() * counted).sum(), counted.sum())
            for name, values in shown.items()}

    return Objective(counted_pairs, loss)


def pair_losses(
    ratios: paddle.Tensor, form: str, beta: float, label_smoothing: float = 0.0
) -> paddle.Tensor:
    """The loss of each pair, (B,). ratios: l_policy - l_reference of each row, (2B,)."""
    chosen, rejected = ratios.split(2)
    margins = chosen - rejected
    losses = _of_margins(margins, form, beta)
    if not label_smoothing:
        return losses
    return losses * _constant(1.0 - label_smoothing, losses) + (
        _of_margins(-margins, form, beta) * _constant(label_smoothing, losses))


def _of_margins(margins: paddle.Tensor, form: str, beta: float) -> paddle.Tensor:
    factor = _constant(beta, margins)
    if form.startswith("sigmoid"):
        return -F.log_sigmoid(factor * margins)
    if form.startswith("ipo"):
        return (margins - 0.5 / factor).square()
    return F.relu(1.0 - factor * margins)


def rewards(ratios: paddle.Tensor, beta: float) -> dict[str, paddle.Tensor]:
    """What is logged of each pair, (B,), by name. ratios: as for pair_losses."""
    factor = _constant(beta, ratios)
    chosen, rejected = ratios.split(2)
    margins = chosen - rejected
    above, below = (found.astype(margins.dtype) for found in (margins > 0.0, margins < 0.0))
    return {"accuracy": (1.0 + above - below) * 0.5, "margin": factor * margins,
            "unscaled_margin": margins, "chosen_reward": factor * chosen,
            "rejected_reward": factor * rejected}


def log_probabilities(
    model, batch: dict[str, paddle.Tensor]
) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Of each row's labels that are not -100: the sum of log p, and how many they are, (2B,) both.
    """
    labels = batch["labels"]
    logits = model.own_logits(batch["input_ids"], **masks.of_batch(batch))  # (2B, T, V / n)
    losses = cross_entropy(logits, labels, model.parts, model.config.vocab_size)  # (2B, T)
    return -losses.sum(axis=1), (labels != IGNORED).astype(losses.dtype).sum(axis=1)


def counted_pairs(batch: Batch) -> float:
    """The pairs of a batch; the rows of a process that has none left have no label."""
    chosen = batch["labels"][: len(batch["labels"]) // 2]
    return float((chosen != IGNORED).any(axis=1).sum())


def _constant(value: float, like: paddle.Tensor) -> paddle.Tensor:
    """A tensor without axes; Paddle would round a Python number to float32."""
    return paddle.full([], value, like.dtype)
