"""Flags of run_finetune.py --task dpo: rasbt's recipe for preferences by default."""

from dataclasses import dataclass, replace

from paddle_impl.config.checkpoint import CheckpointOptions
from paddle_impl.config.data import DataOptions
from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.finetune import ExamplesOptions, TaskConfig
from paddle_impl.config.finetune_e2e import PairsOptions
from paddle_impl.config.instructions import InstructionOptions
from paddle_impl.config.model import ModelOptions
from paddle_impl.config.optimizer import OptimizerOptions
from paddle_impl.config.options import changed, group, require
from paddle_impl.config.preference import PreferenceOptions
from paddle_impl.config.runtime import RuntimeOptions
from paddle_impl.config.schedule import ScheduleOptions
from paddle_impl.config.training import TrainingOptions
from paddle_impl.config.validation import ValidationOptions

SPLIT = "85,10,5"


@dataclass(frozen=True, kw_only=True)
class DPOConfig(TaskConfig):
    """The groups of every training run, and the preferences. Dropout is 0.

    The number of steps follows from the pairs and --num_epochs_train.
    """

    model: ModelOptions = group(
        ModelOptions, only=("model_type", "model_name_or_path"),
        model_type=changed("gpt2"),
        model_name_or_path=changed(
            None, "the checkpoint directory to start from, such as one of --task sft; --init_from "
            "names it too"))
    checkpoint: CheckpointOptions = group(CheckpointOptions, keep_best=True, keep_checkpoints=1)
    training: TrainingOptions = group(TrainingOptions, only=("skip_nonfinite",))
    optimizer: OptimizerOptions = group(OptimizerOptions, weight_decay=0.01)
    schedule: ScheduleOptions = group(
        ScheduleOptions, scheduler="constant", max_lr=changed(5e-6, aliases=("--lr",)))
    runtime: RuntimeOptions = group(
        RuntimeOptions, device=changed(help="where to train"),
        seed=changed(123, "seed of sample order and adapters"))
    validation: ValidationOptions = group(
        ValidationOptions, only=("eval_freq", "eval_iters", "early_stop", "metric_for_best_model"),
        eval_freq=25, eval_iters=changed(10**9, "batches of an evaluation (default: all)"),
        metric_for_best_model=changed(
            help="the measure that decides for --early_stop and --keep_best, such as loss, "
            "accuracy or margin"))
    parts: DataOptions = group(
        DataOptions, only=("split",), input_dir=None,
        split=changed(SPLIT, "shares of --data for training, test and validation, in the order of "
                      "the file"))
    held_out: PairsOptions = group(
        PairsOptions, only=("valid_data",), train_data="",
        valid_data=changed(None, "held-out pairs, in place of a part of --data, all of which is "
                           "trained on then"))
    examples: ExamplesOptions = group(
        ExamplesOptions, only=("max_seq_length", "per_gpu_train_batch_size", "dev_batch_size",
                               "accumulation_steps", "num_epochs_train"),
        max_seq_length=changed(
            None, "tokens of a prompt and a response together, at most (default: the model's "
            "positions, but no more than 1024)"),
        per_gpu_train_batch_size=changed(
            4, "pairs in one forward pass of one process", aliases=("--train_batch_size",)),
        dev_batch_size=changed(4, aliases=("--valid_batch_size",)),
        accumulation_steps=1, num_epochs_train=1)
    instructions: InstructionOptions = group(
        InstructionOptions, only=("data", "prompt_style", "chat_template", "samples"),
        data=changed(help="pairs with chosen and rejected, and with instruction and input or with "
                     "prompt, in a .json, .jsonl or .parquet file"),
        samples=changed(2, "held-out prompts that are answered at each evaluation, beside the "
                        "answers of the reference"))
    decoding: DecodingOptions = group(
        DecodingOptions, only=("max_dec_len",), decode_strategy="greedy_search",
        max_dec_len=changed(64, "new tokens of a sample, at most"))
    preference: PreferenceOptions = group(PreferenceOptions)

    def __post_init__(self):
        super().__post_init__()
        require(self.held_out.valid_data is None or self.parts.split == SPLIT,
                f"--split {self.parts.split} means nothing with --valid_data: all of --data is "
                "trained on")
        require(self.preference.response_mask == "answer"
                or self.instructions.prompt_style == "alpaca",
                "--response_mask legacy is for --prompt_style alpaca, not for "
                f"{self.instructions.prompt_style}")

    def of_length(self, steps_per_epoch: int) -> "DPOConfig":
        """The flags with the number of steps."""
        steps = steps_per_epoch * self.examples.num_epochs_train
        return replace(
            self, training=replace(self.training, max_steps=steps),
            validation=replace(self.validation, eval_freq=min(self.validation.eval_freq, steps)))
