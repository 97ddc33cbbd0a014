"""What a training run must know of its task: the seam between training/run.py and the tasks.

A task opens its data, says what is minimized, and what must be unchanged when a run is resumed.
Processes, optimizer, checkpoints, evaluations, reports and the loop are the run's.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from paddle import nn

from data_tools.tokenizing.tokenizer import AnyTokenizer
from paddle_impl import checkpoint
from paddle_impl.config.model import ModelConfig
from paddle_impl.data.batch import Batch
from paddle_impl.model import GPTForCausalLM
from paddle_impl.objectives import Objective
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.parallel.tensor import Parts
from paddle_impl.training.flops import training_flops
from paddle_impl.training.measuring import measure
from paddle_impl.training.resume import Fact


class Loader(Protocol):
    """Batches of one split for this process; which samples they hold depends on the index alone."""

    def step(self, index: int) -> list[Batch]:
        """The micro batches of optimizer step `index`, counted from 0."""

    def first(self, count: int) -> Iterator[Batch]:
        """The first `count` micro batches, or as many as there are for every process."""

    def describe(self, step_index: int, micro: int) -> str:
        """What a micro batch is made of, as a phrase of a message."""


class Task:
    """A task; subclasses set the attributes and override what differs.

    name: told apart by it, a run never continues one of another task. objective: what is minimized.
    loaders: "train", and "valid" and "test" or None, once `fit` was called. samples_per_step: of
    all processes. step_tokens: tokens of all processes in an optimizer step; sample_tokens: in one
    sample, for the cost of attention. facts: what a resumed run must have in common with the run
    before. tokenizer: saved with each checkpoint. has_texts: whether `texts` is called. warnings:
    what a reader should know.
    """

    name: str
    objective: Objective
    loaders: dict[str, Loader | None]
    samples_per_step: int
    step_tokens: int
    sample_tokens: int
    facts: tuple[Fact, ...] = ()
    tokenizer: AnyTokenizer | None = None
    has_texts: bool = False

    def __init__(self, ranks: Ranks):
        self.ranks = ranks
        self.warnings: list[str] = []

    def fit(self, shape: ModelConfig) -> ModelConfig:
        """The configuration to build the model with, from that of the checkpoint or the registry.

        It makes the loaders. ValueError where the data does not go with the model.
        """
        return shape

    def build(self, shape: ModelConfig, parts: Parts) -> nn.Layer:
        """The model, its weights not yet set; frozen parameters have stop_gradient."""
        return GPTForCausalLM(shape, parts)

    def load(self, source: Path, model: nn.Layer, continues: bool) -> None:
        """Set the weights from a checkpoint directory.

        continues: it is one of this very run; otherwise the weights that the run starts from.
        """
        checkpoint.load_weights(source, model)

    def learning_rate(self, step: int) -> float:
        """Of optimizer step `step`, counted from 1."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """What identifies the data, as JSON: training_state.json holds it for the facts."""
        return {}

    def order_key(self) -> str:
        """A digest of all that decides which sample comes when, but for the number of steps."""
        return ""

    def settings(self) -> dict[str, Any]:
        """What a resumed run may change, by the names of flags: a warning tells each change."""
        return {}

    def sample_order(self) -> str:
        """A digest of the order itself, which may change with the number of steps."""
        return ""

    def progress(self, step: int) -> dict[str, float]:
        """What else is logged of a step, such as the epoch."""
        return {}

    def step_flops(self, shape: ModelConfig) -> float:
        """Floating point operations of an optimizer step of all processes."""
        return training_flops(shape, self.step_tokens, self.sample_tokens)

    def evaluate(
        self, model: nn.Layer, objective: Objective, split: str, batches: int
    ) -> dict[str, float]:
        """Numbers of the split's first batches; "loss" drives early stopping and the best
        checkpoint. Empty where nothing is counted.

        objective: the task's own, in the precision of the run. All processes call it together.
        """
        return measure(model, objective, self.loaders[split].first(batches), self.ranks)

    def texts(self, model: nn.Layer, step: int) -> list[tuple[str, str]]:
        """(prompt, text) pairs to show at an evaluation.

        All processes call it together; the model is used alone.
        """
        raise NotImplementedError

    def describe(self) -> str:
        """What the run trains on, as a phrase."""
        return self.name
