"""Pictures of lengths, drawn by matplotlib without a screen."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from data_tools.token_files.token_file import TokenFile

BLUE, RED = "#4c72b0", "#c44e52"


def new_figure(width: float = 8, height: float = 4.5):
    """An empty figure of that many inches; ValueError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ValueError("--plot needs matplotlib: pip install matplotlib") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen
    return figure


def save(figure, path: Path) -> None:
    """Write a .png or .svg, as the path's ending says."""
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix[1:].lower(), dpi=120)
    path.write_bytes(picture.getvalue())


def draw_lengths(axes, sizes: np.ndarray) -> str:
    """A histogram of lengths above 0, with their median as a line; for a title, the median and how
    many are empty. There is one above 0.
    """
    drawn = sizes[sizes > 0]
    middle = float(np.median(drawn))
    # The edges lie between whole numbers: narrower bins would be empty by turns.
    edges = np.unique(np.geomspace(1, int(drawn.max()) + 1, 61).round()) - 0.5
    axes.hist(drawn, bins=edges, color=BLUE)
    axes.set_xscale("log")
    axes.axvline(middle, color=RED, linewidth=1)
    empty = len(sizes) - len(drawn)
    return f"median {int(middle):,}" + (f", {empty:,} empty" if empty else "")


def plot_documents(data: TokenFile, path: Path) -> None:
    """A histogram of tokens per document; empty documents are named, not drawn."""
    sizes = np.diff(data.document_offsets)
    if not (sizes > 0).any():
        raise ValueError(f"{data.prefix} has no documents with tokens to plot")
    figure = new_figure()
    axes = figure.add_subplot()
    told = draw_lengths(axes, sizes)
    axes.set_xlabel("tokens per document")
    axes.set_ylabel("documents")
    axes.set_title(f"{Path(data.prefix).name}: {len(data):,} documents, {len(data.ids):,} tokens, "
                   f"{told}")
    save(figure, path)
