"""A record of the kill table is stale where what it stands on has changed, and only there."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from parity import ladder, tolerances
from parity.mutants import origin
from parity.mutants.definitions import Sources
from parity.mutants.tables import MUTANTS

HIDDEN = {"rung": "hidden", "gate": "A", "first": "hidden: step 0, hidden, transformer.h.0.mlp"}
NOTES = "# A comment.\n"
CODE = "\nADDED = 1\n"


def by_name(name: str):
    return next(mutant for mutant in MUTANTS if mutant.name == name)


GELU, DROPPED = by_name("erf GELU"), by_name("windows share two tokens")


@pytest.fixture
def root(tmp_path) -> Path:
    """A copy of the code that a test may change."""
    for package in ("paddle_impl", "data_tools", "parity"):
        shutil.copytree(origin.HERE.root / package, tmp_path / package,
                        ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    return tmp_path


def table() -> dict:
    """Records of two mutants, of Python and of C++, as if they had been climbed just now."""
    order = {"rung": "order", "gate": "D", "first": "order: step 1, batch, train: rank 0"}
    records = []
    for mutant, found in ((GELU, HIDDEN), (DROPPED, order)):
        record = {"name": mutant.name, "room": mutant.room, "where": mutant.where,
                  "equivalent": False, "killed": {"std_0.02": found, "std_0.2": None},
                  "float32": None}
        code = origin.digest(mutant, record)
        records.append(record | {"commit": "1" * 40, "date": "2026-01-02", "code": code})
    return {"mutants": records}


def stale(root: Path) -> set[str]:
    """Which of the two are stale."""
    return {one.name for one in origin.stale(table(), Sources(root))} & {GELU.name, DROPPED.name}


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_the_records_of_today_are_current_and_the_others_missing(root):
    assert stale(root) == set()
    told = origin.stale(table())
    assert len(told) == len(MUTANTS) - 2
    assert {one.why for one in told} == {"never climbed"}


def test_notes_and_other_code_do_not_count(root):
    for file in ("paddle_impl/model.py", "parity/cases/__init__.py", "parity/compare.py",
                 "parity/torch_side/forward.py"):
        path = root / file
        path.write_text(NOTES + path.read_text().replace('"""', '"""Another docstring. ', 1))
    for file in ("paddle_impl/training/trainer.py", "parity/torch_side/backward.py",
                 "parity/paddle_side/forward.py", "parity/cases/__init__.py",
                 "parity/tolerances/__init__.py", "parity/ladder.py"):
        path = root / file
        path.write_text(path.read_text() + CODE)
    (root / "parity/paddle_side/training.py").unlink()
    assert stale(root) == set()


@pytest.mark.parametrize(("file", "old", "new"), [
    ("paddle_impl/model.py", "import math\n", "import math\nADDED = 1\n"),
    ("parity/paddle_side/forward.py", "def hidden_states(", "def hidden_states(*_, "),
    ("parity/torch_side/weights.py", ".eval()\n    _load(model", "\n    _load(model"),
    ("parity/cases/__init__.py", "n_layer=4, n_embd=64", "n_layer=3, n_embd=64"),
    ("parity/tolerances/__init__.py", "BUDGET_FLOOR = 0.25", "BUDGET_FLOOR = 0.5"),
    ("parity/compare.py", "return self.used <= 1.0", "return self.used <= 2.0"),
    ("parity/ladder.py", "if rung.handover:", "if rung.golden:"),
], ids=["its file", "the rung", "what the rung calls", "fixtures", "a constant", "the comparison",
        "the ladder"])
def test_what_a_record_stands_on_counts(root, file, old, new):
    change(root / file, old, new)
    assert GELU.name in stale(root)


def test_compiled_code_counts_as_text_with_all_that_it_may_include(root):
    (root / "data_tools/index_helper/_samples.cpp").write_text("// another file")
    assert stale(root) == {DROPPED.name}


def test_a_tolerance_counts_and_its_reason_does_not(monkeypatch):
    before, own = table(), tolerances.row("A", "hidden")
    for rows, names in ((replace(own, reason="another"), set()), (replace(own, limit=1.0), {
            GELU.name})):
        monkeypatch.setitem(tolerances._ROWS, ("A", "hidden"), rows)
        assert {one.name for one in origin.stale(before)} & {GELU.name, DROPPED.name} == names


def test_a_place_that_no_longer_holds_the_code(root):
    (root / "paddle_impl/model.py").rename(root / "paddle_impl/models.py")
    (told,) = (one for one in origin.stale(table(), Sources(root)) if one.name == GELU.name)
    assert told == (GELU.name, "model", "climbed on other code (paddle_impl.model.MLP.forward)")


def test_another_bug_of_the_same_name(monkeypatch):
    before, (first, *others) = table(), GELU.changes
    other = replace(GELU, changes=(first._replace(replacement="x"), *others))
    monkeypatch.setattr(origin, "MUTANTS", (other, DROPPED))
    assert [one.name for one in origin.stale(before)] == [GELU.name]


def test_a_rung_that_is_gone_and_a_mutant_that_is_gone(monkeypatch):
    before = table()
    monkeypatch.setattr(
        ladder, "RUNGS", tuple(rung for rung in ladder.RUNGS if rung.name != "hidden"))
    monkeypatch.setattr(origin, "MUTANTS", (GELU,))
    assert [(one.name, one.why.partition(" (")[0]) for one in origin.stale(before)] == [
        (GELU.name, "climbed on other code"), (DROPPED.name, "no mutant has this name")]
