"""Flags of run_finetune.py --task e2e: microsoft/LoRA's names and defaults, beside ours."""

from dataclasses import dataclass, replace

from paddle_impl.config.checkpoint import CheckpointOptions
from paddle_impl.config.finetune import TaskConfig
from paddle_impl.config.lora import LoraOptions
from paddle_impl.config.model import ModelOptions
from paddle_impl.config.optimizer import LEGACY, OptimizerOptions
from paddle_impl.config.options import (
    Options,
    changed,
    flag,
    group,
    require,
    require_at_least_one,
    require_below_one,
)
from paddle_impl.config.precision import PrecisionOptions
from paddle_impl.config.runtime import RuntimeOptions
from paddle_impl.config.schedule import ALIASES, CYCLE, IGNORED, SCHEDULERS, ScheduleOptions
from paddle_impl.config.tracking import TrackingOptions
from paddle_impl.config.training import TrainingOptions
from paddle_impl.config.validation import ValidationOptions


@dataclass(frozen=True, kw_only=True)
class PairsOptions(Options):
    """Flags of the pairs that a run is fine-tuned on, and of how they are learned."""

    train_data: str = flag(help="JSON lines with the ids of a context and of its completion each, "
                           "as data_tools.create_e2e_data writes them")
    valid_data: str = flag(help="the same, held out")
    train_batch_size: int = flag(8, "pairs in one forward pass of one process")
    valid_batch_size: int = flag(4, "pairs in one forward pass of an evaluation")
    grad_acc: int = flag(1, "forward passes of an optimizer step")
    seq_len: int = flag(512, "tokens of a pair at most: what is beyond is cut off; pairs are "
                        "padded to the longest of their batch")
    max_epoch: int | None = flag(None, "times that each pair is seen")
    max_step: int | None = flag(
        None, "optimizer steps that the schedule spans; the run ends with them, or before by "
        "--max_epoch (default: all of --max_epoch; with --scheduler cycle the last of --i_steps)")
    label_smooth: float = flag(0.0, "share of the training loss that is the mean over all tokens "
                               "of the vocabulary instead of the label; evaluations have none")
    obj: str = flag("clm", "clm: the completion is learned; jlm: the context too",
                    choices=("clm", "jlm"))
    platform: str = flag("local", "microsoft/LoRA's clusters: only local")

    def __post_init__(self):
        require_at_least_one(self, "train_batch_size", "valid_batch_size", "grad_acc", "max_epoch",
                             "max_step")
        require_below_one(self, "label_smooth")
        require(self.seq_len >= 2, f"--seq_len must be at least 2, got {self.seq_len}")
        require(self.platform == "local", f"--platform {self.platform}: only local is built; "
                "several processes are started by --n_gpu or paddle.distributed.launch")


@dataclass(frozen=True, kw_only=True)
class E2EConfig(TaskConfig):
    """The groups of every training run, and the pairs. Dropout is 0."""

    model: ModelOptions = group(
        ModelOptions, only=("model_type", "model_name_or_path"),
        model_type=changed("gpt2"),
        model_name_or_path=changed(
            None, "a checkpoint directory; or a registry name such as gpt2.md or a config.json "
            "without weights, which trains from scratch, unless --init_from names the weights",
            aliases=("--model_card",)))
    checkpoint: CheckpointOptions = group(
        CheckpointOptions, keep_best=True, keep_checkpoints=1,
        output_dir=changed(aliases=("--work_dir",)),
        init_from=changed(aliases=("--init_checkpoint",)),
        save_steps=changed(500, aliases=("--save_interval",)))
    training: TrainingOptions = group(TrainingOptions, only=("skip_nonfinite",))
    optimizer: OptimizerOptions = group(
        OptimizerOptions, optimizer=LEGACY, weight_decay=0.01, adam_beta2=0.98,
        grad_clip=changed(0.0, aliases=("--clip",)),
        adam_epsilon=changed(1e-6, aliases=("--adam_epislon",)))
    schedule: ScheduleOptions = group(
        ScheduleOptions,
        scheduler=changed("linear", choices=(*SCHEDULERS, *ALIASES, *IGNORED)),
        max_lr=changed(1e-5, aliases=("--lr",)),
        warmup_steps=changed(aliases=("--warmup_step",)))
    runtime: RuntimeOptions = group(
        RuntimeOptions, device=changed(help="where to train"),
        seed=changed(10, "seed of weights, sample order and dropout",
                     aliases=("--random_seed",)))
    precision: PrecisionOptions = group(
        PrecisionOptions, use_amp=changed(aliases=("--fp16",)))
    validation: ValidationOptions = group(
        ValidationOptions, only=("eval_freq", "early_stop", "metric_for_best_model"),
        eval_iters=10**9, eval_freq=changed(
            2000, "an evaluation on --valid_data every so many optimizer steps, and one at the end",
            aliases=("--eval_interval",)))
    tracking: TrackingOptions = group(
        TrackingOptions, logging_freq=changed(100, aliases=("--log_interval",)))
    lora: LoraOptions = group(LoraOptions, lora_alpha=128.0)
    pairs: PairsOptions = group(PairsOptions)

    def __post_init__(self):
        if self.schedule.name == "constant" and self.schedule.warmup_steps:
            # microsoft/LoRA's constant has the warm-up of transformers' constant_with_warmup.
            object.__setattr__(
                self, "schedule", replace(self.schedule, scheduler="constant_with_warmup"))
        super().__post_init__()
        require(self.pairs.max_epoch or self._schedule_limit(),
                "how long to train? Name --max_epoch, or --max_step")

    def of_length(self, steps_per_epoch: int) -> "E2EConfig":
        """The flags with the number of steps."""
        steps = self.schedule_steps(steps_per_epoch)
        if self.pairs.max_epoch is not None:
            steps = min(steps, self.pairs.max_epoch * steps_per_epoch)
        return replace(
            self, training=replace(self.training, max_steps=steps),
            validation=replace(self.validation, eval_freq=min(self.validation.eval_freq, steps)))

    def schedule_steps(self, steps_per_epoch: int) -> int:
        """The optimizer steps that the schedule spans."""
        return self._schedule_limit() or self.pairs.max_epoch * steps_per_epoch

    def _schedule_limit(self) -> int | None:
        """The steps that the flags name themselves; None or 0 where there are none."""
        if self.pairs.max_step is None and self.schedule.name == CYCLE:
            return self.schedule.intervals()[0][-1]
        return self.pairs.max_step
