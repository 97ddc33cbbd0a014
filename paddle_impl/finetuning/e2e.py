"""microsoft/LoRA's task: a completion is learned given its context, such as a restaurant's data."""

from pathlib import Path
from typing import Any

import numpy as np

from data_tools.e2e.records import E2ERecords
from data_tools.tokenizing.tokenizer import load_tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.finetune_e2e import E2EConfig
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.options import require
from paddle_impl.finetuning.examples import ExamplesTask
from paddle_impl.finetuning.label_smoothing import label_smoothed
from paddle_impl.objectives import CAUSAL_LM
from paddle_impl.optim.legacy_schedules import schedule_of
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.adapting import FACT as ADAPTER
from paddle_impl.training.resume import Fact

PAD = 0  # its labels count nothing, and no token sees what stands behind it


class E2E(ExamplesTask):
    """Continue a context by its completion, whose tokens alone are labels.

    The pairs are those of data_tools.create_e2e_data. Their tokenizer lies in the folder
    `tokenizer` beside them; without that folder it is taken to be that of the weights.
    """

    name = "e2e"
    facts = (
        Fact("pairs", "data.train_sha256", "name them with --train_data"),
        Fact("order key", "order_key", "--seq_len and --grad_acc must be as they were",
             implied=True),
        Fact("tokenizer", "tokenizer", "name the pairs that were made with it with --train_data"),
        Fact("global batch size", "global_batch_size", "{moved}it was {was}: processes x "
             "--train_batch_size x --grad_acc"),
        Fact("optimizer", "schedule.optimizer", "pass --optimizer {was}"),
        ADAPTER,
    )

    def __init__(self, config: E2EConfig, ranks: Ranks):
        super().__init__(config, ranks)
        options = config.pairs
        self.records = {
            split: E2ERecords(path, options.seq_len, joint_lm=options.obj == "jlm")
            for split, path in (("train", options.train_data), ("valid", options.valid_data))}
        for records in self.records.values():
            if cut := sum(length > options.seq_len for length in records.lengths):
                self.warnings.append(f"{records.path}: {cut} of {len(records)} pairs have more "
                                     f"than --seq_len {options.seq_len} tokens and are cut")
        folder = Path(options.train_data).parent / "tokenizer"
        self.tokenizer = load_tokenizer(folder) if folder.is_dir() else None
        self.objective, self.measured = label_smoothed(options.label_smooth), CAUSAL_LM
        self.open(options.train_batch_size, options.grad_acc, options.valid_batch_size,
                  pad_id=PAD, seed=config.runtime.seed)
        lengths = np.minimum(self.records["train"].lengths, options.seq_len)
        self.sample_tokens = round(float(lengths.mean()))
        self.step_tokens = self.samples_per_step * self.sample_tokens

    def complete(self, config: E2EConfig) -> E2EConfig:
        self.config = config.of_length(self.steps_per_epoch)
        self.check_eval_freq("--eval_interval", config.validation.eval_freq)
        self.schedule = schedule_of(config.schedule, config.schedule_steps(self.steps_per_epoch))
        return self.config

    def start_from(self, source: Path) -> None:
        self.tokenizer = self.tokenizer or checkpoint.load_tokenizer(source)
        super().start_from(source)

    def fit(self, shape: ModelConfig) -> ModelConfig:
        """The shape without dropout; ValueError where it cannot be fed the pairs."""
        shape = super().fit(shape)
        if self.tokenizer is None:
            self.warnings.append("no tokenizer lies beside --train_data or the weights, and so "
                                 "none beside the checkpoints")
        for records in self.records.values():
            require(records.highest < shape.vocab_size,
                    f"{records.path} has the id {records.highest}, beyond the model's vocabulary "
                    f"of {shape.vocab_size}: make the pairs with the model's tokenizer")
            longest = min(max(records.lengths), self.config.pairs.seq_len)
            require(longest <= shape.n_positions,
                    f"{records.path} has pairs of {longest} tokens, the model {shape.n_positions} "
                    "positions: lower --seq_len, which cuts them")
        return shape.with_(embd_pdrop=0.0, resid_pdrop=0.0, attn_pdrop=0.0)

    def settings(self) -> dict[str, Any]:
        options = self.config.pairs
        return self.schedule.settings | {
            "train_batch_size": options.train_batch_size, "label_smooth": options.label_smooth,
            "obj": options.obj}

    def order_key(self) -> str:
        options = self.config.pairs
        return f"{options.seq_len} tokens, groups of {options.grad_acc}"

    def describe(self) -> str:
        train, valid = (len(records) for records in self.records.values())
        return (f"{train:,} pairs and {valid:,} held out; {self.config.training.max_steps:,} steps "
                f"of {self.steps_per_epoch:,} an epoch{self.adapted}")
