"""`python -m parity mutants`: its output, exit code and tables."""

import json
import re

import pytest

from parity.mutants import command, load_table, origin, run
from parity.mutants.mutant import Mutant
from parity.mutants.tables import MUTANTS
from parity.report import kills

SEEN = {"rung": "hidden", "gate": "A", "first": "hidden: step 0, hidden, transformer.drop"}


def record(mutant: Mutant, killed: dict | None, float32: dict | None = None) -> dict:
    return {"name": mutant.name, "room": mutant.room, "where": mutant.where,
            "equivalent": mutant.equivalent, "killed": {"std_0.02": None, "std_0.2": killed},
            "float32": {"std_0.02": None, "std_0.2": float32}}


@pytest.mark.parametrize(("bug", "alarm", "code", "told"), [
    (SEEN, None, 0, "model            1       1  100.0%     0 of   1   1 of 1 let through"),
    (None, None, 1, "survivor: erf GELU (model, paddle_impl.model.MLP.forward)"),
    (SEEN, SEEN, 1, "false alarm: mask of -1e4 (model, paddle_impl.model.causal_mask)"),
])
def test_the_command_tells_who_killed_whom(tmp_path, monkeypatch, capsys, bug, alarm, code, told):
    names = ["erf GELU", "mask of -1e4"]

    def examined(mutants, jobs):
        assert [mutant.name for mutant in mutants] == names
        return iter([record(mutants[1], None, alarm), record(mutants[0], bug)])

    monkeypatch.setattr(run, "examine_all", examined)
    assert command.main(["--only", *names, "--output", str(tmp_path), "--jobs", "1"]) == code
    assert told in capsys.readouterr().out.splitlines()
    table = json.loads((tmp_path / "kills.json").read_text())
    assert table.keys() == {"seconds", "versions", "mutants"}
    assert [mutant["name"] for mutant in table["mutants"]] == names
    assert table["mutants"][0]["killed"] == {"std_0.02": None, "std_0.2": bug}


def test_a_ladder_that_breaks_by_itself_stops_the_command(tmp_path, monkeypatch, capsys):
    def examined(mutants, jobs):
        raise RuntimeError("a rung fails without any mutant: loss")

    monkeypatch.setattr(run, "examine_all", examined)
    assert command.main(["--output", str(tmp_path)]) == 2
    assert "a rung fails without any mutant: loss" in capsys.readouterr().err
    assert not (tmp_path / "kills.json").exists()


def test_a_table_names_the_commit_whose_code_ran(tmp_path, monkeypatch, capsys):
    changed = " M parity/ladder.py\n"
    monkeypatch.setattr(
        command, "_git", lambda word, *_: changed if word == "status" else "0" * 40 + "\n")
    monkeypatch.setattr(command, "KILL_TABLE", tmp_path / "kill_table.json")
    monkeypatch.setattr(run, "examine_all",
                        lambda mutants, jobs: (record(mutant, SEEN) for mutant in mutants))
    arguments = ["--write-table", "--output", str(tmp_path)]
    assert command.main(arguments) == 2
    assert "parity/ladder.py changed since 000000000000" in capsys.readouterr().err
    changed = " M parity/mutants/kill_table.json\n"
    assert command.main(arguments) == 1  # every control was told to be a false alarm
    written = json.loads((tmp_path / "kill_table.json").read_text())
    assert len(written["mutants"]) == len(MUTANTS)
    assert {entry["commit"] for entry in written["mutants"]} == {"0" * 40}
    assert origin.stale(written) == []


def test_what_is_done_is_kept_when_a_process_dies(tmp_path, monkeypatch, capsys):
    def examined(mutants, jobs):
        yield from (record(mutant, SEEN) for mutant in mutants[: command.PART + 3])
        raise RuntimeError("a process crashed")

    path = tmp_path / "kill_table.json"
    monkeypatch.setattr(command, "KILL_TABLE", path)
    monkeypatch.setattr(command, "_git", lambda word, *_: "" if word == "status" else "4" * 40)
    monkeypatch.setattr(run, "examine_all", examined)
    assert command.main(["--write-table", "--output", str(tmp_path)]) == 2
    assert "a process crashed" in capsys.readouterr().err
    for file in (path, tmp_path / "kills.json"):
        written = json.loads(file.read_text())["mutants"]
        done = {entry["name"] for entry in written if entry["commit"] == "4" * 40}
        assert done == {mutant.name for mutant in MUTANTS[: command.PART]}


