"""`python -m parity docs` writes the report's results into the pages and detects outdated ones."""

import copy
import json
from functools import cache
from pathlib import Path

import pytest

from parity import coverage, ladder, report
from parity.__main__ import main
from parity.compare import Place, Point, Result
from parity.mutants import origin
from parity.mutants.tables import MUTANTS
from parity.report import kills, pages

PHASES = {"D": "state dict", "Z": "keep rate", "A": "hidden", "B": "hidden"}
ALL = tuple(mutant for mutant in MUTANTS if mutant.name in ("erf GELU", "ReLU"))
SEEN = {"rung": "hidden", "gate": "A", "first": "hidden: step 0, hidden, t"}


def planted() -> dict:
    """A table of both mutants, made on the code as it is."""
    return copy.deepcopy(_planted())


@cache
def _planted() -> dict:
    mutants = [{"name": mutant.name, "room": "model", "where": mutant.where, "equivalent": False,
                "killed": {"std_0.02": SEEN}, "float32": None, "commit": "f" * 40,
                "date": "2026-01-02"} for mutant in ALL]
    for mutant, record in zip(ALL, mutants, strict=True):
        record["code"] = origin.digest(mutant, record)
    return {"seconds": 1.0, "versions": {}, "mutants": mutants}


KILLS = planted()


def climbed(used: float = 0.25):
    return [
        (rung, [Result(Place(rung.name, "std_0.02", gate), Point(0, PHASES[gate], "t"),
                       0.0 if gate == "D" else used) for gate in rung.gates])
        for rung in ladder.RUNGS
    ]


@pytest.fixture
def files(tmp_path, monkeypatch) -> list[str]:
    """Flags that name a report of the whole ladder, and pages that are made from it."""
    monkeypatch.setattr(pages, "load_table", planted)
    monkeypatch.setattr(origin, "MUTANTS", ALL)
    monkeypatch.setattr(kills, "MUTANTS", ALL)
    report.write(tmp_path, climbed(), ["beam search"], 12.3, KILLS)
    for block in pages.BLOCKS:
        page = tmp_path / block.page
        page.parent.mkdir(exist_ok=True)
        page.write_text(f"# Title\n\n{block.begin}\nold\n{block.end}\n\nThe rest.\n")
    flags = ["--report", str(tmp_path / "report.json"), "--root", str(tmp_path)]
    assert pages.main(flags) == 0
    return flags


def page_of(files, name: str = "docs/parity.md") -> Path:
    return Path(files[-1]) / name


def test_the_table_has_every_rung_and_nothing_else_is_touched(files):
    text = page_of(files).read_text()
    assert text.startswith(f"# Title\n\n{pages.BLOCKS[1].begin}\n| rung |")
    assert text.endswith(f"\n{pages.BLOCKS[1].end}\n\nThe rest.\n")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][2:]
    assert [row[0] for row in rows] == [f"| {rung.title}" for rung in ladder.RUNGS]
    flat = " ".join(text.split())
    assert "PARITY: " in flat and "2 of 2 bugs killed" in flat and "commit ffffffffffff" in flat
    assert pages.main(files) == 0
    assert page_of(files).read_text() == text


def test_budgets_and_shares_are_written_for_a_reader(files):
    rows = dict(line.removeprefix("| ").split(" | ", 1)
                for line in page_of(files).read_text().splitlines() if line.startswith("| "))
    titles = {rung.name: rung.title for rung in ladder.RUNGS}
    assert rows[titles["hidden"]] == "A: 1e-12; B: k = 3 | 2 | 25 % | 25 % |"
    assert rows[titles["weights"]].startswith("D: equal bits | 1 |")
    assert rows[titles["weights"]].endswith(" | equal | equal |")
    assert rows[titles["dropout"]].split(" | ")[0].startswith("A: ")
    assert rows[titles["draws"]].startswith("Z: 5 sigma | 1 |")


def test_the_check_bears_other_measurements(files, capsys):
    report.write(Path(files[-1]), climbed(used=0.5), [], 99.0, KILLS)
    assert pages.main([*files, "--check"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda record: record["rungs"][2].update(title="a new title"), "lacks 'a new title, "),
        (lambda record: record["rungs"][-1]["gates"][0].update(budget="k = 9"), "k = 9"),
        (lambda record: record["rungs"].append(dict(record["rungs"][0], title="one more")),
         "lacks 'one more, "),
        (lambda record: record["rungs"].reverse(), "its order"),
    ],
    ids="title budget more order".split(),
)
def test_the_check_notices_what_a_commit_decides(files, capsys, change, told):
    path, before = Path(files[1]), page_of(files).read_text()
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    assert pages.main([*files, "--check"]) == 1
    assert told in capsys.readouterr().out
    assert page_of(files).read_text() == before
    assert pages.main(files) == 0
    assert pages.main([*files, "--check"]) == 0


