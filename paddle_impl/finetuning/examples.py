"""What tasks on examples of different lengths have in common."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from paddle import nn

from data_tools.tokenizing.bpe_files import find_files
from paddle_impl import lora
from paddle_impl.config.finetune import TaskConfig
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.options import require
from paddle_impl.data.supervised import SupervisedLoader
from paddle_impl.optim.schedule import Schedule
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.parallel.tensor import Parts
from paddle_impl.training.adapting import Adapter, check_source
from paddle_impl.training.flops import training_flops
from paddle_impl.training.task import Task
from paddle_impl.training.validation import perplexity


class ExamplesTask(Task):
    """A task that sees each of its examples once in an epoch.

    A subclass sets `records` by split, then calls `open`; it sets `schedule` in `complete`, where
    it also keeps the `config`. The examples of a split have the `sha256` of their file, and
    `inputs`: how many tokens the model is given of each. With --lora_dim an adapter is trained.
    """

    measures = MappingProxyType({"loss": False, "perplexity": False})
    records: dict[str, Any]
    schedule: Schedule

    def __init__(self, config: TaskConfig, ranks: Ranks):
        super().__init__(ranks)
        options = config.lora
        self.adapter = Adapter(options, config.runtime.seed) if options.lora_dim else None
        self.adapted = ""  # what the adapter trains, as a phrase
        self.source: Path | None = None
        self.warnings += lora.notes(options)

    def open(self, micro_batch_size: int, accumulation_steps: int, valid_batch_size: int, *,
             pad_id: int, seed: int) -> None:
        """Make the loaders of the two splits, the first of which is trained on."""
        data = self.ranks.data
        share = {"pad_id": pad_id, "rank": data.rank, "world_size": data.size}
        train, valid = self.records.values()
        self.loaders = {
            "train": ExamplesLoader(train, micro_batch_size, seed=seed,
                                    accumulation_steps=accumulation_steps, **share),
            "valid": SupervisedLoader(valid, valid_batch_size, **share), "test": None}
        self.samples_per_step = micro_batch_size * accumulation_steps * data.size

    def check_eval_freq(self, flag: str, asked: int) -> None:
        """Warn where the run has fewer steps than the flag asks for between two evaluations."""
        steps = self.config.training.max_steps
        if asked > steps:
            self.warnings.append(f"{flag} {asked} is above the {steps} steps of the run: the only "
                                 "evaluation is at its end")

    @property
    def steps_per_epoch(self) -> int:
        return self.loaders["train"].steps_per_epoch

    def start_from(self, source: Path) -> None:
        super().start_from(source)
        self.source = source
        check_source(source, self.config.lora,
                     self.name if self.config.checkpoint.init_from is None else None)

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

    def check_weights(self, source: Path) -> None:
        """ValueError if the records were made with another tokenizer than that of the weights."""
        require(self.same_tokenizer or self.tokenizer is None or not find_files(source)
                or self.config.checkpoint.allow_other_tokenizer,
                f"the records were made with another tokenizer than that of {source}: make them "
                f"with --tokenizer {source}, or pass --allow_other_tokenizer if it is meant")

    def learning_rate(self, step: int) -> float:
        return self.schedule.learning_rate(step)

    def data(self) -> dict[str, Any]:
        adapter = self.adapter.data() if self.adapter is not None else {}
        return {f"{split}_sha256": records.sha256
                for split, records in self.records.items()} | adapter

    def progress(self, step: int) -> dict[str, float]:
        return {"epoch": round(step / self.steps_per_epoch, 4)}

    def tokens(self, first: int, last: int) -> int:
        return sum(map(self.loaders["train"].tokens, range(first, last)))

    def step_flops(self, shape: ModelConfig) -> float:
        """Attention costs each token what its own example's length makes it cost, on average."""
        train, _ = self.records.values()
        lengths = train.inputs.astype(np.int64)
        return training_flops(shape, self.step_tokens, (lengths**2).sum() / lengths.sum())

    def evaluate(self, model, objective, split, batches) -> dict[str, float]:
        found = super().evaluate(model, objective, split, batches)
        return found | {"perplexity": perplexity(found["loss"])} if found else found


class ExamplesLoader(SupervisedLoader):
    """A loader that counts the tokens of its examples."""

    def tokens(self, index: int) -> int:
        """Tokens of all processes in optimizer step `index`, counted from 0, without padding."""
        alone = replace(self, micro_batch_size=self._per_pass, rank=0, world_size=1)
        return sum(int(self.examples.inputs[numbers].sum()) for numbers in alone._numbers(index))
