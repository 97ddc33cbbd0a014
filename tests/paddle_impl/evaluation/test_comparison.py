"""Answers of several checkpoints to the same prompts, side by side."""

import json

import pytest

from paddle_impl.evaluation.comparison import side_by_side

PROMPTS = ("def fibonacci(n):\n", "import os\n", "The capital")
SETTINGS = {"greedy": {"strategy": "greedy_search"}, "sampled": {"strategy": "sampling"}}


def told(**changes):
    one = {"text": "same line\nx = 1\n"}
    return {"mode": "minitest", "checkpoint": "out/model_1", "seed": 1, "settings": SETTINGS,
            "answers": [{"prompt": p, "greedy": one, "sampled": one} for p in PROMPTS]} | changes


@pytest.fixture
def written(tmp_path):
    def write(*files):
        paths = [tmp_path / f"{number}.json" for number in range(len(files))]
        for path, content in zip(paths, files, strict=True):
            path.write_text(json.dumps(content))
        return [str(path) for path in paths]

    return write


def test_columns(written):
    other = told(checkpoint="out/model_2")
    greedy = "    a b\x1b[2J\n\nab" + "c" * 40
    other["answers"][0] = {"prompt": PROMPTS[0], "greedy": {"text": greedy},
                           "sampled": {"text": ""}}
    paths = written(told(), other)
    lines = side_by_side(paths, 42).splitlines()
    start = lines.index("--- [1] greedy -----  --- [2] greedy -----")
    assert lines[:start] == [f"[1] {paths[0]}: out/model_1", f"[2] {paths[1]}: out/model_2",
                             "=== 1 " + "=" * 36, "def fibonacci(n):"]
    assert lines[start + 1 : start + 6] == [
        "same line                 a b\ufffd[2J",
        "x = 1",
        "                      ab" + "c" * 18,
        "                      " + "c" * 20,
        "                      cc",
    ]
    assert sum(line.startswith("=== ") for line in lines) == 3


@pytest.mark.parametrize(("changes", "named"), [
    ({"seed": 2}, "different seed"),
    ({"settings": {}}, "was not written by --minitest"),
    ({"settings": {"greedy": {}}}, "different settings"),
    ({"answers": told()["answers"][:2]}, "different prompts"),
    ({"mode": "lambada"}, "was not written by --minitest"),
    ({"answers": [{"prompt": "a"}]}, "was not written by --minitest"),
])
def test_what_does_not_compare_is_refused(written, changes, named):
    with pytest.raises(ValueError, match=named):
        side_by_side(written(told(), told(**changes)), 80)


@pytest.mark.parametrize("content", ["{", "[1]", "3", '"text"', "[" * 99999])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match="was not written by --minitest"):
        side_by_side([str(tmp_path / "a.json")], 80)


def test_paddle_is_not_needed(command, written):
    code = ("import sys, run_evaluation\n"
            "run_evaluation.main(['--compare', sys.argv[1], sys.argv[1]])\n"
            "assert not {'paddle', 'numpy', 'torch'} & set(sys.modules), 'heavy import'")
    process = command("-c", code, *written(told()))
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("[1] ")
