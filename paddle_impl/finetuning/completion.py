"""The task of code completion."""

from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from data_tools.completion.languages import PAD
from data_tools.completion.records import CompletionRecords
from data_tools.tokenizing.bpe_files import find_files
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.finetune import FinetuneConfig
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.options import require
from paddle_impl.finetuning.examples import ExamplesTask
from paddle_impl.key_tokens import objective_of
from paddle_impl.objectives import CAUSAL_LM
from paddle_impl.optim.legacy_schedules import schedule_of
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.adapting import FACT as ADAPTER
from paddle_impl.training.resume import Fact

MAX_SEQ_LENGTH = 1024


class Completion(ExamplesTask):
    """Continue source code: every token of a record is a label, but its language token.

    The records, and the tokenizer with a control token for each language, are those that
    data_tools.create_completion_data writes. The model gets rows for the control tokens.
    """

    name = "completion"
    curves = MappingProxyType({  # auto_coding's names
        "loss": "loss_train", "lr": "lr", "valid_loss": "loss_dev",
        "valid_perplexity": "eval_perplexity_dev",
        "best_score_for_perplexity": "best_score_for_perplexity"})
    facts = (
        Fact("records", "data.train_sha256", "name their folder with --dataset_name"),
        Fact("order key", "order_key", "--max_seq_length and --accumulation_steps must be as they "
             "were", implied=True),
        Fact("tokenizer", "tokenizer", "name the folder of its records with --dataset_name"),
        Fact("global batch size", "global_batch_size", "{moved}it was {was}: processes x "
             "--per_gpu_train_batch_size x --accumulation_steps"),
        ADAPTER,
    )

    def __init__(self, config: FinetuneConfig, ranks: Ranks):
        super().__init__(config, ranks)
        options = config.examples
        self.sample_tokens = min(options.max_seq_length, MAX_SEQ_LENGTH)
        if self.sample_tokens < options.max_seq_length:
            self.warnings.append(f"--max_seq_length {options.max_seq_length} is above "
                                 f"{MAX_SEQ_LENGTH}, which is used")
        folder = folder_of(options.dataset_name)
        self.tokenizer = Tokenizer.load(folder / "tokenizer")
        self.objective = objective_of(config.training, self.tokenizer)
        self.measured = CAUSAL_LM
        self.records = {
            split: RecordExamples(folder / f"{split}.jsonl", self.tokenizer, self.sample_tokens)
            for split in ("train", "dev")}
        self.open(options.per_gpu_train_batch_size, options.accumulation_steps,
                  options.dev_batch_size, pad_id=self.tokenizer.special_tokens[PAD],
                  seed=config.runtime.seed)
        self.step_tokens = self.samples_per_step * self.sample_tokens

    def complete(self, config: FinetuneConfig) -> FinetuneConfig:
        self.config = config.of_length(self.steps_per_epoch)
        self.check_eval_freq("--evaluation_steps", config.validation.eval_freq)
        self.schedule = schedule_of(self.config.schedule, self.config.training.max_steps)
        return self.config

    def start_from(self, source: Path) -> None:
        super().start_from(source)
        if not find_files(source):
            self.warnings.append(f"{source} has no tokenizer to compare with that of the records")

    def fit(self, shape: ModelConfig) -> ModelConfig:
        """The shape with rows for the control tokens, the end token, and the run's dropout."""
        require(self.sample_tokens <= shape.n_positions,
                f"--max_seq_length {self.sample_tokens} is beyond the model's {shape.n_positions} "
                "positions")
        shape = super().fit(shape)
        end = self.tokenizer.eos_token_id
        if end not in shape.end_tokens:
            shape = shape.with_(eos_token_id=end, bos_token_id=end, generation_config=None)
        return self.config.training.with_dropout(
            shape.with_(pad_token_id=self.tokenizer.special_tokens[PAD]))

    def settings(self) -> dict[str, Any]:
        options, training = self.config.examples, self.config.training
        return self.schedule.settings | {
            "per_gpu_train_batch_size": options.per_gpu_train_batch_size,
            "hidden_dropout_prob": training.hidden_dropout_prob,
            "attention_probs_dropout_prob": training.attention_probs_dropout_prob,
            "check_accuracy": training.check_accuracy,
        } | training.key_settings()

    def order_key(self) -> str:
        return f"{self.sample_tokens} tokens, groups of {self.config.examples.accumulation_steps}"

    def describe(self) -> str:
        train, dev = (len(self.records[split]) for split in ("train", "dev"))
        epochs = self.config.examples.num_epochs_train
        return (f"{train:,} records and {dev:,} held out; the schedule is over "
                f"{self.config.training.max_steps:,} steps, {epochs} epochs of "
                f"{self.steps_per_epoch:,}{self.adapted}")


class RecordExamples(CompletionRecords):
    """Records as the examples of a loader: all ids but the first are labels."""

    @property
    def inputs(self) -> np.ndarray:
        """int32 [records]: the tokens that the model is given of each."""
        return self.lengths - 1

    def read(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        ids = self.input_ids(number)
        return ids, ids

    def describe(self, number: int) -> str:
        return f"record {number + 1} of {self.path}"


def folder_of(name: str) -> Path:
    """The folder with train.jsonl and dev.jsonl that --dataset_name names, here or in ./dataset.

    ValueError where there is none.
    """
    tried = [Path(name) / "json", Path("dataset") / name / "json", Path(name)]
    for folder in tried:
        if all((folder / f"{split}.jsonl").is_file() for split in ("train", "dev")):
            require((folder / "tokenizer").is_dir(), f"{folder} has no tokenizer: make it with "
                    "python -m data_tools.create_completion_data")
            return folder
    raise ValueError(f"no train.jsonl and dev.jsonl in {', '.join(map(str, tried))}: make them "
                     "with python -m data_tools.create_completion_data, or name their folder with "
                     "--dataset_name")
