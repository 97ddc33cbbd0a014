"""Cutting Chinese text into words: by jieba or LAC, both optional, or where the text says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

SEGMENTERS = ("jieba", "lac")

Cut = Callable[[str], Iterable[str]]


def checked_segmentation(
    segmenter: str | None, presplit: str | None
) -> tuple[str | None, str | None]:
    """(segmenter, presplit), one of them None; ValueError for what cannot be meant."""
    if presplit is None:
        segmenter = segmenter or "jieba"
    elif segmenter is not None:
        raise ValueError(f"text cut into words already, at {presplit!r}, needs no {segmenter}")
    elif not presplit:
        raise ValueError("what stands between two words cannot be empty")
    if segmenter not in (None, *SEGMENTERS):
        raise ValueError(f"{segmenter!r} is not known to cut words: {' and '.join(SEGMENTERS)} are")
    return segmenter, presplit


def words_by(segmenter: str | None, presplit: str | None) -> Cut:
    """A function that cuts a text; ValueError where the package it needs is not installed."""
    if segmenter is None:
        return lambda text: text.split(presplit)
    return _jieba() if segmenter == "jieba" else _lac()


def segmenter_version(segmenter: str | None) -> str | None:
    """ "jieba 0.42.1", or None for none."""
    from importlib.metadata import version

    package = {None: None, "jieba": "jieba", "lac": "LAC"}[segmenter]
    return package and f"{segmenter} {version(package)}"


def _jieba() -> Cut:
    try:
        import jieba
    except ImportError:
        raise ValueError("Chinese text is cut into words by jieba: pip install jieba") from None
    jieba.setLogLevel("WARNING")  # it tells of its dictionary
    jieba.initialize()
    return jieba.cut


def _lac() -> Cut:
    try:
        from LAC import LAC
    except ImportError:
        raise ValueError("the segmenter lac is the package LAC: pip install LAC") from None
    lac = LAC(mode="lac")
    return lambda text: lac.run(text)[0]  # (words, their kinds)


def read_segmentation(file: Path) -> dict | None:
    """segmenter and presplit of a segmentation.json; None where there is none."""
    if not file.exists():
        return None
    try:
        settings = json.loads(file.read_bytes())
        return {name: settings[name] for name in ("segmenter", "presplit")}
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{file} does not say how text is cut: expected segmenter and presplit"
        ) from None
