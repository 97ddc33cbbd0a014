"""Losses of preference pairs by their published formulas, each text alone without padding."""

from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F

from parity.cases import Case, preferences
from parity.cases.preferences import Example, Loss
from parity.compare import Point, Trace
from parity.torch_side import training, weights
from parity.torch_side.backward import gradient_trace


def losses(case: Case, dtype: str) -> Trace:
    """Of each form the mean over pairs: the loss, what is logged, and gradients. The given numbers.
    """
    trace: Trace = {}
    reference = torch.from_numpy(preferences.reference(case))
    for name, form in preferences.LOSSES.items():
        model = weights.build(case, dtype)
        found = [_of_pair(model, pair, of_reference, form) for pair, of_reference in
                 zip(preferences.pairs(case), reference, strict=True)]
        mean = {what: torch.stack([one[what] for one in found]).mean() for what in found[0]}
        mean["loss"].backward()
        own = {Point(0, "loss", what): value.detach().numpy() for what, value in mean.items()}
        trace |= {point._replace(tensor=f"{name}: {point.tensor}"): value
                  for point, value in (own | gradient_trace(model)).items()}
    return trace | _given()


def steps(case: Case, dtype: str) -> Trace:
    """AdamW steps from the reference on, whose log-probabilities are compared too."""
    trained, trace = preferences.trained(case), {}
    pairs = preferences.pairs(case)
    for processes in preferences.SHARES:
        model = weights.build(case, dtype)
        with torch.no_grad():
            reference = torch.stack([torch.stack([
                _log_probability(model, ids, pair.start)[0] for ids in pair[:2]])
                for pair in pairs])
        trace[Point(0, "score", f"{processes}: reference")] = reference.numpy()
        for name in preferences.TRAINED:
            def summed(model, batch, form=preferences.LOSSES[name], reference=reference):
                number = batch["pair"]
                return _of_pair(model, pairs[number], reference[number], form)["loss"], 1

            model = weights.build(trained, dtype)
            with patch.object(training, "summed_loss", summed):  # the same run with another loss
                found = training.run(
                    trained, model, *training.optimizer_and_scheduler(trained, model))
            trace |= {point._replace(tensor=f"{processes}, {name}: {point.tensor}"): value
                      for point, value in found.items()}
    return trace


def _of_pair(
    model, pair: Example, reference: torch.Tensor, form: Loss
) -> dict[str, torch.Tensor]:
    found = [_log_probability(model, ids, pair.start) for ids in pair[:2]]
    sums = torch.stack([total for total, _ in found])
    lengths = torch.tensor([length for _, length in found], dtype=sums.dtype)
    by = lengths if form.form.endswith("_norm") else torch.ones_like(lengths)
    chosen, rejected = (sums - reference.to(sums.dtype)) / by
    logged = {
        "margin": form.beta * (chosen - rejected), "unscaled margin": chosen - rejected,
        "chosen reward": form.beta * chosen, "rejected reward": form.beta * rejected,
        "chosen logp": sums[0] / by[0], "rejected logp": sums[1] / by[1],
        "accuracy": (chosen > rejected).to(sums.dtype)}
    loss = _loss(chosen - rejected, form)
    if form.sft_weight:
        logged["chosen nll"] = -sums[0] / lengths[0]
        loss = loss + form.sft_weight * logged["chosen nll"]
    return logged | {"loss": loss}


def _loss(margin: torch.Tensor, form: Loss) -> torch.Tensor:
    """Rafailov et al. 2023, equation 7, and its conservative form; IPO, equation 17; SLiC's hinge.
    """
    if form.form.startswith("sigmoid"):
        right, wrong = F.logsigmoid(form.beta * margin), F.logsigmoid(-form.beta * margin)
        return -(1.0 - form.label_smoothing) * right - form.label_smoothing * wrong
    if form.form.startswith("ipo"):
        return (margin - 1.0 / (2.0 * form.beta)) ** 2
    return torch.relu(1.0 - form.beta * margin)


def _log_probability(model, ids: np.ndarray, start: int) -> tuple[torch.Tensor, int]:
    """Of the tokens from `start` on, given those before each: the sum, and how many they are."""
    ids = torch.from_numpy(ids)
    logits = model(ids[None, :-1], use_cache=False).logits[0]  # (T - 1, V)
    each = logits.log_softmax(-1)[torch.arange(len(ids) - 1), ids[1:]]
    return each[start - 1 :].sum(), len(ids) - start


def _given() -> Trace:
    """The forms of fixed log-probabilities; of three pairs one is right and one is a tie."""
    chosen, rejected = torch.from_numpy(preferences.GIVEN - preferences.GIVEN_REFERENCE).split(3)
    margins = chosen - rejected
    found = {"accuracy": ((margins > 0) + 0.5 * (margins == 0).to(margins.dtype)).mean()}
    for name, smoothing in (("sigmoid", 0.0), ("sigmoid, smoothed", preferences.GIVEN_SMOOTHING),
                            ("ipo", 0.0), ("hinge", 0.0)):
        form = Loss(name.partition(",")[0], preferences.GIVEN_BETA, smoothing)
        found[name] = _loss(margins, form).mean()
    return {Point(0, "loss", f"given: {name}"): value.numpy() for name, value in found.items()}
