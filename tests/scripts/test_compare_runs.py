"""Several runs in one table and one picture."""

import json

import pytest


@pytest.fixture
def run(tmp_path):
    """run(name, steps, ...) writes the metrics of a run; returns its folder."""

    def write(name, steps, *, factor=1.0, valid=True):
        (tmp_path / name).mkdir()
        lines = [{"step": step, "loss": factor / step, "lr": 0.1 * step}
                 for step in range(1, steps + 1)]
        if valid:
            lines += [{"step": steps, "valid_loss": factor, "valid_hits": 7 * factor}]
        (tmp_path / name / "metrics.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in lines))
        return str(tmp_path / name)

    return write


@pytest.fixture
def compare(script, capsys):
    """compare(words) -> (exit code, standard output, standard error)."""

    def call(*words):
        try:
            code = script("compare_runs").main([*map(str, words)])
        except SystemExit as stop:
            code = stop.code
        return (code, *capsys.readouterr())

    return call


def test_the_table_has_the_final_numbers_and_names_what_is_missing(run, compare, tmp_path):
    runs = [run("a", 4), run("b", 2, factor=3.0), run("c", 1, valid=False)]
    code, out, err = compare(*runs, "--output", tmp_path / "p.png")
    assert code == 0 and (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    head, *lines = (line.split() for line in out.splitlines())
    assert head == ["run", "steps", "last_loss", "last_lr", "last_valid_loss", "best_valid_loss",
                    "best_step"]
    assert lines == [[runs[0], "4", "0.25", "0.4", "1", "1", "4"],
                     [runs[1], "2", "1.5", "0.2", "3", "3", "2"],
                     [runs[2], "1", "1", "0.1", "-", "-", "-"]]
    assert err == f"warning: {runs[2]} has no valid_loss\n"


def test_json_with_a_score_that_shall_be_great(run, compare):
    code, out, _ = compare(run("a", 4), "--score", "valid_hits", "--greater_is_better", "--json")
    (row,) = json.loads(out)
    assert code == 0 and row["best_valid_hits"] == 7 and row["missing"] == []


def test_every_run_is_drawn_under_its_name(run, compare, script, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(script("compare_runs"), "draw_runs",
                        lambda *words, **more: drawn.append((*words, more)))
    runs = [run("a", 4), run("b", 2)]
    compare(runs[0] + "/", runs[1] + "/metrics.jsonl", "--output", tmp_path / "p.svg",
            "--score", "lr", "--greater_is_better", "--over_tokens")
    ((path, curves, score, greater, more),) = drawn
    assert more == {"over_tokens": True}
    assert [*curves] == [runs[0], runs[1] + "/metrics.jsonl"] and (score, greater) == ("lr", True)
    assert [len(one["loss"]) for one in curves.values()] == [4, 2]
    assert path == tmp_path / "p.svg"


def test_folders_without_metrics_are_passed_over(run, compare, tmp_path):
    (tmp_path / "empty").mkdir()
    code, out, err = compare(run("a", 1), tmp_path / "empty")
    assert code == 0 and len(out.splitlines()) == 2
    assert err == f"warning: {tmp_path / 'empty'} is passed over: it holds no metrics\n"


def test_mistakes_are_told_in_one_line(run, compare, tmp_path):
    one = run("a", 1)
    for words, told in [
        ([tmp_path / "nothing", one], f"there is no {tmp_path / 'nothing'}"),
        ([tmp_path], "no run holds metrics: name the --output_dir of a run"),
        ([one, "--score", "valid_los"], "valid_los is in none of the runs; the nearest one is val"),
        ([one, "--output", tmp_path / "p.pdf"], "p.pdf: a picture's name ends in .png or .svg"),
    ]:
        code, out, err = compare(*words)
        assert code == 2 and out == "" and told in err.splitlines()[-1], err
        assert err.splitlines()[-1].startswith("compare_runs.py: error: ")
