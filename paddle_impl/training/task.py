"""The interface between training/run.py and a task, such as pretraining.

A task opens its data, builds the model, defines the objective, and names the facts that must not
change when a run is resumed. The run does the rest: processes, optimizer, loop, evaluations,
checkpoints and reports.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from paddle import nn

from data_tools.tokenizing.tokenizer import AnyTokenizer, Tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.model import LANGUAGE_MODEL, ModelConfig
from paddle_impl.config.run import RunConfig
from paddle_impl.convert.resizing import grown_config
from paddle_impl.data.batch import Batch
from paddle_impl.heads import build
from paddle_impl.objectives import Objective
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.parallel.tensor import Parts
from paddle_impl.training.flops import training_flops
from paddle_impl.training.measuring import measure
from paddle_impl.training.resume import Fact


class Loader(Protocol):
    """Batches of one split for this process. The index alone determines the samples of a batch."""

    def step(self, index: int) -> list[Batch]:
        """The micro batches of optimizer step `index`, counted from 0."""

    def first(self, count: int) -> Iterator[Batch]:
        """The first `count` micro batches, or as many as there are for every process."""

    def describe(self, step_index: int, micro: int) -> str:
        """The samples of a micro batch, as a phrase for messages."""


class Task:
    """A task; subclasses set the attributes and override what differs.

    name: kept in checkpoints; a run continues only checkpoints of the task with its name.
    objective: the loss to minimize. measured: that of evaluations, by default the same. loaders:
    set by `fit`, for "train", "valid" and "test"; the last two may be None. samples_per_step,
    step_tokens: samples and tokens of all processes in an optimizer step, padding included.
    sample_tokens: tokens in one sample, for the cost of attention. facts: what must be equal when a
    run is resumed. measures: what `evaluate` may return, and whether a greater value is a better
    one. curves: what a value's curve is called, where it does not have the record's name.
    over_tokens: whether the picture shows the loss over the tokens too, and not over steps alone.
    pictures: more pictures than curves.png by the names of their files, each with the names of the
    records' values by the titles of its panels. tokenizer: saved with each checkpoint. has_texts:
    whether evaluations call `texts`. measured_first: whether an evaluation comes before the first
    step too. may_rest: see Trainer. same_tokenizer: set by `start_from`, whether the weights that
    the run starts from have the same tokenizer. architecture: the model's class, by its name in
    heads.ARCHITECTURES; --model_class sets it before `build`. warnings: lines to show the user.
    events: (kind, message) of what the user must know and the run's record keeps, such as samples
    that are left out.
    """

    name: str
    objective: Objective
    measured: Objective | None = None
    loaders: dict[str, Loader | None]
    samples_per_step: int
    step_tokens: int
    sample_tokens: int
    facts: tuple[Fact, ...] = ()
    measures: Mapping[str, bool] = MappingProxyType({"loss": False})
    curves: Mapping[str, str] = MappingProxyType({})
    over_tokens: bool = False
    pictures: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    tokenizer: AnyTokenizer | None = None
    has_texts: bool = False
    measured_first: bool = False
    may_rest: bool = False
    same_tokenizer: bool = False
    architecture: str = LANGUAGE_MODEL

    def __init__(self, ranks: Ranks):
        self.ranks = ranks
        self.warnings: list[str] = []
        self.events: list[tuple[str, str]] = []

    def complete(self, config: RunConfig) -> RunConfig:
        """The run's flags with what the data decide, such as the number of steps of an epoch."""
        return config

    def start_from(self, source: Path) -> None:
        """Called before `fit` where the run starts from a checkpoint directory, or continues it.

        Where its tokenizer gives the same ids as the task's, but for control tokens that this one
        has beyond them, its names of special tokens and its chat template are kept.
        """
        own = checkpoint.load_tokenizer(source) if self.tokenizer is not None else None
        if own is None:
            return
        own = _with_control_tokens(own, self.tokenizer)
        self.same_tokenizer = own.fingerprint() == self.tokenizer.fingerprint()
        if self.same_tokenizer:
            self.tokenizer = self.tokenizer.named_as(own)

    def vocabulary(self) -> int | None:
        """How many tokens the data have, those of the tokenizer; None where nothing tells."""
        return self.tokenizer.vocab_size if self.tokenizer is not None else None

    def fit(self, shape: ModelConfig) -> ModelConfig:
        """The configuration to build the model with; also makes the loaders.

        shape: that of the checkpoint or of the registry; here it gets rows for the tokens that the
        task's tokenizer has beyond them. ValueError if the data do not fit it.
        """
        return grown_config(shape, self.tokenizer) if self.tokenizer is not None else shape

    def build(self, shape: ModelConfig, parts: Parts) -> nn.Layer:
        """The model, before its weights are set.

        What is trained is decided here: the parameters whose stop_gradient is False. The others,
        frozen ones, are saved as they are, and have neither optimizer state nor decay.
        """
        return build(shape, self.architecture, parts)

    def check_weights(self, source: Path) -> None:
        """ValueError if a new run cannot start from the weights in `source`, a checkpoint
        directory, because they were trained on something that the data do not go with.
        """

    def load(self, source: Path, model: nn.Layer, continues: bool) -> None:
        """Set the weights from a checkpoint directory.

        continues: whether the checkpoint is one of this run; otherwise the run starts from it, and
        tokens that `fit` has added get the mean of the others' rows.
        """
        checkpoint.load_weights(source, model, grow_vocabulary=not continues)

    def begin(self, model: nn.Layer) -> None:
        """Called by all processes before the first step of a launch, within the run's precision.

        Here a task computes what it needs of the weights that the launch starts with. Files may be
        written. What it adds to `events` is reported.
        """

    def learning_rate(self, step: int) -> float:
        """The learning rate of optimizer step `step`, counted from 1."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """What identifies the data, as JSON values; training_state.json keeps it for the facts."""
        return {}

    def order_key(self) -> str:
        """A digest of what determines the order of samples, except the number of steps."""
        return ""

    def settings(self) -> dict[str, Any]:
        """Flag name -> value of settings that a resumed run may change, with a warning."""
        return {}

    def sample_order(self) -> str:
        """A digest of the order of samples, which may change with the number of steps."""
        return ""

    def progress(self, step: int) -> dict[str, float]:
        """More values to log for a step, such as the epoch."""
        return {}

    def tokens(self, first: int, last: int) -> int:
        """Tokens of all processes in the optimizer steps first + 1 to last.

        Tasks whose batches are padded to their longest row leave the padding out.
        """
        return (last - first) * self.step_tokens

    def step_flops(self, shape: ModelConfig) -> float:
        """Floating point operations of an optimizer step of all processes."""
        return training_flops(shape, self.step_tokens, self.sample_tokens)

    def evaluate(
        self, model: nn.Layer, objective: Objective, split: str, batches: int
    ) -> dict[str, float]:
        """Measures of the split's first batches, by name; empty if nothing is counted.

        --metric_for_best_model names the one that decides about early stopping and the best
        checkpoint. objective: `measured`, in the precision of the run. All processes call it
        together.
        """
        return measure(model, objective, self.loaders[split].first(batches), self.ranks)

    def texts(self, model: nn.Layer, step: int) -> list[tuple[str, str]]:
        """(prompt, text) pairs to show at an evaluation.

        All processes call it together, within Optimizer.without_sharding.
        """
        raise NotImplementedError

    def describe(self) -> str:
        """The data that the run trains on, as a phrase for messages."""
        return self.name


def _with_control_tokens(own: AnyTokenizer, tokenizer: AnyTokenizer) -> AnyTokenizer:
    """`own` with the special tokens of `tokenizer` that are beyond its vocabulary."""
    beyond = sorted((number, token) for token, number in tokenizer.special_tokens.items()
                    if number >= own.vocab_size)
    if not beyond or not isinstance(own, Tokenizer):
        return own
    return own.with_added_tokens([token for _, token in beyond])


def check_trainable(model: nn.Layer, mp_degree: int) -> None:
    """ValueError where parameters are frozen in a model that is split over processes."""
    frozen = [name for name, value in model.named_parameters() if value.stop_gradient]
    if frozen and mp_degree > 1:
        raise ValueError(
            f"--mp_degree {mp_degree} with frozen parameters ({frozen[0]}, {len(frozen)} in all): "
            "LoRA and freezing are not built for tensor parallelism yet; leave --mp_degree out")
