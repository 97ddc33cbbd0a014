"""What holds each file of the product: every file has a decision, and every decision is true."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from parity import cases, coverage
from parity.__main__ import main
from parity.coverage import command
from parity.coverage.decisions import DECISIONS, NO_NUMBER, RUNG, UNIT_TEST
from parity.mutants import reach

FILES = coverage.functions()
RUN = coverage.recorded()


def test_every_file_has_a_decision_and_every_decision_a_file():
    assert [path for path in FILES if coverage.decided(path) is None] == []
    places = {coverage.decided(path) for path in FILES}
    # The parent of decisions about all that is in it, or a folder of C++ files.
    assert {place for place in DECISIONS if not (coverage.ROOT / place).exists()} == set()
    assert DECISIONS.keys() == places


def test_a_decision_says_what_it_must():
    for place, decision in DECISIONS.items():
        assert decision.kind in (RUNG, UNIT_TEST, NO_NUMBER), place
        assert bool(decision.told) == (decision.kind != RUNG), place


@pytest.mark.parametrize("path", sorted(set(coverage.proofs())))
def test_a_proof_is_a_test(path):
    assert "\ndef test_" in (coverage.ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [path for path, own in FILES.items() if own
                                  and DECISIONS[coverage.decided(path)].kind == RUNG])
def test_a_file_that_a_rung_holds_is_reached(path):
    assert set(RUN.get(path, ())) & set(FILES[path].values()), path


def test_what_the_rungs_run_today_is_recorded():
    """Of two of them; `python -m parity reach --write` records all."""
    seen = set()
    for _, codes, results in reach.recorded(["schedule", "loss"], [cases.case(cases.CASES[0])]):
        assert all(result.passed for result in results)
        seen |= {(code.co_filename, code.co_firstlineno) for code in codes}
    now = coverage.named(seen)
    assert "lr_at" in now["paddle_impl/optim/schedule.py"]
    assert "MLP.forward" in now["paddle_impl/model.py"]
    assert "causal_lm" in now["paddle_impl/objectives.py"]
    for path, names in now.items():
        assert set(names) <= set(RUN[path]), path


def test_functions_are_named_by_where_they_are_defined():
    lines = FILES["paddle_impl/config/model.py"]
    text = (coverage.ROOT / "paddle_impl/config/model.py").read_text().splitlines()
    (first,) = (line for line, name in lines.items() if name == "ModelConfig.inner")
    assert text[first - 1 : first + 1] == ["    @property", "    def inner(self) -> int:"]


def test_the_command_names_what_is_not_run(tmp_path, monkeypatch, capsys):
    @contextmanager
    def threads(count):
        yield ThreadPoolExecutor(count)

    (line,) = (line for line, name in FILES["paddle_impl/optim/schedule.py"].items()
               if name == "lr_at")
    place = (str(coverage.ROOT / "paddle_impl/optim/schedule.py"), line)
    monkeypatch.setattr(command.workers, "pool", threads)
    monkeypatch.setattr(command, "run_by", lambda rung: {place} if rung == "schedule" else set())
    monkeypatch.setattr(coverage, "RECORD", tmp_path / "run.json")
    assert main(["reach", "--write"]) == 0
    told = capsys.readouterr().out
    assert "\npaddle_impl/model.py: 0 of " in told
    assert "\n    paddle_impl/model.py: MLP.forward\n" in told
    assert "schedule.py: lr_at" not in told
    assert "\n1 of the " in told
    assert coverage.recorded() == {"paddle_impl/optim/schedule.py": ["lr_at"]}
