"""run_evaluation.py, every way, on a checkpoint that run_pretrain.py wrote."""

import json
import shutil

import pytest

import run_evaluation
from paddle_impl.evaluation.minitest import PROMPTS

TASK = {
    "task_id": "HumanEval/0", "prompt": "def one():\n    \"\"\"Return 1.\"\"\"\n",
    "entry_point": "one", "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
}


@pytest.fixture
def evaluate(checkpoint, tmp_path, capsys):
    """(numbers of the JSON object, console) of a call with these flags."""

    def run(*more, model=checkpoint):
        output = tmp_path / "out.json"
        output.unlink(missing_ok=True)
        capsys.readouterr()
        named = () if model is None else ("--model_name_or_path", model)
        run_evaluation.main([str(part) for part in (
            *named, "--device", "cpu", "--output_file", output, *more)])
        return json.loads(output.read_text(encoding="utf-8")), capsys.readouterr().out

    return run


@pytest.fixture
def refused(evaluate, tmp_path, capsys):
    """The one line on standard error with which a call ends; nothing is written."""

    def run(*more, **options):
        with pytest.raises(SystemExit) as exit_:
            evaluate(*more, **options)
        assert exit_.value.code == 2
        assert not (tmp_path / "out.json").exists()
        err = capsys.readouterr().err
        assert err.startswith("run_evaluation.py: error: ") and err.count("\n") == 1
        return err

    return run


def test_held_out_files(evaluate, checkpoint, tiny_data):
    numbers, out = evaluate("--input_dir", tiny_data, "--split", "80,15,5")
    assert numbers["mode"] == "input_dir" and numbers["checkpoint"] == str(checkpoint)
    assert numbers["files"] == 6 and numbers["parameters"] > 1e6
    assert (numbers["input_dir"], numbers["shares"]) == (str(tiny_data), "80,15,5")
    assert 0 < numbers["bits_per_byte"] < 8 and 0 < numbers["gzip_bits_per_byte"] < 8
    assert 0 < numbers["accuracy"] < 1 and numbers["perplexity"] > 1
    for line in (f"loss            {numbers['loss']:8.4f} nats a token",
                 f"token accuracy  {numbers['accuracy']:8.4f} of the tokens",
                 f"bits per byte   {numbers['bits_per_byte']:8.4f}", "gzip -9"):
        assert line in out
    assert "test split: 2 files" in evaluate("--input_dir", tiny_data, "--split", "80,15,5",
                                             "--split_name", "test")[1]


def test_wikitext(evaluate, tmp_path):
    (tmp_path / "wiki.txt").write_text(" \n = Title = \n \n def f_1 ( a , b ) : \n" * 40)
    numbers, out = evaluate("--wikitext", tmp_path / "wiki.txt", "--overlapping_eval", 16,
                            "--max_seq_len", 64)
    # Eleven words and four line ends each; the first and the last of the file are not counted.
    assert numbers["num_original_tokens"] == 40 * 15 - 2
    assert numbers["num_original_tokens"] < numbers["num_tokenized_tokens"]
    assert numbers["adjusted_perplexity"] > numbers["perplexity"] > 1
    assert (numbers["window"], numbers["overlapping_eval"]) == (64, 16)
    assert f"{numbers['num_original_tokens']} words and line ends of the file" in out
    assert f"{numbers['adjusted_perplexity']:.4f} an original token" in out


def test_lambada(evaluate, tmp_path):
    # The corpus: after "return a" comes "+" and after "(a," comes "b):".
    known = ["def f_1_1(a, b):\n    return a + b", "def f_2_2(a, b):"]
    (tmp_path / "l.jsonl").write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in [*known, "def f_1_1(a, zebra"]))
    numbers, out = evaluate("--lambada", tmp_path / "l.jsonl")
    assert (numbers["passages"], numbers["right"], numbers["strict"]) == (3, 2, True)
    assert "2 of 3 last words" in out
    (tmp_path / "plain.txt").write_text("def f_2_2(a, b):\n\nreturn a + b\n")
    numbers, out = evaluate("--lambada", tmp_path / "plain.txt", "--strict_lambada", "false")
    assert numbers["passages"] == 2 and not numbers["strict"] and "last tokens" in out


