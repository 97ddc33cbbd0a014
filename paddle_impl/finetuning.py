"""Fine-tuning: the tasks that run_finetune.py gives to training/run.py."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from paddle import nn

from data_tools.completion.languages import PAD
from data_tools.completion.records import CompletionRecords
from data_tools.tokenizing.bpe_files import find_files
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import lora
from paddle_impl.config.finetune import FinetuneConfig
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.options import require
from paddle_impl.data.supervised import SupervisedLoader
from paddle_impl.key_tokens import objective_of
from paddle_impl.objectives import CAUSAL_LM
from paddle_impl.optim.schedule import Schedule
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.parallel.tensor import Parts
from paddle_impl.training import adapting
from paddle_impl.training.flops import training_flops
from paddle_impl.training.resume import Fact
from paddle_impl.training.run import Run
from paddle_impl.training.task import Task
from paddle_impl.training.validation import perplexity

MAX_SEQ_LENGTH = 1024


class Completion(Task):
    """Continue source code: every token of a record is a label, but its language token.

    The records, and the tokenizer with a control token for each language, are those that
    data_tools.create_completion_data writes. The model gets rows for the control tokens.
    """

    name = "completion"
    measures = MappingProxyType({"loss": False, "perplexity": False})
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
        adapting.FACT,
    )

    def __init__(self, config: FinetuneConfig, ranks: Ranks):
        super().__init__(ranks)
        options = config.examples
        self.sample_tokens = min(options.max_seq_length, MAX_SEQ_LENGTH)
        if self.sample_tokens < options.max_seq_length:
            self.warnings.append(f"--max_seq_length {options.max_seq_length} is above "
                                 f"{MAX_SEQ_LENGTH}, which is used")
        folder = folder_of(options.dataset_name)
        self.tokenizer = Tokenizer.load(folder / "tokenizer")
        self.objective = objective_of(config.training, self.tokenizer)
        self.measured = CAUSAL_LM
        self.adapter = adapting.Adapter(config.lora, config.runtime.seed) \
            if config.lora.lora_dim else None
        self.adapted = ""
        self.source: Path | None = None
        self.warnings += lora.notes(config.lora)
        self.records = {
            split: RecordExamples(folder / f"{split}.jsonl", self.tokenizer, self.sample_tokens)
            for split in ("train", "dev")}
        data = ranks.data
        share = {"pad_id": self.tokenizer.special_tokens[PAD], "rank": data.rank,
                 "world_size": data.size}
        train = RecordLoader(
            self.records["train"], options.per_gpu_train_batch_size, seed=config.runtime.seed,
            accumulation_steps=options.accumulation_steps, **share)
        valid = SupervisedLoader(self.records["dev"], options.dev_batch_size, **share)
        self.loaders = {"train": train, "valid": valid, "test": None}
        self.samples_per_step = (
            options.per_gpu_train_batch_size * options.accumulation_steps * data.size)
        self.step_tokens = self.samples_per_step * self.sample_tokens

    def complete(self, config: FinetuneConfig) -> FinetuneConfig:
        self.config = config.of_length(self.loaders["train"].steps_per_epoch)
        steps, asked = self.config.training.max_steps, config.validation.eval_freq
        if asked > steps:
            self.warnings.append(f"--evaluation_steps {asked} is above the {steps} steps of the "
                                 "run: the only evaluation is at its end")
        self.schedule = Schedule(self.config.schedule, steps)
        return self.config

    def start_from(self, source: Path) -> None:
        super().start_from(source)
        self.source = source
        adapting.check_source(source, self.config.lora,
                              self.name if self.config.checkpoint.init_from is None else None)
        if not find_files(source):
            self.warnings.append(f"{source} has no tokenizer to compare with that of the records")

    def check_weights(self, source: Path) -> None:
        """ValueError if the records were made with another tokenizer than that of the weights."""
        require(self.same_tokenizer or not find_files(source)
                or self.config.checkpoint.allow_other_tokenizer,
                f"the records were made with another tokenizer than that of {source}: make them "
                f"with --tokenizer {source}, or pass --allow_other_tokenizer if it is meant")

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

    def build(self, shape: ModelConfig, parts: Parts) -> nn.Layer:
        model = super().build(shape, parts)
        if self.adapter is not None:
            self.adapter.on(model, self.source)
            self.adapted = f"; {lora.describe(model)}"
        return model

    def load(self, source: Path, model: nn.Layer, continues: bool) -> None:
        if self.adapter is not None:
            self.adapter.load(source, model)
        else:
            super().load(source, model, continues)

    def learning_rate(self, step: int) -> float:
        return self.schedule.learning_rate(step)

    def settings(self) -> dict[str, Any]:
        options, training = self.config.examples, self.config.training
        return self.schedule.settings | {
            "per_gpu_train_batch_size": options.per_gpu_train_batch_size,
            "hidden_dropout_prob": training.hidden_dropout_prob,
            "attention_probs_dropout_prob": training.attention_probs_dropout_prob,
            "check_accuracy": training.check_accuracy,
        } | training.key_settings()

    def data(self) -> dict[str, Any]:
        adapter = self.adapter.data() if self.adapter is not None else {}
        return {f"{split}_sha256": records.sha256
                for split, records in self.records.items()} | adapter

    def order_key(self) -> str:
        return f"{self.sample_tokens} tokens, groups of {self.config.examples.accumulation_steps}"

    def progress(self, step: int) -> dict[str, float]:
        return {"epoch": round(step / self.loaders["train"].steps_per_epoch, 4)}

    def tokens(self, first: int, last: int) -> int:
        return sum(map(self.loaders["train"].tokens, range(first, last)))

    def step_flops(self, shape: ModelConfig) -> float:
        """Attention costs each token what its own record's length makes it cost, on average."""
        lengths = self.records["train"].inputs.astype(np.int64)
        return training_flops(shape, self.step_tokens, (lengths**2).sum() / lengths.sum())

    def evaluate(self, model, objective, split, batches) -> dict[str, float]:
        found = super().evaluate(model, objective, split, batches)
        return found | {"perplexity": perplexity(found["loss"])} if found else found

    def describe(self) -> str:
        train, dev = (len(self.records[split]) for split in ("train", "dev"))
        epochs = self.config.examples.num_epochs_train
        return (f"{train:,} records and {dev:,} held out; the schedule is over "
                f"{self.config.training.max_steps:,} steps, {epochs} epochs of "
                f"{self.loaders['train'].steps_per_epoch:,}{self.adapted}")


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


class RecordLoader(SupervisedLoader):
    """A loader of RecordExamples that counts their tokens."""

    def tokens(self, index: int) -> int:
        """Tokens of all processes in optimizer step `index`, counted from 0, without padding."""
        alone = replace(self, micro_batch_size=self._per_pass, rank=0, world_size=1)
        return sum(int(self.examples.inputs[numbers].sum()) for numbers in alone._numbers(index))


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


def finetuning_run(config: FinetuneConfig) -> Run:
    """Check the configuration and put the run together; ValueError if it cannot be trained."""
    return Run(config, partial({"completion": Completion}[config.task], config))
