"""Losses of preference pairs, padded in batches by their loader, and a run with them."""

from dataclasses import replace
from functools import partial

import numpy as np
import paddle

from data_tools.instructions.pairs import Pair, Pairs
from paddle_impl.finetuning import reference
from paddle_impl.finetuning.pairs import PairExamples, PairLoader
from paddle_impl.finetuning.preference_loss import pair_losses, preference, rewards
from paddle_impl.objectives import mean
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.measuring import Totals, to_tensors
from parity.cases import Case, preferences
from parity.compare import Point, Trace
from parity.paddle_side import meeting, training, weights
from parity.paddle_side.backward import gradient_trace


def losses(case: Case, dtype: str) -> Trace:
    """Of each form the mean over pairs: the loss, what is logged, and gradients. The given numbers.
    """
    trace: Trace = {}
    loader = PairLoader(_pairs(case), preferences.PER_PASS, preferences.PAD,
                        reference=preferences.reference(case))
    batches = list(loader.first(preferences.COUNT))
    for name, form in preferences.LOSSES.items():
        model, objective = weights.build(case, dtype), preference(*form)
        weight = sum(map(objective.weight, batches))
        found, totals = 0.0, Totals()
        for batch in batches:
            loss, metrics = objective.loss(model, to_tensors(batch))
            mean(loss, weight).backward()
            found += mean(float(loss), weight)
            totals.add(metrics)
        logged = {"loss": found} | totals.means(Ranks().data)
        own = {Point(0, "loss", what.replace("_", " ")): np.asarray(value, dtype)
               for what, value in logged.items()}
        trace |= {point._replace(tensor=f"{name}: {point.tensor}"): value
                  for point, value in (own | gradient_trace(model)).items()}
    return trace | _given()


def steps(case: Case, dtype: str) -> Trace:
    """AdamW steps from the reference on, whose log-probabilities are compared too."""
    trace: Trace = {}
    for processes in preferences.SHARES:
        for name in preferences.TRAINED:
            work = partial(_of_process, case, dtype, name)
            sums, found = meeting.run(processes, work)[-1]
            trace[Point(0, "score", f"{processes}: reference")] = sums
            trace |= {point._replace(tensor=f"{processes}, {name}: {point.tensor}"): value
                      for point, value in found.items()}
    return trace


def _of_process(case: Case, dtype: str, name: str, ranks: Ranks) -> tuple[np.ndarray, Trace]:
    data = ranks.data
    loader = PairLoader(
        _pairs(case), preferences.SHARES[data.size], preferences.PAD, accumulation_steps=3,
        rank=data.rank, world_size=data.size, seed=preferences.SEED)
    with_dropout = weights.build(case, dtype)
    with_dropout.train()
    sums = reference.log_probabilities_of(with_dropout, {"train": loader}, ranks)["train"]
    loader, case = replace(loader, reference=sums), preferences.trained(case)
    model = weights.build(case, dtype)
    return sums, training.run(
        replace(case, steps=_Steps(loader)), model, training.build_optimizer(model, ranks),
        stop=preferences.STEPS, ranks=ranks, objective=preference(*preferences.LOSSES[name]))


class _Steps:
    """The loader's steps by number."""

    def __init__(self, loader: PairLoader):
        self._loader = loader

    def __getitem__(self, index: int):
        return self._loader.step(index)


def _pairs(case: Case) -> PairExamples:
    made = [Pair(*one) for one in preferences.pairs(case)]
    return PairExamples(Pairs(made, [f"pair {number}" for number in range(len(made))]))


def _given() -> Trace:
    """The forms of fixed log-probabilities; of three pairs one is right and one is a tie."""
    ratios = paddle.to_tensor(preferences.GIVEN - preferences.GIVEN_REFERENCE)
    found = {"accuracy": rewards(ratios, preferences.GIVEN_BETA)["accuracy"]}
    for name, smoothing in (("sigmoid", 0.0), ("sigmoid, smoothed", preferences.GIVEN_SMOOTHING),
                            ("ipo", 0.0), ("hinge", 0.0)):
        found[name] = pair_losses(
            ratios, name.partition(",")[0], preferences.GIVEN_BETA, smoothing)
    return {Point(0, "loss", f"given: {name}"): values.mean().numpy()
            for name, values in found.items()}
