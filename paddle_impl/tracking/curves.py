"""The curves of a run, read from its metrics.jsonl, and a picture of one run or of several."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data_tools.files import whole_file
from data_tools.json_fields import check, number, optional, parsed, whole

CURVES = "curves.png"
ENDINGS = ("png", "svg")
Curve = dict[int, float]  # step -> value, the steps ascending
_NUMBER = number()
_RECORD = {"step": whole(), "loss": optional(_NUMBER), "lr": optional(_NUMBER)}


def read_curves(path: Path) -> dict[str, Curve]:
    """The curve of every number in the file by its name, such as loss, lr and valid_loss.

    Where the steps go back, as those of a run that was resumed, the later records count. null,
    which stands for NaN and infinity, is left out, and so is a last line that is not written to its
    end. ValueError, which names the line, for a line that is no record; OSError without the file.
    """
    curves: dict[str, Curve] = {}
    last = 0
    for row, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        if not line.endswith(b"\n"):
            break
        try:
            record = parsed(line)
            check(record, _RECORD, required=["step"])
        except ValueError as error:
            raise ValueError(f"{path}, line {row}: {error}") from None
        step = record.pop("step")
        if step < last:
            curves = {name: {at: value for at, value in curve.items() if at < step}
                      for name, curve in curves.items()}
        last = step
        for name, value in record.items():
            if _NUMBER.holds(value):
                curves.setdefault(name, {})[step] = value
    return {name: curve for name, curve in curves.items() if curve}


def best_of(curve: Curve, greater_is_better: bool = False) -> tuple[int, float]:
    """(step, value) of the best point, the earliest of equal ones."""
    choose = max if greater_is_better else min
    return choose(curve.items(), key=lambda point: point[1])


def draw_runs(
    path: Path, runs: Mapping[str, Mapping[str, Curve]], score: str,
    greater_is_better: bool = False, *, over_tokens: bool = False,
) -> None:
    """Draw the loss, the learning rate and the score of runs, each by its name, side by side.

    score: the name of a curve; its best point is marked. over_tokens: draw the loss over the tokens
    that were trained on too. ValueError for another ending than .png and .svg, and without
    matplotlib; OSError where the file cannot be written.
    """
    figure = new_figure(12.5 + 4 * over_tokens, 4 + 0.25 * (len(runs) > 1) * -(-len(runs) // 3))
    loss_axes, lr_axes, score_axes, *token_axes = figure.subplots(1, 3 + over_tokens)
    for index, (name, curves) in enumerate(runs.items()):
        look = {"color": f"C{index % 10}", "linestyle": ("-", "--", ":", "-.")[index // 10 % 4]}
        train, valid, lr, scores = (curves.get(one, {})
                                    for one in ("loss", "valid_loss", "lr", score))
        loss_axes.plot([*train], [*train.values()], linewidth=1, alpha=0.45, **look)
        loss_axes.plot([*valid], [*valid.values()], marker="o", markersize=3, **look)
        lr_axes.plot([*lr], [*lr.values()], label=name, **look)
        score_axes.plot([*scores], [*scores.values()], marker="o", markersize=3, **look)
        for axes in token_axes:
            tokens = curves.get("tokens", {})
            axes.plot(_at(tokens, train), [*train.values()], linewidth=1, alpha=0.45, **look)
            axes.plot(_at(tokens, valid), [*valid.values()], marker="o", markersize=3, **look)
        if scores:
            step, value = best_of(scores, greater_is_better)
            score_axes.plot([step], [value], marker="*", markersize=13, color=look["color"])
    loss_axes.set_title("loss: training (thin), held out (dots)")
    lr_axes.set_title("learning rate")
    score_axes.set_title(f"{score} (star: best)")
    for axes in (loss_axes, lr_axes, score_axes):
        axes.set_xlabel("step")
        axes.xaxis.get_major_locator().set_params(integer=True)
    for axes in token_axes:
        axes.set_title("loss over the tokens seen")
        axes.set_xlabel("tokens")
    if len(runs) > 1:
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
    save_figure(figure, path)


def _at(tokens: Curve, curve: Curve) -> list[float]:
    """The tokens seen at each step of a curve, between logged steps in proportion."""
    known = tokens or {0: 0}
    return np.interp([*curve], [0, *known], [0, *known.values()]).tolist()


def draw_panels(
    path: Path, runs: Mapping[str, Mapping[str, Curve]], panels: Mapping[str, Sequence[str]]
) -> None:
    """Draw panels side by side, each by its title with curves by their names.

    A curve `x` is drawn thin as it was in training, and with dots as it was held out (`valid_x`).
    Runs, each by its name, differ in colour, the curves of a panel in the kind of line. Errors are
    those of draw_runs.
    """
    figure = new_figure(4.2 * len(panels), 4 + 0.3 * (len(runs) > 1))
    for axes, (title, names) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for index, (run, curves) in enumerate(runs.items()):
            for line, name in zip(("-", "--", ":"), names, strict=False):
                train, valid = curves.get(name, {}), curves.get(f"valid_{name}", {})
                look = {"color": f"C{(index * len(names) + names.index(name)) % 10}",
                        "linestyle": line}
                axes.plot([*train], [*train.values()], linewidth=1, alpha=0.45, **look)
                axes.plot([*valid], [*valid.values()], marker="o", markersize=3,
                          label=": ".join(filter(None, (run, name))), **look)
        axes.set_title(f"{title}: training (thin), held out (dots)", fontsize=9)
        axes.set_xlabel("step")
        axes.xaxis.get_major_locator().set_params(integer=True)
        if axes.get_legend_handles_labels()[1] and (len(names) > 1 or len(runs) > 1):
            axes.legend(frameon=False, fontsize=8)
    save_figure(figure, path)


def new_figure(width: float, height: float):
    """An empty figure of matplotlib, in inches, that needs no screen; ValueError without it."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ValueError("pictures need matplotlib: pip install matplotlib") from None
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def check_ending(path: Path) -> None:
    """ValueError unless the name ends in .png or .svg."""
    if path.suffix[1:].lower() not in ENDINGS:
        raise ValueError(f"{path}: a picture's name ends in .png or .svg")


def save_figure(figure, path: Path) -> None:
    """Write the figure whole or not at all; equal figures give equal bytes in a .png."""
    check_ending(path)
    kind = path.suffix[1:].lower()
    with whole_file(path) as file:
        figure.savefig(file, format=kind,
                       metadata={"Software": None} if kind == "png" else {"Date": None})
