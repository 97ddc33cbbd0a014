"""A confusion matrix as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paddle_impl.tracking.curves import new_figure, save_figure

_READABLE = 20  # labels beyond which neither names nor numbers have room


def draw_confusion(path: Path, counts: np.ndarray, labels: Sequence[str], title: str = "") -> None:
    """Draw counts (L, L), of which a row is a class and a column what its texts were taken for.

    The darkness is the share of the row. ValueError for another ending than .png and .svg, and
    without matplotlib; OSError where the file cannot be written.
    """
    size = min(12.0, 3.5 + 0.45 * len(labels))
    figure = new_figure(size + 1.0, size)
    axes = figure.subplots()
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    axes.set_xlabel("predicted label")
    axes.set_ylabel("label")
    axes.set_title(title)
    if len(labels) <= _READABLE:
        names = [label if len(label) <= 20 else f"{label[:19]}…" for label in labels]
        axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 4 else 0)
        axes.set_yticks(range(len(names)), names)
        for (row, column), count in np.ndenumerate(counts):
            axes.text(column, row, f"{count}", ha="center", va="center",
                      color="white" if shares[row, column] > 0.5 else "black")
    save_figure(figure, path)
