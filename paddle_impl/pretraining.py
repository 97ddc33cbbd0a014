"""Pretraining on token files: the task that run_pretrain.py gives to training/run.py."""

from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from paddle_impl.config.model import ModelConfig
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.data.pretraining_data import PretrainingData
from paddle_impl.key_tokens import objective_of
from paddle_impl.objectives import CAUSAL_LM
from paddle_impl.optim.legacy_schedules import schedule_of
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.completions import Completions
from paddle_impl.training.resume import Fact
from paddle_impl.training.run import Run
from paddle_impl.training.task import Task
from paddle_impl.training.validation import validate


class Pretraining(Task):
    """Predict the next token in windows over all documents, or in blocks of one document."""

    name = "pretraining"
    measures = MappingProxyType(dict.fromkeys(("loss", "perplexity", "bits_per_byte"), False))
    facts = (
        Fact("corpus", "data.ids_sha256", "name its data with --input_dir"),
        Fact("order key", "order_key", "--input_dir, --split, --max_seq_len, --packing, "
             "--data_order and the weights of a blend must be as they were", implied=True),
        Fact("tokenizer", "tokenizer", "name its data with --input_dir"),
        Fact("end token", "data.eos_token_id", "name its data with --input_dir"),
        Fact("global batch size", "global_batch_size", "{moved}pass --global_batch_size {was} to "
             "keep it, with a --micro_batch_size that divides it"),
    )

    def __init__(self, config: PretrainConfig, ranks: Ranks):
        super().__init__(ranks)
        self.config = config
        self.schedule = schedule_of(config.schedule, config.training.max_steps)
        self.inputs = PretrainingData(config, ranks)
        self.warnings = self.inputs.warnings
        self.tokenizer = self.inputs.tokenizer
        self.objective = objective_of(config.training, self.tokenizer)
        self.measured = CAUSAL_LM
        self.samples_per_step = self.inputs.global_batch_size
        self.sample_tokens = config.data.max_seq_len
        self.step_tokens = self.samples_per_step * self.sample_tokens
        self.has_texts = config.validation.test_file is not None

    def vocabulary(self) -> int | None:
        return super().vocabulary() or self.inputs.data.vocab_size

    def fit(self, shape: ModelConfig) -> ModelConfig:
        """The model's configuration with its end tokens, or the data's, and the run's dropout.

        It gets rows for the control tokens that the data's tokenizer has beyond that of the weights
        the run starts from, such as those of --fim_rate.
        """
        if self.same_tokenizer:
            shape = super().fit(shape)
        fitted = self.inputs.fit(shape, keeps_ends=self.same_tokenizer)
        self.completions = Completions.of(self.config, self.tokenizer, fitted)
        self.loaders = self.inputs.loaders(fitted)
        return fitted

    def check_weights(self, source: Path) -> None:
        """ValueError if they were trained with another tokenizer than the data's."""
        if not (self.same_tokenizer or self.config.checkpoint.allow_other_tokenizer):
            self.inputs.check_tokenizer_of(source)

    def learning_rate(self, step: int) -> float:
        return self.schedule.learning_rate(step)

    def settings(self) -> dict[str, Any]:
        training = self.config.training
        return self.schedule.settings | {
            "micro_batch_size": self.config.data.micro_batch_size,
            "hidden_dropout_prob": training.hidden_dropout_prob,
            "attention_probs_dropout_prob": training.attention_probs_dropout_prob,
            "check_accuracy": training.check_accuracy,
        } | training.key_settings()

    def data(self) -> dict[str, Any]:
        return self.inputs.identity()

    def order_key(self) -> str:
        return self.loaders["train"].dataset.order_key

    def sample_order(self) -> str:
        return self.loaders["train"].dataset.sample_order()

    def progress(self, step: int) -> dict[str, float]:
        return {"epoch": self.loaders["train"].dataset.epoch(step * self.samples_per_step)}

    def evaluate(self, model, objective, split, batches) -> dict[str, float]:
        return validate(model, objective, self.loaders[split], batches, self.ranks, self.tokenizer)

    def texts(self, model, step) -> list[tuple[str, str]]:
        return self.completions.complete(model, step, self.ranks)

    def describe(self) -> str:
        return f"data {self.inputs.data}"


def pretraining_run(config: PretrainConfig) -> Run:
    """Check the configuration and put the run together; ValueError if it cannot be trained."""
    return Run(config, partial(Pretraining, config))
