"""Every flag has an effect, or is refused with a message of one line."""


import pytest

from data_tools.create_pretraining_data import parse
from data_tools.preparing.options import RefusedOptions

BAD = [
    (["--input_path", "x", "--doc_mode", "separator"], "go together"),
    (["--vocab_file", "v.json"], "go together"),
    (["--tokenizer", "t", "--vocab_file", "v", "--merge_file", "m"], "give one of them"),
    (["--tokenizer", "t", "--vocab_size", "300"], "is for training"),
    (["--vocab_size", "256"], "256 is less than 257"),
    (["--vocab_size", "many"], "invalid int value: 'many'"),
    (["--tokenizer_sample_mb", "0"], "not a positive number"),
    (["--min_alphanumeric", "1.5"], "1.5 is not above 0 to 1"),
    (["--near_threshold", "0.3"], "0.3 is not from 0.5 to 1"),
    (["--near_threshold", "0.9"], "--near_threshold is for --dedup near"),
    (["--tokenizer", ""], "--tokenizer names nothing"),
    (["--tokenizer", "c.model", "--tokenizer_name", "GPTTokenizer"], "is of --tokenizer_name GPTC"),
    (["--tokenizer", "bytes", "--tokenizer_name", "GPTChineseTokenizer"], "needs --tokenizer FILE"),
    (["--tokenizer", "c.model", "--tokenizer_name", "GPTChineseTokenizer", "--cn_split_dimer", "|"],
     "--cn_split_dimer is for --cn_splited"),
    (["--tokenizer", "c.model", "--tokenizer_name", "GPTChineseTokenizer", "--cn_splited",
      "--cn_seg_func", "lac"], "has nothing to cut"),
    (["--drop_low_information", "0"], "0 is not above 0 to 1"),
    (["--keywords", "pandas", ""], "--keywords: one of them is empty"),
    (["--language", "python", "--suffixes", ".py"], "give one of them"),
    (["--language", "cobol"], "invalid choice: 'cobol'"),
    (["--shard", "4/4"], "parts of 4 are 0/4 to 3/4, not 4/4"),
    (["--shard", "1"], "1 is not a part like 0/4"),
    (["--shard", "0/2", "--dedup", "exact"], "--dedup needs the whole corpus"),
    (["--workers", "0"], "0 is less than 1"),
    (["--tokenizer_name", "GPTChineseTokenizer"], "needs --tokenizer FILE.model"),
    (["--tokenizer_name", "ErnieTokenizer"], "invalid choice: 'ErnieTokenizer'"),
    (["--tokenizer", "t", "--cn_splited"], "--cn_splited is for --tokenizer_name GPTChinese"),
    (["--tokenizer", "t", "--cn_seg_func", "lac"], "--cn_seg_func is for --tokenizer_name"),
    (["--data_format", "IDS"], "IDS: not built"),
    (["--input", "x"], "unrecognized arguments"),
    (["--doc_mode", "page"], "invalid choice: 'page'"),
]


def error_of(capsys, *arguments):
    with pytest.raises(SystemExit, match="2"):
        parse(list(arguments))
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_flags_that_make_no_sense_are_one_line(capsys, arguments, message):
    error = error_of(capsys, *arguments)
    assert error.startswith("error: ") and message in error


@pytest.mark.parametrize("flag", [one.name for one in RefusedOptions.flags()])
def test_flags_of_what_is_not_built_say_so(flag, capsys):
    value = ["x"] if flag == "model_name" else []
    assert error_of(capsys, f"--{flag}", *value).startswith(f"error: --{flag}: not built (")


def filled_in(*arguments):
    return parse(list(arguments)).filled_in()


def test_defaults_depend_on_the_corpus():
    default, own = filled_in(), filled_in("--input_path", "x")
    assert (default.default_corpus, default.vocab_size) == (True, 2048)
    assert (own.default_corpus, own.vocab_size) == (False, 50257)
    assert default.append_eos and default.shuffle
    assert default.output_prefix == "data_tools/code_python"


def test_suffixes_may_lack_their_dot():
    assert filled_in("--suffixes", "RS", ".go").suffixes == (".rs", ".go")


def test_languages_are_suffixes():
    assert filled_in("--language", "go", "rust").suffixes == (".go", ".rs")
    assert filled_in("--language", "python", "cpp").suffixes == filled_in().suffixes


def test_a_part_has_a_name_of_its_own():
    options = filled_in("--output_prefix", "out/x", "--shard", "3/12")
    assert options.output_prefix == "out/x-00003-of-00012" and options.shard == (3, 12)


@pytest.mark.parametrize(("words", "expected"), [
    ((), True), (("--no-append_eos",), False), (("--append_eos", "false"), False),
    (("--no-append_eos", "--append_eos"), True), (("--append_eos", "--no-append_eos"), False),
])
def test_both_forms_of_a_switch(words, expected):
    assert filled_in(*words).append_eos is expected
