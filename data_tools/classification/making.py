"""A file of texts with labels -> balanced and shuffled splits, as in Raschka's chapter 6."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from pathlib import Path

import numpy as np

from data_tools.classification import balancing
from data_tools.classification.labels import FILE, names_of, to_json
from data_tools.classification.options import ClassificationDataConfig
from data_tools.classification.reading import Columns, Labelled, read_labelled
from data_tools.files import whole_files
from data_tools.preparing.report import say

FILES = ("train.csv", "validation.csv", "test.csv")


def make(config: ClassificationDataConfig) -> None:
    """Write the three tables and labels.json, all or none; say what is in them.

    In the tables a label is the number of its name in labels.json, from 0.
    """
    found = read_labelled(config.input_path, Columns(
        config.text_column, config.label_column, config.header, config.legacy_quoting))
    names = names_of(one.label for one in found)
    if len(names) < 2:
        raise ValueError(f"{config.input_path} has the label {names[0]} only: expected two or more")
    numbers = {name: number for number, name in enumerate(names)}
    classes = [numbers[one.label] for one in found]
    rows = balancing.undersampled(classes, config.seed) if config.balance == "undersample" \
        else np.arange(len(found))
    splits = balancing.parts(balancing.shuffled(rows, config.seed), config.shares)
    folder = Path(config.output_dir)
    os.makedirs(folder, exist_ok=True)
    with whole_files(*(folder / name for name in (*FILES, FILE))) as files:
        for file, part in zip(files, splits, strict=False):
            file.write(_table([found[row] for row in part], numbers))
        files[-1].write(to_json(names))
    say(f"read {len(found):,} texts ({_counted(found)}), kept {len(rows):,}")
    train = {found[row].text for row in splits[0]}
    for name, part in zip(FILES, splits, strict=True):
        own = [found[row] for row in part]
        say(f"{folder / name}: {len(own):,} texts ({_counted(own)})" + (
            "" if name == FILES[0] else f", {sum(one.text in train for one in own):,} of which "
            f"stand in {FILES[0]} too"))


def _table(texts: list[Labelled], numbers: dict[str, int]) -> bytes:
    """The bytes that pandas' to_csv(index=None) writes."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("Label", "Text"))
    writer.writerows((numbers[one.label], one.text) for one in texts)
    return out.getvalue().encode()


def _counted(texts: list[Labelled]) -> str:
    counts = Counter(one.label for one in texts)
    return ", ".join(f"{name} {counts[name]:,}" for name in names_of(counts)) or "none"
