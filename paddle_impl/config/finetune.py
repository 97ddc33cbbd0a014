"""Flags of run_finetune.py, under the names that auto_coding gave them where it has them."""

import math
from dataclasses import dataclass, replace

from paddle_impl.config.checkpoint import CheckpointOptions
from paddle_impl.config.lora import LoraOptions
from paddle_impl.config.model import ModelOptions
from paddle_impl.config.optimizer import OptimizerOptions
from paddle_impl.config.options import Options, changed, flag, group, require, require_at_least_one
from paddle_impl.config.precision import PrecisionOptions
from paddle_impl.config.run import RunConfig
from paddle_impl.config.runtime import RuntimeOptions
from paddle_impl.config.schedule import SCHEDULERS, ScheduleOptions
from paddle_impl.config.training import TrainingOptions
from paddle_impl.config.validation import ValidationOptions

TASKS = ("classify", "completion", "dpo", "e2e", "sft")
WARMUP_RATIO = 0.2


@dataclass(frozen=True, kw_only=True)
class ExamplesOptions(Options):
    """Flags of the examples that a run is fine-tuned on."""

    dataset_name: str = flag(
        "source_code", "folder with json/train.jsonl and json/dev.jsonl, as "
        "data_tools.create_completion_data writes it; a name is one in ./dataset")
    max_seq_length: int = flag(256, "tokens of an example at most, control tokens included")
    per_gpu_train_batch_size: int = flag(
        8, "examples in one forward pass of one process",
        aliases=("--per_device_train_batch_size",))
    dev_batch_size: int = flag(8, "examples in one forward pass of an evaluation")
    accumulation_steps: int = flag(4, "forward passes of an optimizer step; the last of an epoch "
                                   "has what is left")
    num_epochs_train: int = flag(
        4, "times that each example is seen", aliases=("--num_train_epochs",))

    def __post_init__(self):
        require_at_least_one(self, "max_seq_length", "per_gpu_train_batch_size", "dev_batch_size",
                             "accumulation_steps", "num_epochs_train")


@dataclass(frozen=True, kw_only=True)
class ProcessOptions(Options):
    """Flags of the processes that the command starts by itself."""

    n_gpu: int = flag(1, "processes, one a card; more than one are started by "
                      "paddle.distributed.launch")
    visible_device: str | None = flag(
        None, "numbers of the cards, as for CUDA_VISIBLE_DEVICES", aliases=("--visiable_device",))

    def __post_init__(self):
        require_at_least_one(self, "n_gpu")


@dataclass(frozen=True, kw_only=True)
class WandbOptions(Options):
    """Flags of Weights & Biases."""

    with_wandb: bool = flag(False, "report to W&B too, as --report_to wandb does")
    wandb_project_name: str = flag("code_generate", "with --with_wandb: its project")
    wandb_run_name: str = flag("default_run", "with --with_wandb: the name of the run")


@dataclass(frozen=True, kw_only=True)
class TaskConfig(RunConfig):
    """The groups of every training run, and what the command does by itself."""

    task: str = flag("completion", "what is learned; each task has flags of its own, see "
                     "--task TASK --help", choices=TASKS)
    lora: LoraOptions = group(LoraOptions)
    processes: ProcessOptions = group(ProcessOptions)
    wandb: WandbOptions = group(WandbOptions)

    def __post_init__(self):
        super().__post_init__()
        for name in self.wandb.given():
            require(self.wandb.with_wandb, f"--{name} means nothing without --with_wandb")
        own = {one.name for one in self.lora.flags()}
        for name in self.given():  # beside the defaults of the task
            require(self.lora.lora_dim > 0 or name not in own,
                    f"--{name} means nothing without --lora_dim")

    def reported_to(self) -> str:
        """--report_to, with wandb where --with_wandb asks for it."""
        named = self.tracking.report_to
        if not self.wandb.with_wandb or "wandb" in named.split(","):
            return named
        return "wandb" if named == "none" else f"{named},wandb"


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(TaskConfig):
    """Flags of code completion.

    The number of steps follows from the examples and --num_epochs_train.
    """

    model: ModelOptions = group(
        ModelOptions, only=("model_type", "model_name_or_path"),
        model_type=changed("gpt2"),
        model_name_or_path=changed(
            None, "a checkpoint directory; or a registry name or a config.json without weights, "
            "which trains from scratch, unless --init_from names the weights",
            aliases=("--model_select",)))
    checkpoint: CheckpointOptions = group(
        CheckpointOptions, keep_best=True, keep_checkpoints=1,
        resume=changed(aliases=("--restore_training",)),
        init_from=changed(aliases=("--model_path",)))
    training: TrainingOptions = group(
        TrainingOptions, only=("hidden_dropout_prob", "attention_probs_dropout_prob",
                               "check_accuracy", "skip_nonfinite", "key_tokens", "key_token_alpha"))
    optimizer: OptimizerOptions = group(
        OptimizerOptions, weight_decay=0.01, grad_clip=1.0, adam_epsilon=1e-6)
    schedule: ScheduleOptions = group(
        ScheduleOptions, scheduler="linear", max_lr=changed(3e-4, aliases=("--lr",)),
        warmup_ratio=changed(help="other schedules: warm-up as a share of all steps, rounded up "
                             f"to whole steps (default: {WARMUP_RATIO})"))
    runtime: RuntimeOptions = group(
        RuntimeOptions, seed=changed(122, "seed of weights, sample order and dropout"),
        device=changed(help="where to train"))
    precision: PrecisionOptions = group(
        PrecisionOptions, use_amp=changed(aliases=("--fp16",)),
        amp_level=changed(aliases=("--fp16_opt_level",)))
    validation: ValidationOptions = group(
        ValidationOptions, only=("eval_freq", "early_stop", "metric_for_best_model"),
        eval_iters=10**9, early_stop=20, eval_freq=changed(
            1000, "an evaluation on dev.jsonl every so many optimizer steps",
            aliases=("--evaluation_steps",)))
    examples: ExamplesOptions = group(ExamplesOptions)

    def of_length(self, steps_per_epoch: int) -> "FinetuneConfig":
        """The flags with the number of steps, and the values that follow from it."""
        steps = steps_per_epoch * self.examples.num_epochs_train
        schedule = self.schedule
        takes = SCHEDULERS[schedule.name]
        if "warmup_steps" in takes and schedule.warmup_ratio is schedule.warmup_steps is None:
            schedule = replace(schedule, warmup_steps=math.ceil(WARMUP_RATIO * steps))
        return replace(
            self, schedule=schedule, training=replace(self.training, max_steps=steps),
            validation=replace(self.validation, eval_freq=min(self.validation.eval_freq, steps)))
