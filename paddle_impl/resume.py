"""Where a run starts: from which files, after which step, and whether that is the same run."""

from pathlib import Path

from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState
from paddle_impl.config.model import named_model
from paddle_impl.config.options import require
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.tracking import METRICS


def find_source(config: PretrainConfig) -> Path | None:
    """The checkpoint directory to start from, or None to initialise a named model."""
    name = config.model_name_or_path
    if config.resume and (found := checkpoint.newest(Path(config.output_dir))):
        return found
    if Path(name).is_dir():
        return Path(name)
    chinese = named_model(name).vocab_size == named_model("gpt-cpm-large-cn").vocab_size
    require(chinese == (config.model_type == "gpt2-cn"),
            f"--model_type {config.model_type} does not go with the model {name}")
    return None


def check_output(config: PretrainConfig, source: Path | None) -> None:
    """ValueError where output_dir holds another run, or no step is left to take."""
    state = checkpoint.load_state(source) if source else None
    step = state.step if state else 0
    output_dir = Path(config.output_dir)
    own = checkpoint.checkpoints(output_dir)
    continues = config.resume or (
        source is not None and source.resolve() in {path.resolve() for path in own.values()}
    )
    require(continues or not (own or (output_dir / METRICS).exists()),
            f"--output_dir {output_dir} holds another run; continue it with --resume or name an "
            "empty one")
    require(max(own, default=0) <= step,
            f"{own.get(max(own, default=0))} is later than step {step} of {source}; continue with "
            "--resume or name another --output_dir")
    require(step < config.max_steps,
            f"{source} is at step {step} already; --max_steps is {config.max_steps}")


def start_step(
    config: PretrainConfig, source: Path | None, now: TrainingState
) -> tuple[int, list[str]]:
    """(the step to continue after, warnings); ValueError where it would not be the same run.

    `now` is this run's state, of which only the identity of its data and batches counts.
    """
    state = checkpoint.load_state(source) if source else None
    if state is None:
        return 0, []
    for what in ("seed", "global_batch_size", "order_key", "tokenizer"):
        was, is_ = getattr(state, what), getattr(now, what)
        require(was == is_,
                f"{source} was trained with another {what.replace('_', ' ')}: {was} there, {is_} "
                "now; to train its weights on something else, copy the directory without "
                "training_state.json")
    if state.sample_order == now.sample_order:
        return state.step, []
    return state.step, [
        f"--max_steps {config.max_steps} asks for more epochs than {source} did, which shuffles "
        "anew: some samples it has seen come again, others later"
    ]
