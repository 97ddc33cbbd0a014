"""Draw the README's picture: a run's loss, and the errors of Paddle's and torch's gradients.

    python scripts/bench/picture.py output/metrics.jsonl parity_report/report.json OUT.png

The first file is what `bash scripts/run.sh` wrote, the second what `python -m parity` wrote.
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from paddle_impl.tracking.curves import read_curves  # noqa: E402

BLUE, ORANGE, GREY = "#2563eb", "#ea580c", "#94a3b8"
PROG = "picture.py"


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    if len(words) != 3:
        print(f"usage: {PROG} METRICS.jsonl REPORT.json OUT.png", file=sys.stderr)
        return 2
    try:
        losses = read_losses(Path(words[0]))
        errors = read_errors(Path(words[1]))
    except (ValueError, OSError) as error:
        print(f"{PROG}: error: {error}", file=sys.stderr)
        return 2
    draw(*losses, errors, words[2])
    return 0


def read_losses(path: Path) -> tuple[list, list]:
    """(step, loss) of the training steps and of the evaluations; a resumed step counts once."""
    curves = read_curves(path)
    if "loss" not in curves:
        raise ValueError(f"{path} has no training step")
    return [*curves["loss"].items()], [*curves.get("valid_loss", {}).items()]


def read_errors(path: Path) -> list[tuple[float, float]]:
    """(torch's, Paddle's) rms error in eps of every float32 gradient, against float64."""
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    found = [(float(one["torch_error_eps"]), float(one["paddle_error_eps"])) for one in results
             if (one["rung"], one["gate"], one["phase"]) == ("gradients", "B", "gradient")]
    if not found:
        raise ValueError(f"{path} has no gradients: run python -m parity with that rung")
    return found


def draw(train: list, valid: list, errors: list[tuple[float, float]], out: str) -> None:
    """Two panels, written to `out`."""
    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9.6, 3.6), dpi=110)
    left.plot(*zip(*train, strict=True), color=GREY, linewidth=1, label="training, one step")
    if valid:
        step, loss = valid[-1]
        left.plot(*zip(*valid, strict=True), "o-", color=BLUE,
                  label=f"held-out files: {loss:.2f} at step {step:,}")
    left.set(xlabel="step", ylabel="loss, nats a token",
             title=f"{train[-1][0]:,} steps of training")
    left.legend(frameon=False)
    ends = min(map(min, errors)) / 1.3, max(map(max, errors)) * 1.3
    right.plot(ends, ends, color=GREY, linewidth=1, label="equal errors")
    right.plot(ends, [3 * end for end in ends], color=ORANGE, linewidth=1, linestyle="--",
               label="allowed: 3 x torch's")
    right.scatter(*zip(*errors, strict=True), s=12, color=BLUE,
                  label=f"one of {len(errors)} gradient tensors")
    right.set(xscale="log", yscale="log", xlim=ends, ylim=(ends[0], 3 * ends[1]),
              xlabel="torch's float32 error, eps", ylabel="Paddle's float32 error, eps",
              title="The same gradients in both frameworks")
    for axis in (right.xaxis, right.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_locator(NullLocator())
    right.legend(frameon=False, loc="lower right")
    figure.tight_layout()
    figure.savefig(out)


if __name__ == "__main__":
    sys.exit(main())
