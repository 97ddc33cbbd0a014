"""What is known of a file of training records, as lines of text and as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data_tools.cleaning.near_duplicates import INSTALL, MIN_WORDS
from data_tools.inspecting import picture

SHOWN = 20  # records or classes that are named, of more
_RUNS = {"instructions": "SFT", "preferences": "DPO"}
_ANSWER = {"instructions": "with another output", "preferences": "with other answers",
           "labels": "with another label"}


def lines(found: dict, tokenizer: str | None) -> list[str]:
    """For people. found: of training_data.summarize; tokenizer: what counted the tokens."""
    out = [f"{found['file']}: {_counted(found)}"]
    if "classes" in found:
        out += _classes(found["classes"])
    out += _problems(found)
    out += _repeated(found)
    if found["empty"]:
        out.append("empty: " + ", ".join(f"{field} {n:,}" for field, n in found["empty"].items()))
    if "longer_answer" in found:
        longer = found["longer_answer"]
        out.append(f"the chosen answer is longer in {longer['chosen']:,} pairs, the rejected one "
                   f"in {longer['rejected']:,} (in characters)")
    out += _table("characters", found["lengths"])
    if found["longer"]:
        out += _table("tokens", found["lengths"])
        longer = found["longer"]
        out.append(f"by {tokenizer}; a run of {longer['seq_length']:,} tokens (--seq_length) cuts "
                   f"{longer['records']:,} records")
    return out


def _counted(found: dict) -> str:
    return ", ".join(f"{count:,} {kind}" + ("" if count == 1 else "s")
                     for kind, count in found["kinds"].items())


def _repeated(found: dict) -> list[str]:
    which = found["duplicates"]
    prompt = "text" if found["kind"] == "labels" else "prompt"
    near = _named(which["near"]) if which["near"] is not None else (
        f"not looked for, which needs the package rensa: {INSTALL}")
    return ["records that repeat an earlier one, by their index counted from 0:",
            f"  all of it: {_named(which['equal'])}",
            f"  its {prompt}, {_ANSWER[found['kind']]}: {_named(which['other_answer'])}",
            f"  nearly all of it, of {MIN_WORDS} words or more: {near}"]


def _problems(found: dict) -> list[str]:
    out = []
    if found["kind"] in _RUNS:
        left_out = found["left_out"]
        total = sum(map(len, left_out.values()))
        out.append(f"{_RUNS[found['kind']]} leaves out {total:,}"
                   + (", by their index counted from 0:" if total else ""))
        out += [f"  {reason}: {_named(which)}" for reason, which in left_out.items()]
    if found["refused"]:
        out.append(f"a run refuses the file for {len(found['refused']):,} more records:")
        out += [f"  {told}" for told in _begin(found["refused"])]
    return out


def _classes(counts: dict[str, int]) -> list[str]:
    total, rarest = sum(counts.values()), min(counts.values())
    shares = [f"{name} {count:,} ({count / total:.1%})" for name, count in counts.items()]
    return [f"{len(counts):,} classes: " + ", ".join(_begin(shares)),
            f"with as many texts of each class as of the rarest, {rarest:,}, "
            f"{rarest * len(counts):,} are left"]


def _named(indices: list[int]) -> str:
    return f"{len(indices):,}" + (
        f", index {', '.join(_begin(list(map(str, indices))))}" if indices else "")


def _begin(items: list[str]) -> list[str]:
    more = len(items) - SHOWN
    return items[:SHOWN] + ([f"and {more:,} more"] if more > 0 else [])


def _table(unit: str, lengths: dict[str, dict]) -> list[str]:
    """A row for each field, a column for each quantile."""
    rows = [[unit, *next(iter(lengths.values()))[unit]]]
    for field, of in lengths.items():
        mean, *rest = of[unit].values()
        rows.append([f"  {field}", f"{mean:,.1f}", *(f"{value:,}" for value in rest)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]),
                       *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
            for row in rows]


def plot(found: dict, sizes: dict[str, dict], path: Path) -> None:
    """Histograms of the fields' lengths, in tokens where they were counted, and bars of classes.

    found: of training_data.summarize. sizes: of training_data.lengths.
    """
    unit = "tokens" if found["longer"] else "characters"
    drawn = {field: of[unit] for field, of in sizes.items() if of[unit].any()}
    classes = dict(list(found.get("classes", {}).items())[:SHOWN])
    panels = len(drawn) + bool(classes)
    figure = picture.new_figure(4 * panels, 4)
    every = figure.subplots(1, panels, squeeze=False)[0]
    for (field, of), axes in zip(drawn.items(), every, strict=False):
        axes.set_title(f"{field}: {picture.draw_lengths(axes, of)}", fontsize=10)
        axes.set_xlabel(unit)
    if classes:
        axes, places = every[-1], np.arange(len(classes))
        axes.barh(places, list(classes.values()), color=picture.BLUE)
        axes.set_yticks(places, list(classes))
        axes.invert_yaxis()
        more = len(found["classes"]) - len(classes)
        axes.set_title(f"{len(found['classes']):,} classes"
                       + (f", without the last {more:,}" if more else ""), fontsize=10)
        axes.set_xlabel("texts")
    figure.suptitle(f"{Path(found['file']).name}: {_counted(found)}")
    picture.save(figure, path)