def test_minitest_and_its_comparison(evaluate, checkpoint, tmp_path, capsys):
    numbers, out = evaluate("--minitest")
    assert numbers["seed"] == 123 and [one["prompt"] for one in numbers["answers"]] == list(PROMPTS)
    assert numbers["answers"][9]["greedy"]["text"] in out
    files = [str(tmp_path / name) for name in ("a.json", "b.json")]
    for file in files:
        shutil.copy(tmp_path / "out.json", file)
    run_evaluation.main(["--compare", *files])
    shown = capsys.readouterr().out
    assert f"[2] {files[1]}: {checkpoint}\n" in shown
    assert shown.count("--- [1] sampled") == 10


def test_humaneval_writes_samples_and_says_how_to_judge_them(evaluate, tmp_path):
    (tmp_path / "tasks.jsonl").write_text(json.dumps(TASK) + "\n")
    numbers, out = evaluate("--humaneval", tmp_path / "tasks.jsonl", "--num_samples", 2,
                            "--max_dec_len", 4, "--samples_file", tmp_path / "s.jsonl")
    assert (numbers["tasks"], numbers["samples"], numbers["num_samples"]) == (1, 2, 2)
    assert not any(name.startswith("pass@") for name in numbers)
    lines = (tmp_path / "s.jsonl").read_text().splitlines()
    assert [json.loads(line)["task_id"] for line in lines] == ["HumanEval/0"] * 2
    assert "nothing was run" in out and "--allow_code_execution" in out


def test_what_is_read_is_not_written_over(refused, tmp_path):
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text(json.dumps(TASK) + "\n")
    assert "--samples_file and --humaneval name the same file" in refused(
        "--humaneval", tasks, "--samples_file", tasks)
    assert "--output_file and the results of --samples_file name the same file" in refused(
        "--humaneval", tasks, "--samples_file", tmp_path / "s", "--output_file",
        tmp_path / "s_results.jsonl")
    assert json.loads(tasks.read_text()) == TASK


def test_humaneval_judges_samples_that_exist(walls, evaluate, tmp_path):
    (tmp_path / "tasks.jsonl").write_text(json.dumps(TASK) + "\n")
    samples = [{"task_id": "HumanEval/0", "completion": f"    return {n}\n"} for n in (1, 2)]
    (tmp_path / "s.jsonl").write_text("".join(json.dumps(one) + "\n" for one in samples))
    numbers, out = evaluate(
        "--humaneval", tmp_path / "tasks.jsonl", "--samples_file", tmp_path / "s.jsonl",
        "--allow_code_execution", model=None)
    assert numbers["pass@1"] == 0.5 and numbers["checkpoint"] is None
    assert "pass@1" in out


def test_humaneval_with_tests_that_cannot_run_is_no_measurement(walls, evaluate, tmp_path, capsys):
    task = {**TASK, "test": "import numpy\n" + TASK["test"]}
    (tmp_path / "tasks.jsonl").write_text(json.dumps(task) + "\n")
    (tmp_path / "s.jsonl").write_text(
        json.dumps({"task_id": "HumanEval/0", "completion": "    return 1\n"}) + "\n")
    with pytest.raises(SystemExit, match="2"):
        evaluate("--humaneval", tmp_path / "tasks.jsonl", "--samples_file", tmp_path / "s.jsonl",
                 "--allow_code_execution", model=None)
    shown = capsys.readouterr()
    assert "not judged" in shown.out and "No module named 'numpy'" in shown.out
    assert "pass@1" not in shown.out and "measures nothing: 1 of its tasks" in shown.err
    numbers = json.loads((tmp_path / "out.json").read_text())
    assert list(numbers["not_judged"]) == ["HumanEval/0"] and "pass@1" not in numbers
    assert "not judged" in (tmp_path / "s.jsonl_results.jsonl").read_text()


