"""run_evaluation.py --e2e, with a program in place of Java's."""

import json

import pytest

import run_evaluation
from paddle_impl.evaluation.e2e.scores import METRICS


@pytest.fixture
def evaluate(fake_java, tmp_path, capsys):
    """(numbers, standard output) of a call on files with these texts."""
    for name, text in {"refs.txt": "It is A.\nA it is.\n\nB!\n", "good.txt": "A it is.\nB!\n",
                       "bad.txt": "\nx\n", "short.txt": "x\n",
                       "data.txt": "name : A||A is a place .\nname : B||B !\nname : A||It is A\n",
                       }.items():
        (tmp_path / name).write_text(text)

    def run(*argv):
        run_evaluation.main([
            str(tmp_path / part) if str(part).endswith(".txt") else part for part in (
                *argv, "--output_file", str(tmp_path / "out.json"))])
        return json.loads((tmp_path / "out.json").read_text()), capsys.readouterr().out

    return run


def test_one_system(evaluate, tmp_path):
    numbers, out = evaluate("--e2e", "refs.txt", "good.txt")
    about = f"2 instances with 3 references of {tmp_path / 'refs.txt'}"
    assert out.startswith(f"against {about} (blank lines between instances)\n")
    lines = out.splitlines()
    assert lines[3:5] == ["SCORES:", "=============="]
    assert lines[5:] == [f"{metric}: {numbers[metric]:.4f}" for metric in METRICS]
    assert numbers["BLEU"] == pytest.approx(1.0) and numbers["METEOR"] == 0.5
    assert numbers["references"].startswith(about) and "rows" not in numbers


def test_several_systems_and_the_rows_to_compare_with(evaluate, tmp_path):
    numbers, out = evaluate("--e2e", "data.txt", "good.txt", "bad.txt", "--e2e_rows")
    named = [str(tmp_path / "good.txt"), str(tmp_path / "bad.txt"), "echo", "template", "human"]
    assert [row["system"] for row in numbers["rows"]] == named
    assert [row["instances"] for row in numbers["rows"]] == [2, 2, 2, 2, 1]
    assert "1 of 2 outputs are empty" in out
    assert "human: the first reference against the others; 1 instances" in out
    assert [line.split(" | ")[0].strip("| ") for line in out.splitlines()[-5:]] == named
    numbers, _ = evaluate("--e2e", "data.txt", "--e2e_rows")
    assert [row["system"] for row in numbers["rows"]] == named[2:]


@pytest.mark.parametrize(("argv", "message"), [
    (("--e2e", "refs.txt", "short.txt"), "has 1 outputs for 2 instances"),
    (("--e2e", "refs.txt", "good.txt", "--e2e_rows"), "has only references"),
    (("--e2e", "refs.txt"), "name the outputs too"),
    (("--e2e", "refs.txt", "none.txt"), "cannot be read"),
    (("--e2e", "refs.txt", "good.txt", "--model_name_or_path", "m"), "is not for --e2e"),
    (("--e2e", "refs.txt", "good.txt", "--java_timeout", "0"), "must be above 0"),
    (("--e2e", "refs.txt", "good.txt", "--java_timeout", "inf"), "at most 1e6"),
    (("--minitest", "--e2e_rows", "--model_name_or_path", "m"), "--e2e_rows is for --e2e"),
])
def test_what_cannot_be_measured(evaluate, tmp_path, capsys, argv, message):
    with pytest.raises(SystemExit) as ended:
        evaluate(*argv)
    err = capsys.readouterr().err
    assert ended.value.code == 2 and message in err and err.count("\n") == 1
    assert not (tmp_path / "out.json").exists()
