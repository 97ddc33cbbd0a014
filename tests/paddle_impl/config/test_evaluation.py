"""Flags of run_evaluation.py: one evaluation at a time, and flags without effect are refused."""

import pytest

import run_evaluation

MODEL = ("--model_name_or_path", "m")


def parse(*argv):
    return run_evaluation.parse([str(part) for part in argv])


@pytest.mark.parametrize(("argv", "mode"), [
    ((*MODEL, "--input_dir", "d"), "input_dir"),
    ((*MODEL, "--wikitext", "f", "--overlapping_eval", 64, "--max_seq_len", 128), "wikitext"),
    ((*MODEL, "--lambada", "f", "--strict_lambada", "false"), "lambada"),
    ((*MODEL, "--minitest", "--seed", 0), "minitest"),
    (("--compare", "a", "b"), "compare"),
    (("--compare", "a", "--output_file", "o.html"), "compare"),
    (("--minitest", "--compare", "a", "b", "--seed", 3), "compare"),
    ((*MODEL, "--humaneval", "f", "--samples_file", "s"), "humaneval"),
    ((*MODEL, "--humaneval", "f", "--allow_code_execution", "--execution_timeout", 1), "humaneval"),
    (("--humaneval", "f", "--samples_file", "s", "--allow_code_execution"), "humaneval"),
    (("--adapter", "a", "--humaneval", "f", "--samples_file", "s", "--num_samples", 3),
     "humaneval"),
    (("--adapter", "a", "--minitest"), "minitest"),
    ((*MODEL, "--adapter", "a", "--wikitext", "f"), "wikitext"),
])
def test_modes(argv, mode):
    assert parse(*argv).mode == mode


@pytest.mark.parametrize(("argv", "message"), [
    (MODEL, "what to measure? Name one of --input_dir, --wikitext, --lambada, --minitest"),
    ((*MODEL, "--input_dir", "d", "--minitest"), "--input_dir and --minitest exclude each other"),
    (("--wikitext", "f"), "--wikitext needs a checkpoint"),
    ((*MODEL, "--wikitext", "f", "--adapter", "n=a"), "--adapter n=a: there is no such directory"),
    (("--compare", "f", "--adapter", "a"), "--adapter is for --input_dir"),
    (("--minitest", "--compare", "a", "b", "--adapter", "a"), "--adapter is not for --compare"),
    ((*MODEL, "--compare", "a"), "--model_name_or_path is not for --compare"),
    (("--compare", "a", "--output_file", "o"), "--output_file o of --compare is a page"),
    (("--compare", "a", "--seed", 3), "--seed is for --minitest and --humaneval and --infill and "
     "--judge, not for --compare"),
    ((*MODEL, "--minitest", "--compare", "a"), "--model_name_or_path is not for --compare"),
    (("--minitest", "--compare", "a", "--vocab_file", "v", "--merge_file", "m"),
     "--vocab_file is not for --compare"),
    (("--minitest", "--compare", "a", "--lambada", "f"), "--lambada and --compare exclude"),
    ((*MODEL, "--wikitext", "f", "--stride", 4), "--stride is for --input_dir, not for --wikitext"),
    ((*MODEL, "--input_dir", "d", "--overlapping_eval", 4),
     "--overlapping_eval is for --wikitext, not for --input_dir"),
    ((*MODEL, "--minitest", "--max_seq_len", 4), "--max_seq_len is for --input_dir and --wikitext "
     "and --lambada, not for --minitest"),
    ((*MODEL, "--lambada", "f", "--allow_code_execution"),
     "--allow_code_execution is for --humaneval and --infill, not for --lambada"),
    ((*MODEL, "--lambada", "f", "--split", "1,1,1"), "--split is for --input_dir"),
    ((*MODEL, "--wikitext", "f", "--strict_lambada", "false"), "--strict_lambada is for --lambada"),
    ((*MODEL, "--humaneval", "f"), "name a file with --samples_file"),
    ((*MODEL, "--humaneval", "f", "--samples_file", "s", "--execution_timeout", 9),
     "--execution_timeout means nothing without --allow_code_execution"),
    (("--humaneval", "f", "--samples_file", "s"), "--humaneval needs a checkpoint"),
    (("--humaneval", "f", "--allow_code_execution"), "--humaneval needs a checkpoint"),
    (("--humaneval", "f", "--allow_code_execution", "--samples_file", "s", "--num_samples", 9),
     "--num_samples is for drawing samples"),
    ((*MODEL, "--wikitext", "f", "--overlapping_eval", 0), "--overlapping_eval must be at least 1"),
    ((*MODEL, "--humaneval", "f", "--samples_file", "s", "--temperature", 0), "--temperature"),
    ((*MODEL, "--humaneval", "f", "--samples_file", "s", "--top_p", 1.5), "--top_p must lie in"),
    ((*MODEL, "--humaneval", "f", "--allow_code_execution", "--execution_timeout", 0),
     "--execution_timeout must be above 0"),
    ((*MODEL, "--minitest", "--seed", -1), "--seed must lie in"),
    ((*MODEL, "--minitest", "--vocab_file", "v"), "--vocab_file and --merge_file go together"),
    ((*MODEL, "--input_dir", "d", "--split", "x"), "--split takes three"),
], ids=str)
def test_refusals(argv, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        parse(*argv)
    assert exit_.value.code == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