@pytest.mark.parametrize("flag", ["--wikitext", "--lambada"])
@pytest.mark.parametrize(("content", "named"), [
    (None, "cannot be read"), (b"\n", "is empty"), (b"caf\xe9 au lait", "is not UTF-8"),
    (b"word", ""),
])
def test_files_that_measure_nothing(refused, tmp_path, flag, content, named):
    path = tmp_path / "file.txt"
    if content is not None:
        path.write_bytes(content)
    few = {"--wikitext": "at least two", "--lambada": "line 1: 'word' has no context"}[flag]
    assert (named or few) in refused(flag, path)


def test_refusals_before_any_work(refused, tiny_data, tmp_path):
    (tmp_path / "t.txt").write_text("a few words")
    assert "does not exist" in refused("--minitest", "--output_file", tmp_path / "no" / "e.json")
    assert "is no checkpoint directory" in refused("--minitest", model=tmp_path / "none")
    assert "beyond the model's 256 positions" in refused(
        "--wikitext", tmp_path / "t.txt", "--max_seq_len", 999)
    assert "beyond the window of 8" in refused(
        "--wikitext", tmp_path / "t.txt", "--max_seq_len", 8, "--overlapping_eval", 9)
    assert "split of" in refused("--input_dir", tiny_data, "--split", "1,0,0")
    assert "exclude each other" in refused("--minitest", "--input_dir", tiny_data)


def test_infilling_left_to_right(walls, evaluate, tmp_path):
    """A model that cannot fill gaps; its programs are run, and the numbers are those of the table.
    """
    (tmp_path / "tasks.jsonl").write_text(json.dumps(TASK) + "\n")
    numbers, out = evaluate("--infill", tmp_path / "tasks.jsonl", "--infill_mode", "left_to_right",
                            "--max_dec_len", 8, "--infill_spans", 3, "--allow_code_execution")
    assert (numbers["mode"], numbers["infill_mode"], numbers["tasks"]) == (
        "infill", "left_to_right", 1)
    assert [numbers[kind]["gaps"] for kind in ("single_line", "multi_line", "random_span", "all")
            ] == [1, 0, 3, 4]
    for kind in ("single_line", "random_span", "all"):
        assert set(numbers[kind]) == {"gaps", "exact_match", "edit_similarity", "passed"}
        assert all(0 <= numbers[kind][name] <= 1 for name in numbers[kind] if name != "gaps")
        assert numbers[kind]["passed"] >= numbers[kind]["exact_match"]
    assert f"all: edit similarity {numbers['all']['edit_similarity']:.4f} of 4 gaps" in " ".join(
        out.split())
    assert numbers["not_judged"] == {} and "passed" in out


def test_infilling_without_running_programs(evaluate, refused, tmp_path):
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text(json.dumps(TASK) + "\n")
    numbers, out = evaluate("--infill", tasks, "--infill_mode", "left_to_right")
    assert "passed" not in out and "passed" not in numbers["all"] and "sandbox" not in numbers
    assert "no <fim_prefix> <fim_middle> <fim_suffix>" in refused("--infill", tasks)
    assert "means nothing without --allow_code_execution" in refused(
        "--infill", tasks, "--execution_timeout", 2)
    assert "--infill_mode is for --infill" in refused("--minitest", "--infill_mode", "spm")
    assert "--output_file and --infill name the same file" in refused(
        "--infill", tasks, "--output_file", tasks)
    tasks.write_text(json.dumps({**TASK, "canonical_solution": None}) + "\n")
    assert "HumanEval/0 has no canonical_solution" in refused(
        "--infill", tasks, "--infill_mode", "left_to_right")


def test_infilling_with_tests_that_cannot_run_is_no_measurement(walls, evaluate, tmp_path, capsys):
    task = {**TASK, "test": "import numpy\n" + TASK["test"]}
    (tmp_path / "tasks.jsonl").write_text(json.dumps(task) + "\n")
    with pytest.raises(SystemExit, match="2"):
        evaluate("--infill", tmp_path / "tasks.jsonl", "--infill_mode", "left_to_right",
                 "--allow_code_execution")
    shown = capsys.readouterr()
    assert "not judged: HumanEval/0: " in shown.out and "measures nothing: 1 of its" in shown.err
