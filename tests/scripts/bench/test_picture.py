"""The README's picture is made of what a run and the parity suite wrote."""

import json

import pytest


@pytest.fixture
def files(tmp_path):
    lines = [{"step": 1, "loss": 5.0}, {"step": 2, "loss": 4.0}, {"step": 2, "valid_loss": 4.5},
             {"step": 2, "event": "resumed"}, {"step": 2, "loss": 3.5}, {"step": 3, "loss": None}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    one = {"rung": "gradients", "gate": "B", "phase": "gradient", "torch_error_eps": 2.0,
           "paddle_error_eps": 3.0}
    others = [one | {"rung": "hidden"}, one | {"gate": "A"}, one | {"phase": "null gradient"}]
    (tmp_path / "report.json").write_text(json.dumps({"results": [one, *others]}))
    return tmp_path / "metrics.jsonl", tmp_path / "report.json"


def test_it_is_drawn_from_the_runs_own_numbers(bench, files, tmp_path):
    picture = bench("picture")
    assert picture.read_losses(files[0]) == ([(1, 5.0), (2, 3.5)], [(2, 4.5)])
    assert picture.read_errors(files[1]) == [(2.0, 3.0)]
    assert picture.main([*map(str, files), str(tmp_path / "out.png")]) == 0
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_files_without_numbers_are_refused(bench, files, tmp_path, capsys):
    picture = bench("picture")
    files[1].write_text('{"results": []}')
    assert picture.main([*map(str, files), str(tmp_path / "out.png")]) == 2
    assert "report.json has no gradients" in capsys.readouterr().err
    files[0].write_text("")
    assert picture.main([*map(str, files), str(tmp_path / "out.png")]) == 2
    assert "metrics.jsonl has no training step" in capsys.readouterr().err
    assert picture.main([]) == 2 and "usage: picture.py" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(("line", "said"), [
    ('{"step": true, "loss": 1}', "step is true, expected a whole number"),
    ('{"loss": 1}', "step is missing"), ('{"step": 1, "loss": "2"}', "loss is '2', expected"),
    ('{"step": 1, "loss": NaN}', "NaN is no JSON"), ("[1]", "it holds no JSON object"),
    ('{"step": 1', "Expecting ',' delimiter"), (100_000 * "[", "nested deeper than 64 levels"),
    ('{"step": 1, "step": 2}', "the key 'step' is there twice"),
])
def test_a_line_that_is_no_record_is_named(bench, files, tmp_path, capsys, line, said):
    with open(files[0], "a") as file:
        file.write(line + "\n")
    assert bench("picture").main([*map(str, files), str(tmp_path / "out.png")]) == 2
    err = capsys.readouterr().err
    assert f"metrics.jsonl, line 7: {said}" in err or f"metrics.jsonl, line 7: it is {said}" in err
    assert err.count("\n") == 1
