"""A summary of a token file: as a dict, as lines of text, and as a picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from data_tools.token_files.token_file import TokenFile

PERCENTS = (1, 5, 25, 50, 75, 95, 99)
BAR = 40  # characters of the longest bar
FROM_META = (
    "utf8_bytes", "tokenizer", "tokenizer_fingerprint", "vocab_size", "eos_token_id",
    "append_eos", "made_by",
)  # fmt: skip


def summarize(data: TokenFile) -> dict:
    """Counts, lengths and origin; None for what stands in a meta file only, where there is none.

    lengths: tokens per document, {"mean", "min", "p1" .. "p99", "max"}, percentiles being
    lengths that occur. histogram: [shortest, longest, documents], each range twice as wide as
    the one before.
    """
    sizes, meta = np.diff(data.document_offsets), data.meta or {}
    tokens, text_bytes = len(data.ids), meta.get("utf8_bytes")
    return {
        "prefix": data.prefix,
        "documents": len(data),
        "sentences": len(data.lens),
        "tokens": tokens,
        "dtype": data.ids.dtype.name,
        "bytes_per_token": text_bytes / tokens if text_bytes is not None and tokens else None,
        **{key: meta.get(key) for key in FROM_META},
        "lengths": _lengths(sizes),
        "histogram": _histogram(sizes),
    }


def _lengths(sizes: np.ndarray) -> dict[str, float]:
    if not len(sizes):
        return {}
    points = np.percentile(sizes, (0, *PERCENTS, 100), method="lower")
    names = ("min", *(f"p{percent}" for percent in PERCENTS), "max")
    return {"mean": float(sizes.mean())} | dict(zip(names, map(int, points), strict=True))


def _histogram(sizes: np.ndarray) -> list[list[int]]:
    """Ranges 0, 1, 2-3, 4-7, ...: from the first that has documents to the last."""
    # The number of binary digits; frexp is exact, a logarithm of 2^n - 1 is not.
    counts = np.bincount(np.frexp(sizes.astype(np.float64))[1]) if len(sizes) else []
    rows = [[1 << k >> 1, (1 << k) - 1, int(count)] for k, count in enumerate(counts)]
    filled = [i for i, row in enumerate(rows) if row[2]]
    return rows[filled[0] : filled[-1] + 1] if filled else []


def lines(summary: dict) -> list[str]:
    """The summary for people."""
    tokens, documents = summary["tokens"], summary["documents"]
    out = [
        f"{summary['prefix']}: {documents:,} documents, {summary['sentences']:,} sentences, "
        f"{tokens:,} tokens ({summary['dtype']})"
    ]
    if summary["utf8_bytes"] is not None:
        per_token = summary["bytes_per_token"]
        out.append(
            f"text: {summary['utf8_bytes']:,} bytes"
            + (f", {per_token:.3f} bytes per token" if per_token else "")
        )
    if summary["vocab_size"] is None:
        out.append("made by another program: no meta file tells the tokenizer or the end token")
    else:
        out.append(_tokenizer_line(summary))
    if summary["made_by"] is not None:
        out.append(f"made by: {summary['made_by']}")
    if documents:
        lengths = summary["lengths"]
        out.append(f"tokens per document: mean {lengths['mean']:,.1f}")
        out.append("  " + "  ".join(f"{k} {v:,}" for k, v in lengths.items() if k != "mean"))
        out += _bars(summary["histogram"])
    return out


def _tokenizer_line(summary: dict) -> str:
    name, fingerprint = summary["tokenizer"], summary["tokenizer_fingerprint"]
    eos, ends = summary["eos_token_id"], summary["append_eos"]
    where = {True: "after each document", False: "not appended to documents"}.get(ends, "unused")
    return (
        f"tokenizer: {name or 'not stored'}, vocabulary {summary['vocab_size']:,}"
        + (f", fingerprint {fingerprint[:12]}" if fingerprint else "")
        + (f", end token {eos} {where}" if eos is not None else ", no end token")
    )


def _bars(histogram: list[list[int]]) -> list[str]:
    most = max(count for _, _, count in histogram)
    names = [f"{low:,}" if low == high else f"{low:,}-{high:,}" for low, high, _ in histogram]
    wide, digits = max(map(len, names)), len(f"{most:,}")
    out = []
    for name, (_, _, count) in zip(names, histogram, strict=True):
        # Rounded up: what is there can be seen.
        bar = "#" * -(-count * BAR // most)
        out.append(f"  {name:>{wide}}  {count:>{digits},}  {bar}".rstrip())
    return out


def plot_lengths(data: TokenFile, path: Path) -> None:
    """A histogram of tokens per document, as .png or .svg; empty documents are named, not drawn."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ValueError("--plot needs matplotlib: pip install matplotlib") from None
    sizes = np.diff(data.document_offsets)
    drawn = sizes[sizes > 0]
    if not len(drawn):
        raise ValueError(f"{data.prefix} has no documents with tokens to plot")
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen
    axes = figure.add_subplot()
    axes.hist(drawn, bins=np.geomspace(0.9, drawn.max() * 1.1, 61), color="#4c72b0")
    axes.set_xscale("log")
    axes.axvline(float(np.median(drawn)), color="#c44e52", linewidth=1)
    axes.set_xlabel("tokens per document")
    axes.set_ylabel("documents")
    empty = len(sizes) - len(drawn)
    axes.set_title(
        f"{Path(data.prefix).name}: {len(data):,} documents, {len(data.ids):,} tokens, "
        f"median {int(np.median(drawn)):,}" + (f", {empty:,} empty" if empty else "")
    )
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix[1:].lower(), dpi=120)
    path.write_bytes(picture.getvalue())
