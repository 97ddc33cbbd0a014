"""Flags of run_finetune.py --task sft: rasbt's recipe for instructions by default."""

from dataclasses import dataclass, replace

from paddle_impl.config.checkpoint import CheckpointOptions
from paddle_impl.config.data import DataOptions
from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.finetune import ExamplesOptions, TaskConfig
from paddle_impl.config.finetune_e2e import PairsOptions
from paddle_impl.config.instructions import PACKING, InstructionOptions
from paddle_impl.config.model import ModelOptions
from paddle_impl.config.optimizer import OptimizerOptions
from paddle_impl.config.options import changed, group, require
from paddle_impl.config.runtime import RuntimeOptions
from paddle_impl.config.schedule import ScheduleOptions
from paddle_impl.config.training import TrainingOptions
from paddle_impl.config.validation import ValidationOptions

SPLIT = "85,10,5"


@dataclass(frozen=True, kw_only=True)
class SFTConfig(TaskConfig):
    """The groups of every training run, and the instructions.

    The number of steps follows from the examples and --num_epochs_train.
    """

    model: ModelOptions = group(
        ModelOptions, only=("model_type", "model_name_or_path"),
        model_type=changed("gpt2"),
        model_name_or_path=changed(
            None, "a checkpoint directory; or a registry name or a config.json without weights, "
            "which trains from scratch, unless --init_from names the weights"))
    checkpoint: CheckpointOptions = group(CheckpointOptions, keep_best=True, keep_checkpoints=1)
    training: TrainingOptions = group(
        TrainingOptions, only=("hidden_dropout_prob", "attention_probs_dropout_prob",
                               "check_accuracy", "skip_nonfinite"),
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    optimizer: OptimizerOptions = group(OptimizerOptions, weight_decay=0.1)
    schedule: ScheduleOptions = group(
        ScheduleOptions, scheduler="constant", max_lr=changed(5e-5, aliases=("--lr",)))
    runtime: RuntimeOptions = group(
        RuntimeOptions, device=changed(help="where to train"),
        seed=changed(123, "seed of new weights, sample order and dropout"))
    validation: ValidationOptions = group(
        ValidationOptions, only=("eval_freq", "eval_iters", "early_stop", "metric_for_best_model"),
        eval_freq=5, eval_iters=changed(
            5, "batches of an evaluation; the test at the end takes ten times it"),
        metric_for_best_model=changed(
            help="the measure that decides for --early_stop and --keep_best: loss, perplexity, or "
            "response_loss, that of the responses alone"))
    parts: DataOptions = group(
        DataOptions, only=("split", "packing"), input_dir=None,
        split=changed(SPLIT, "shares of --data for training, test and validation, in the order of "
                      "the file"),
        packing=changed("none", "none: a row is an example, padded to the longest of its batch; "
                        "segments: it holds several, up to --max_seq_length tokens, of which none "
                        "sees another", choices=PACKING))
    held_out: PairsOptions = group(
        PairsOptions, only=("valid_data",), train_data="",
        valid_data=changed(None, "held-out records, in place of a part of --data, all of which is "
                           "trained on then"))
    examples: ExamplesOptions = group(
        ExamplesOptions, only=("max_seq_length", "per_gpu_train_batch_size", "dev_batch_size",
                               "accumulation_steps", "num_epochs_train"),
        max_seq_length=changed(
            None, "tokens of an example that the model is given, at most (default: the model's "
            "positions, but no more than 1024)"),
        per_gpu_train_batch_size=changed(
            5, "rows in one forward pass of one process", aliases=("--train_batch_size",)),
        dev_batch_size=changed(5, aliases=("--valid_batch_size",)),
        accumulation_steps=1, num_epochs_train=2)
    instructions: InstructionOptions = group(InstructionOptions)
    decoding: DecodingOptions = group(
        DecodingOptions, only=("decode_strategy", "top_k", "top_p", "temperature",
                               "repetition_penalty", "max_dec_len"),
        decode_strategy="greedy_search",
        max_dec_len=changed(256, "new tokens of a sample or a response, at most"))

    def __post_init__(self):
        super().__post_init__()
        given = self.held_out.valid_data is not None
        require(not given or self.parts.split == SPLIT,
                f"--split {self.parts.split} means nothing with --valid_data: all of --data is "
                "trained on")
        require(given or self.instructions.test_data is None,
                "--test_data needs --valid_data: else both are parts of --data")
        require(self.instructions.group_by_length or self.parts.packing == "none",
                "--group_by_length false means nothing with --packing segments")

    def of_length(self, steps_per_epoch: int) -> "SFTConfig":
        """The flags with the number of steps; each epoch has an evaluation."""
        steps = steps_per_epoch * self.examples.num_epochs_train
        return replace(
            self, training=replace(self.training, max_steps=steps),
            validation=replace(self.validation,
                               eval_freq=min(self.validation.eval_freq, steps_per_epoch)))
