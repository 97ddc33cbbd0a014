"""Flags of run_evaluation.py."""

from dataclasses import dataclass

from paddle_impl.config.options import flag, require, split_shares


@dataclass(frozen=True)
class EvaluationConfig:
    model_name_or_path: str = flag(help="a checkpoint directory")
    input_dir: str = flag(help="directory with X_ids.npy + X_idx.npz, or one X_ids.npy")
    split: str = flag("949,50,1", "the --split of the training run")
    split_name: str = flag("valid", "which documents to measure", choices=("valid", "test"))
    max_seq_len: int | None = flag(None, "tokens in a window (default: the model's positions)")
    stride: int | None = flag(None, "tokens a window moves on (default: half a window)")
    output_file: str | None = flag(None, "one JSON object with the numbers")
    device: str = flag("gpu", "where to run", choices=("cpu", "gpu", "xpu"))

    def __post_init__(self):
        split_shares(self.split)
        for name in ("max_seq_len", "stride"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"--{name} must be at least 1, got {value}")