def test_a_room_made_again_names_its_own_commit(tmp_path, monkeypatch):
    """The other rooms' records, and what they were made on, stay as they were."""
    before = load_table()
    path = tmp_path / "kill_table.json"
    monkeypatch.setattr(command, "load_table", lambda: before)
    monkeypatch.setattr(command, "KILL_TABLE", path)
    monkeypatch.setattr(command, "_git", lambda word, *_: "" if word == "status" else "1" * 40)
    monkeypatch.setattr(run, "examine_all",
                        lambda mutants, jobs: (record(mutant, SEEN) for mutant in mutants))
    command.main(["--write-table", "--room", "loss", "parallel", "--output", str(tmp_path)])
    written = json.loads(path.read_text())
    older = {entry["name"]: entry for entry in before["mutants"]}
    for entry in written["mutants"]:
        if entry["room"] in ("loss", "parallel"):
            assert entry["commit"] == "1" * 40
        else:
            assert entry == older[entry["name"]]


def test_only_stale_records_are_made_again(tmp_path, monkeypatch, capsys):
    """A missing record is one of them; the record of a mutant that is gone is dropped."""
    old, missing, gone = MUTANTS[3].name, MUTANTS[7].name, "a mutant of long ago"
    path = tmp_path / "kill_table.json"
    monkeypatch.setattr(command, "KILL_TABLE", path)
    monkeypatch.setattr(command, "_git", lambda word, *_: "" if word == "status" else "2" * 40)
    monkeypatch.setattr(run, "examine_all",
                        lambda mutants, jobs: (record(mutant, SEEN) for mutant in mutants))
    command.main(["--write-table", "--output", str(tmp_path)])
    table = json.loads(path.read_text())
    table["mutants"] = [entry for entry in table["mutants"] if entry["name"] != missing]
    table["mutants"][3]["code"] = "of other code"
    table["mutants"].append(table["mutants"][0] | {"name": gone})
    assert {one.name for one in origin.stale(table)} == {old, missing, gone}

    monkeypatch.setattr(command, "load_table", lambda: json.loads(json.dumps(table)))
    monkeypatch.setattr(command, "_git", lambda word, *_: "" if word == "status" else "3" * 40)
    words = ["--stale", "--write-table", "--output", str(tmp_path)]
    command.main(words)
    table = json.loads(path.read_text())
    assert [entry["name"] for entry in table["mutants"]] == [mutant.name for mutant in MUTANTS]
    assert {e["name"] for e in table["mutants"] if e["commit"] == "3" * 40} == {old, missing}
    capsys.readouterr()
    assert command.main(words) == 0
    assert capsys.readouterr().out.startswith("nothing to plant: ")


def test_what_the_command_refuses(capsys):
    for arguments, message in ((["--only", "erf GLUE"], "no mutant is called 'erf GLUE'"),
                               (["--write-table", "--only", "erf GELU"], "wants all mutants"),
                               (["--jobs", "0"], "--jobs must be at least 1")):
        with pytest.raises(SystemExit) as stop:
            command.main(arguments)
        assert stop.value.code == 2
        assert message in capsys.readouterr().err


def test_the_committed_table_is_of_these_mutants_and_kills_all():
    table = load_table()
    for entry in table["mutants"]:
        assert re.fullmatch("[0-9a-f]{40}", entry["commit"])
        assert re.fullmatch("[0-9a-f]{16}", entry["code"])
    assert [entry["name"] for entry in table["mutants"]] == [mutant.name for mutant in MUTANTS]
    for entry in table["mutants"]:
        seen = kills.failed(entry, "killed") or (
            entry["equivalent"] and kills.failed(entry, "float32"))
        assert seen != entry["equivalent"], entry["name"]
