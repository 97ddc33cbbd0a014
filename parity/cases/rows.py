"""Documents of several lengths as rows that are packed, or padded on the left or on the right.

Each document is of the same loss in all of them: that of the document alone.
"""

import numpy as np

from parity.cases import Batch, Case

LENGTHS = (23, 9, 24)
WIDTH = 61  # more than all documents together, so that a packed row has padding too
PAD = 7  # a token like others, so that padding that is seen changes results
LAYOUTS = ("packed", "packed, holes", "left", "right", "positions")


def documents(case: Case) -> list[Batch]:
    """Inputs and labels (n,) of each document; a label in the middle of each does not count."""
    found = []
    for row, length in zip(case.batch["input_ids"], LENGTHS, strict=False):
        labels = np.append(row[1:length], -100)
        labels[length // 2] = -100
        found.append({"input_ids": row[:length], "labels": labels})
    return found


def given_positions(length: int) -> np.ndarray:
    """Positions that nobody would guess, for the layout "positions"."""
    return (5 + 2 * np.arange(length)) % 61


def laid_out(case: Case, layout: str) -> Batch:
    """All documents as a batch; places of the tokens of each are `places`."""
    width = WIDTH if layout.startswith("packed") else 30
    batch = {name: np.full((_rows(layout), width), value, np.int64) for name, value in (
        ("input_ids", PAD), ("labels", -100), ("attention_mask", 0), ("segments", 3),
        ("position_ids", 2))}
    for number, (document, (row, at)) in enumerate(
            zip(documents(case), places(layout, width), strict=True)):
        for name, values in document.items():
            batch[name][row, at] = values
        batch["attention_mask"][row, at] = 1
        batch["segments"][row, at] = number
        batch["position_ids"][row, at] = given_positions(len(at))
    told = {"packed": ["segments"], "packed, holes": ["segments", "attention_mask"],
            "positions": ["attention_mask", "position_ids"]}.get(layout, ["attention_mask"])
    return {name: batch[name] for name in ("input_ids", "labels", *told)}


def places(layout: str, width: int) -> list[tuple[int, np.ndarray]]:
    """The row of each document, and the columns of its tokens."""
    if layout == "packed":
        ends = np.cumsum(LENGTHS)
        return [(0, np.arange(end - length, end))
                for end, length in zip(ends, LENGTHS, strict=True)]
    if layout == "packed, holes":  # every document is followed by padding
        begins = np.cumsum([2, *LENGTHS[:-1]]) + np.arange(len(LENGTHS))
        return [(0, begin + np.arange(length))
                for begin, length in zip(begins, LENGTHS, strict=True)]
    return [(row, np.arange(width - length, width) if layout == "left" else np.arange(length))
            for row, length in enumerate(LENGTHS)]


def _rows(layout: str) -> int:
    # One more: a row of padding alone.
    return 1 if layout.startswith("packed") else len(LENGTHS) + 1
