"""Small preference data, and what runs on them write."""

import json
import shutil
from itertools import product
from pathlib import Path

from paddle_impl import checkpoint

THINGS, KINDS = ("cat", "dog", "sun", "moon", "tree", "fish"), ("red", "blue", "new", "big")
# Polite and rude answers, of different lengths. The fourth pair is a tie, the sixth has no answer.
ROWS = [{"instruction": f"Describe the {thing}.", "input": kind if kind != "new" else "",
         "chosen": f"The {thing} is {kind}, thank you.",
         "rejected": f"The {thing} is {kind}, now go away and leave me."}
        for kind, thing in product(KINDS, THINGS)]
ROWS[3]["rejected"] = ROWS[3]["chosen"]
ROWS[5]["chosen"] = " "
TRAIN, TEST = 16, 4  # of 24, by --split 70,20,10; 14 are trained on
EPOCHS = 4
STEPS = EPOCHS * 4
BETA = 0.5


def records(run: Path, key: str) -> list[dict]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if key in (record := json.loads(line))]


def events(run: Path, kind: str) -> list[str]:
    return [record["message"] for record in records(run, "event") if record["event"] == kind]


def weights(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes()
            for path in run.glob("model_*/*model.safetensors")}


def without_later_steps(run: Path, copy: Path, step: int = 4) -> Path:
    """A copy of the run as a kill after that step would have left it."""
    shutil.copytree(run, copy)
    for at, path in checkpoint.checkpoints(copy).items():
        if at > step:
            shutil.rmtree(path)
    return copy


def assert_same(run: Path, other: Path) -> None:
    assert weights(run) == weights(other) and len(weights(run)) == STEPS // 4
    for key in ("loss", "margin", "valid_margin", "valid_accuracy", "completions"):
        assert [r[key] for r in records(run, key)][-4:] == [
            r[key] for r in records(other, key)][-4:], key