def test_a_failure_is_not_hidden(files):
    report.write(Path(files[-1]), climbed(used=7.0), [], 1.0, KILLS)
    assert pages.main(files) == 0
    text = page_of(files).read_text()
    assert "**NO PARITY: " in text and "| fails |" in text


def report_of(files) -> dict:
    return json.loads(Path(files[1]).read_text())


def climbed_gates() -> list:
    return [result for _, results in climbed() for result in results]


def refusal(capsys, files) -> str:
    with pytest.raises(SystemExit) as stop:
        pages.main(files)
    assert stop.value.code == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    return told[0]


def test_a_part_of_the_ladder_is_refused(files, capsys):
    before = page_of(files).read_text()
    report.write(Path(files[-1]), climbed()[:-1], [], 1.0)
    assert f"lacks the rungs {ladder.RUNGS[-1].name}: " in refusal(capsys, files)
    assert page_of(files).read_text() == before


def test_what_is_missing_is_named(files, capsys):
    assert "run python -m parity first" in refusal(capsys, ["--report", "/nonexistent.json"])
    block = pages.BLOCKS[1]
    page_of(files).write_text(f"{block.end}\n{block.begin}\n")
    assert "docs/parity.md must have, once and in this order" in refusal(capsys, files)


def test_it_is_a_command_of_the_suite(files, capsys):
    assert main(["docs", *files, "--check"]) == 0


def test_the_readme_has_the_verdict_in_short(files):
    text = page_of(files, "README.md").read_text()
    count = len(report_of(files)["rungs"])
    flat = " ".join(text.split())
    assert f" **PARITY: {len(climbed_gates())} comparisons in 12 s**, on {count} rungs: " in flat
    assert "\nPlanted bugs: 2 of 2 bugs killed, 0 of 0 harmless changes let through.\n" in text
    assert "\nPlanted in the code as it is: all 2.\n" in text


def test_the_check_notices_an_old_readme(files, capsys):
    record = report_of(files)
    record["rungs"].append(dict(record["rungs"][0]))
    Path(files[1]).write_text(json.dumps(record))
    old = page_of(files, "README.md").read_text()
    assert pages.main(files) == 0
    page_of(files, "README.md").write_text(old)
    assert pages.main([*files, "--check"]) == 1
    said = capsys.readouterr().out
    assert "README.md: " in said and "parity.md" not in said
    assert f"on {len(record['rungs'])} rungs" in said


@pytest.mark.parametrize(("change", "told"), [
    (lambda table: table["mutants"][0]["killed"].update({"std_0.02": None}), "1 of 2 bugs killed"),
    (lambda table: table["mutants"][1].update(commit="e" * 40), "commits ffffffffffff"),
    (lambda table: table.clear(), "has 'Planted bugs: 2 of 2"),
], ids=["killed", "commit", "none"])
def test_the_check_notices_another_kill_table(files, capsys, monkeypatch, change, told):
    table = planted()
    change(table)
    monkeypatch.setattr(pages, "load_table", lambda: table)
    assert pages.main([*files, "--check"]) == 1
    assert told in capsys.readouterr().out
    assert pages.main(files) == 0
    assert pages.main([*files, "--check"]) == 0


def test_the_check_notices_records_of_older_code(files, capsys, monkeypatch):
    """Only a page that says more than is true fails; the report is of the time before."""
    table = planted()
    table["mutants"][0]["code"] = "of older code"
    monkeypatch.setattr(pages, "load_table", lambda: table)
    assert pages.main([*files, "--check"]) == 1
    said = capsys.readouterr().out
    assert "README.md: it says that more" in said and "parity.md: it says that more" in said
    assert "python -m parity mutants --stale --write-table" in said
    assert "erf GELU (model): climbed on other code (paddle_impl.model.MLP.forward)" in said
    assert "ReLU" not in said
    assert pages.main(files) == 0
    assert "as it is: 1 of 2; on older code or missing: model 1." in page_of(files).read_text()
    assert pages.main([*files, "--check"]) == 0
    monkeypatch.setattr(pages, "load_table", planted)
    assert pages.main([*files, "--check"]) == 0


def test_a_missing_record_is_named(files, capsys, monkeypatch):
    table = planted()
    del table["mutants"][1]
    monkeypatch.setattr(pages, "load_table", lambda: table)
    assert pages.main([*files, "--check"]) == 1
    assert "ReLU (model): never climbed" in capsys.readouterr().out


def test_the_page_counts_what_the_rungs_run(files):
    flat = " ".join(page_of(files).read_text().split())
    assert f" {coverage.summary(coverage.recorded())}. " in flat
    assert "The comparisons are: " in flat


@pytest.mark.parametrize("block", pages.BLOCKS, ids=lambda block: block.page)
def test_the_pages_of_the_project_have_the_markers(block):
    text = (Path(__file__).resolve().parents[2] / block.page).read_text(encoding="utf-8")
    assert "".join(pages.split(text, block)) == text
