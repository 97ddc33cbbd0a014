"""The groups of flags that every training command has, whatever it trains on."""

from dataclasses import dataclass

from paddle_impl.config.architecture import ArchitectureOptions
from paddle_impl.config.checkpoint import CheckpointOptions
from paddle_impl.config.model import ModelOptions
from paddle_impl.config.optimizer import ADAMW, OptimizerOptions
from paddle_impl.config.options import Options, changed, group, require
from paddle_impl.config.parallel import ParallelOptions
from paddle_impl.config.precision import PrecisionOptions
from paddle_impl.config.runtime import RuntimeOptions
from paddle_impl.config.schedule import ScheduleOptions
from paddle_impl.config.tracking import TrackingOptions
from paddle_impl.config.training import TrainingOptions
from paddle_impl.config.validation import ValidationOptions


@dataclass(frozen=True, kw_only=True)
class RunConfig(Options):
    """The flags that training/run.py reads. A command adds the groups of its task.

    ValueError, which names the flag, for values that are not valid together or not built.
    """

    model: ModelOptions = group(
        ModelOptions,
        model_name_or_path=changed(None, help="a registry name or a config.json without weights "
                                   "(trains from scratch), or a checkpoint directory (continues "
                                   "from it); not needed with --init_from"),
        vocab_file=changed(help="vocab.json of the data's tokenizer (else X_tokenizer/)"),
    )
    architecture: ArchitectureOptions = group(ArchitectureOptions)
    checkpoint: CheckpointOptions = group(CheckpointOptions)
    training: TrainingOptions = group(TrainingOptions)
    optimizer: OptimizerOptions = group(OptimizerOptions)
    schedule: ScheduleOptions = group(ScheduleOptions)
    runtime: RuntimeOptions = group(
        RuntimeOptions, seed=changed(1234, "seed of weights, sample order and dropout"),
        device=changed(help="where to train"),
    )
    parallel: ParallelOptions = group(ParallelOptions)
    precision: PrecisionOptions = group(PrecisionOptions)
    validation: ValidationOptions = group(ValidationOptions)
    tracking: TrackingOptions = group(TrackingOptions)

    def __post_init__(self):
        self.schedule.check_given(self.given())
        validation = self.validation
        name, init_from = self.model.model_name_or_path, self.checkpoint.init_from
        require(name is not None or init_from is not None,
                "--model_name_or_path is required: a registry name or a checkpoint directory; or "
                "--init_from, to start from the weights of one")
        require(self.optimizer.optimizer == ADAMW or self.parallel.mp_degree == 1,
                f"--optimizer {self.optimizer.optimizer} is not built for --mp_degree "
                f"{self.parallel.mp_degree}: leave one of them out")
        require(not self.precision.use_amp or self.runtime.device != "cpu",
                "--use_amp on --device cpu: Paddle has no half precision kernels for a CPU and "
                "would silently compute in float32; leave it out")
        require(validation.early_stop == 0 or validation.eval_freq <= self.training.max_steps,
                f"--early_stop needs evaluations: --eval_freq {validation.eval_freq} is above "
                f"--max_steps {self.training.max_steps}")
