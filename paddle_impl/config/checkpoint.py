"""Flags of a run's directory: which checkpoints it keeps, and whether the run resumes from it."""

from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require_at_least_one, require_not_negative


@dataclass(frozen=True, kw_only=True)
class CheckpointOptions(Options):
    output_dir: str = flag(help="where checkpoints and logs go; refused if it holds another run")
    resume: bool = flag(False, "continue from the newest complete checkpoint of output_dir")
    init_from: str | None = flag(
        None, "a checkpoint directory: a new run starts from its weights, at step 1 and with a new "
        "optimizer, on any data; with --resume only while output_dir has no checkpoint")
    allow_other_tokenizer: bool = flag(
        False, "start from weights that were trained with another tokenizer than the data's")
    save_steps: int = flag(500, "a checkpoint every so many steps, and one at the end")
    keep_checkpoints: int = flag(0, "newest checkpoints to keep, older ones are removed (0: all)")
    keep_best: bool = flag(False, "keep the checkpoint of the best evaluation too, in the folder "
                           "best of output_dir; see --metric_for_best_model")

    def __post_init__(self):
        require_at_least_one(self, "save_steps")
        require_not_negative(self, "keep_checkpoints")
