"""What a run does after its last step: the picture of its curves, then the test split."""

from pathlib import Path

from paddle_impl import tracking
from paddle_impl.config.options import require
from paddle_impl.config.run import RunConfig
from paddle_impl.tracking.curves import CURVES, read_curves


def check(config: RunConfig, source: Path, step: int, tests: bool) -> bool:
    """Whether `step`, that of the checkpoint `source`, was the last one of a run without its end.

    Such a run was killed before its test record was written, or, without a test split, before its
    picture. tests: whether it has a test split. ValueError where neither a step nor an end is left.
    """
    max_steps = config.training.max_steps
    own = source.parent.resolve() == Path(config.checkpoint.output_dir).resolve()
    ends = own and step <= max_steps and _is_left(config, step, tests)
    require(step < max_steps or ends,
            f"{source} is at step {step} already; --max_steps is {max_steps}")
    return ends


def _is_left(config: RunConfig, step: int, tests: bool) -> bool:
    output_dir = Path(config.checkpoint.output_dir)
    metrics = output_dir / tracking.METRICS
    if tests and config.validation.eval_iters:
        curves = read_curves(metrics) if metrics.exists() else {}
        return not any(name.startswith("test_") and step in curve for name, curve in curves.items())
    return bool(tracking.check(config.tracking.report_to)) and not (output_dir / CURVES).exists()
