"""Fine-tuning on examples of different lengths: the loader's batches, by the trainer."""

from dataclasses import replace
from functools import partial

import numpy as np

from paddle_impl.data.supervised import SupervisedLoader
from paddle_impl.key_tokens import key_token_weighted
from paddle_impl.objectives import CAUSAL_LM, Objective, mean
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.measuring import to_tensors
from parity.cases import Batch, Case, supervised
from parity.compare import Trace
from parity.paddle_side import meeting, training, weights
from parity.paddle_side.backward import gradient_trace


def completion(case: Case, dtype: str) -> Trace:
    """The mean over the labels of a step: gradients of the first, then AdamW steps."""
    return _trained(case, dtype, CAUSAL_LM)


def keyed(case: Case, dtype: str) -> Trace:
    """The mean over the samples of a step, weighted by the number of key tokens in each."""
    return _trained(case, dtype, key_token_weighted(supervised.KEYS, supervised.ALPHA))


def _trained(case: Case, dtype: str, objective: Objective) -> Trace:
    trace: Trace = {}
    for processes, size in supervised.SHARES.items():
        work = partial(_of_process, case, dtype, objective, size)
        found, *_ = meeting.run(processes, work)
        trace |= {point._replace(tensor=f"{processes}: {point.tensor}"): value
                  for point, value in found.items()}
    return trace


def _of_process(case: Case, dtype: str, objective: Objective, size: int, ranks: Ranks) -> Trace:
    case = supervised.trained(case)
    data = ranks.data
    loader = SupervisedLoader(
        _Examples(case), size, supervised.PAD, accumulation_steps=3, rank=data.rank,
        world_size=data.size, seed=supervised.SEED)
    assert supervised.EPOCHS * loader.steps_per_epoch == supervised.STEPS
    model = weights.build(case, dtype)
    optimizer = training.build_optimizer(model, ranks)
    batches = loader.step(0)
    (weight,) = data.total(float(sum(map(objective.weight, batches))))
    for batch in batches:
        loss, _ = objective.loss(model, to_tensors(batch))
        mean(loss, weight).backward()
    optimizer.reduce_gradients()
    trace = gradient_trace(model)
    optimizer.clear_grad()
    return trace | training.run(replace(case, steps=_Steps(loader)), model, optimizer,
                                stop=supervised.STEPS, ranks=ranks, objective=objective)


class _Steps:
    """The loader's steps by number."""

    def __init__(self, loader: SupervisedLoader):
        self._loader = loader

    def __getitem__(self, index: int) -> list[Batch]:
        return self._loader.step(index)


class _Examples(list):
    """The examples with the interface that the loader reads."""

    def __init__(self, case: Case):
        super().__init__(supervised.examples(case))

    def read(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        return self[number]

    def describe(self, number: int) -> str:
        return f"example {number}"
