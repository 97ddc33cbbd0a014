"""Bugs planted in the running code: each must fail at its own rung and at no earlier one.

These are a few of the bugs that `python -m parity mutants` plants.
"""

import pytest

from parity import cases, ladder
from parity.compare import first_divergence
from parity.mutants.plant import planted
from parity.mutants.run import EXACT, first_failure
from parity.mutants.tables import MUTANTS

CASE = "std_0.2"

# mutant: the rungs to climb; the last one breaks
CANARIES = {
    "first merge taken for the version line": ["tokenizer"],
    "last epoch left in order": ["order"],
    "square projection transposed on the way in": ["weights"],
    "erf GELU": ["weights", "hidden"],
    "mean over masked labels too": ["hidden", "loss"],
    "head detached from the embedding": ["logits", "loss", "gradients"],
    "clip without 1e-6": ["gradients", "clip"],
    "same masks for every micro batch": ["dropout", "draws"],
    "warm-up starts at zero": ["schedule"],
    "top-p left in sorted order": ["filters"],
    "accumulation undivided": ["clip", "training"],
    "config.json asks for erf GELU": ["weights", "files"],
    "another folder taken for a checkpoint": ["files", "newest"],
    "index files of a blend by other weights": ["order"],
    "no decay steps taken literally": ["schedule", "rates"],
    "bits per token": ["metrics"],
    "bfloat16 without its last bit": ["weights", "forms"],
    "served: draws of the first prompt": ["answers"],
    "exported: no mask": ["batches"],
}
CONTROLS = {
    "unmutated code": [*{rung: None for rungs in CANARIES.values() for rung in rungs}],
    "mask of -1e4": ["hidden", "gradients"],
    "AdamW by hand": ["training"],
}
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


@pytest.mark.parametrize("name", CANARIES)
def test_a_planted_bug_breaks_its_rung(name):
    rungs = CANARIES[name]
    with planted(BY_NAME[name]):
        broken = first_failure(rungs, CASE, EXACT)
    assert broken is not None, "nobody noticed"
    assert broken["rung"] == rungs[-1]
    assert broken["gate"] in EXACT
    assert broken["first"].startswith(f"{rungs[-1]}: step ")


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_breaks_none(name):
    assert BY_NAME[name].equivalent
    with planted(BY_NAME[name]):
        assert first_failure(CONTROLS[name], CASE, "DZAB") is None


def test_an_exception_is_a_divergence():
    with planted(BY_NAME["windows end a token early"]):  # which the copying code notices
        (_, results), *_ = ladder.climb(["order"], [cases.case(CASE)])
    assert "raised ValueError" in first_divergence(results)[0].note
