"""The benchmarks of instruction tuning: tables of runs, and of marks at the end of prompts."""

import json
from types import SimpleNamespace

import pytest

from data_tools.instructions.records import Instruction
from tests.e2e import sft_data


def test_the_table_has_what_each_run_reached(bench, tmp_path):
    runs = bench("sft_runs")
    curves = {"loss": {1: 3.0, 9: 2.0}, "tokens": {1: 50, 9: 450}, "test_loss": {9: 2.25},
              "test_response_loss": {9: 1.75}, "valid_response_loss": {4: 1.5, 8: 1.625}}
    for name in runs.RUNS:
        (tmp_path / f"run_{name}").mkdir()
        (tmp_path / f"run_{name}" / runs.RESPONSES).write_text(json.dumps([
            {"output": " yes", "model_response": "yes"},
            {"output": "no", "model_response": "on"}]))
    options = SimpleNamespace(output_dir=tmp_path, base=None, epochs=2, lr_scale=10.0)
    part = runs._table(options, dict.fromkeys(runs.RUNS, curves))
    assert [row[0] for row in part.rows] == ["A", "B", "C", "D", "response"]
    assert part.rows[1] == ["B", "5e-05", "5", "all", "9", "450", "1.500 (step 4)", "2.250",
                            "1.750", "1 of 2"]
    assert part.figures["D"]["batch"] == 16 and part.figures["response"]["loss_on"] == "response"


@pytest.mark.parametrize("record, expected", [
    (("Go.", "", "x"), ("Go.", "Go", "Go.")), (("Go", "", "x"), ("Go", "Go", "Go.")),
    (("Go.", "Is it?", "x"), ("Is it?", "Is it", "Is it."))])
def test_the_mark_at_the_end_of_what_is_asked_is_changed(bench, record, expected):
    punctuation = bench("punctuation")
    for mark, told in zip(punctuation.VARIANTS.values(), expected, strict=True):
        found = punctuation.changed(Instruction(*record, "x"), mark)
        assert (found.input or found.instruction) == told and found.output == "x"
        assert not found.input or found.instruction == record[0]


def test_marks_are_measured(bench, tmp_path, capsys):
    base, folder = sft_data.write_base(tmp_path), tmp_path / "out"
    bench("punctuation").main([
        str(base), "--data", str(base / "records.json"), "--output_dir", str(folder), "--split",
        "1,1,1", "--max_dec_len", "4"])
    assert "| no mark | 6 |" in capsys.readouterr().out
    found = json.loads((folder / "punctuation.json").read_text())
    assert [found[name]["changed"] for name in ("as written", "no mark", "full stop")] == [0, 6, 6]
    assert found["as written"]["other_answers"] == 0
    assert found["no mark"]["response_loss"] != found["full stop"]["response_loss"]
    answers = json.loads((folder / "responses_no_mark.json").read_text())
    assert len(answers) == 12 and {"output", "model_response"} <= answers[0].keys()
