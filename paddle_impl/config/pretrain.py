"""Flags of run_pretrain.py: PaddleNLP's names and defaults, unless the help says otherwise."""

from dataclasses import dataclass

from paddle_impl.config.checkpoint import CheckpointOptions
from paddle_impl.config.data import DataOptions
from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.model import ModelOptions
from paddle_impl.config.optimizer import OptimizerOptions
from paddle_impl.config.options import Options, changed, group, require
from paddle_impl.config.parallel import ParallelOptions
from paddle_impl.config.precision import PrecisionOptions
from paddle_impl.config.runtime import RuntimeOptions
from paddle_impl.config.schedule import ScheduleOptions
from paddle_impl.config.tracking import TrackingOptions
from paddle_impl.config.training import TrainingOptions
from paddle_impl.config.validation import ValidationOptions


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(Options):
    """ValueError, which names the flag, for what makes no sense or is not built."""

    model: ModelOptions = group(
        ModelOptions,
        model_name_or_path=changed(help="a registry name (trains from scratch) or a checkpoint "
                                   "directory (continues from it)"),
        vocab_file=changed(help="vocab.json of the data's tokenizer (else X_tokenizer/)"),
    )
    data: DataOptions = group(DataOptions)
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
    decoding: DecodingOptions = group(
        DecodingOptions, only=("decode_strategy", "top_k", "top_p", "temperature", "max_dec_len"),
        decode_strategy=changed(help="with --test_file: how tokens are chosen",
                                choices=("sampling", "greedy_search")),
        top_k=changed(help="with --test_file: sample among the k likeliest (0: all)"),
        top_p=changed(help="with --test_file: sample among the likeliest that sum up to p"),
        temperature=changed(help="with --test_file: divides the logits before sampling"),
        max_dec_len=changed(32, "with --test_file: new tokens of a completion at most"),
    )
    tracking: TrackingOptions = group(TrackingOptions)

    def __post_init__(self):
        validation, decoding = self.validation, self.decoding
        require(not self.precision.use_amp or self.runtime.device != "cpu",
                "--use_amp on --device cpu: Paddle has no half precision kernels for a CPU and "
                "would compute in float32 without a word; leave it out")
        require(validation.early_stop == 0 or validation.eval_freq <= self.training.max_steps,
                f"--early_stop needs evaluations: --eval_freq {validation.eval_freq} is above "
                f"--max_steps {self.training.max_steps}")
        for name in self.given():
            require(validation.test_file is not None or not hasattr(decoding, name),
                    f"--{name} {self.flat()[name]} means nothing without --test_file")
