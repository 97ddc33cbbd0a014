"""A summary of a token file: as a dict, and as lines of text."""

from __future__ import annotations

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

    lengths: quantiles() of the tokens per document. histogram: [shortest, longest, documents],
    each range twice as wide as the one before.
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
        "lengths": quantiles(sizes),
        "histogram": _histogram(sizes),
    }


def quantiles(sizes: np.ndarray) -> dict[str, float]:
    """{"mean", "min", "p1" .. "p99", "max"} of lengths, percentiles being lengths that occur; empty
    where there are none.
    """
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
