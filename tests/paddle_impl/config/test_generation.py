"""run_generation.py's flags: what does not go together, and defaults that depend on the mode."""

import pytest

import run_generation
from tests.test_args import one_line_error


@pytest.mark.parametrize(("argv", "message"), [
    (("--temperature", "0"), "--temperature must be above 0"),
    (("--top_p", "0"), "--top_p"),
    (("--top_k", "-1"), "--top_k must not be negative"),
    (("--repetition_penalty", "0"), "--repetition_penalty must be above 0"),
    (("--no_repeat_ngram_size", "-1"), "--no_repeat_ngram_size must not be negative"),
    (("--decode_strategy", "greedy_search", "--num_return_sequences", "2"),
     "--num_return_sequences must be 1"),
    (("--decode_strategy", "beam_search"), "needs --num_beams 2 or more, got 0"),
    (("--decode_strategy", "beam_search", "--num_beams", "2", "--num_return_sequences", "3"),
     "--num_return_sequences 3 must not exceed --num_beams 2"),
    (("--decode_strategy", "beam_search", "--num_beams", "2", "--stop", "a"), "--stop is for"),
    (("--decode_strategy", "beam_search", "--num_beams", "2", "--stream"), "--stream is for"),
    (("--num_beams", "4"), "--num_beams 4 needs --decode_strategy beam_search"),
    (("--beam_score", "megatron"), "invalid choice"),
    (("--early_stopping", "maybe"), "neither true nor false nor never"),
    (("--length_penalty", "nan"), "--length_penalty must be a number"),
    (("--min_dec_len", "9", "--max_dec_len", "3"), "--min_dec_len 9 must lie between"),
    (("--max_dec_len", "0"), "--max_dec_len must be at least 1"),
    (("--stop", ""), "--stop must not hold an empty text"),
    (("--prompt", "a", "--prompt_file", "b"), "exclude each other"),
    (("--prompt", "a", "--fim_mode", "spm"), "--fim_mode is the order around a gap"),
    (("--export", "d", "--language", "python"), "--language means nothing with --export"),
    (("--stream", "--num_return_sequences", "2"), "--stream shows one continuation"),
    (("--stream", "--output_file", "-"), "both write to standard output"),
    (("--interactive", "--prompt", "a"), "--prompt means nothing with --interactive"),
    (("--interactive", "--num_return_sequences", "2"),
     "--num_return_sequences means nothing with --interactive"),
    (("--serve", "--temperature", "0.5"), "--temperature means nothing with --serve"),
    (("--serve", "--interactive"), "--interactive and --serve exclude each other"),
    (("--port", "80"), "--port means nothing without --serve"),
    (("--serve", "--port", "-1"), "--port must lie between"),
    (("--serve", "--api_key_variable", "NO_SUCH"), "the environment has no NO_SUCH"),
    (("--export", "d", "--top_k", "3"), "--top_k means nothing with --export"),
    (("--interactive", "--export", "d"), "--interactive and --export exclude each other"),
    (("--export", "d", "--output_file", "f"), "--output_file means nothing with --export"),
    (("--batch_size", "0"), "--batch_size must be at least 1"),
    (("--decoder", "torch"), "invalid choice"),
    (("--seed", "-1"), "--seed must lie in"),
    (("--adapter", "a", "b"), "several are served under names of their own"),
    (("--serve", "--adapter", "n=a", "b"), "several are served under names of their own"),
    (("--serve", "--adapter", "n=a", "n=b"), "--adapter names two adapters n"),
    (("--serve", "--adapter", "=a"), "--adapter =a: expected DIR, or NAME=DIR with --serve"),
    (("--serve", "--adapter", "n="), "--adapter n=: expected DIR, or NAME=DIR with --serve"),
    (("--adapter", "n=a"), "--adapter n=a: there is no such directory, and a name is for --serve"),
    (("--vocab_file", "v"), "--vocab_file and --merge_file go together"),
], ids=str)
def test_generation_refuses(argv, message, capsys):
    err = one_line_error(capsys, *argv, parse=run_generation.parse,
                         required=["--model_name_or_path", "x"])
    assert message in err


@pytest.mark.parametrize(("argv", "expected"), [
    ((), False), (("--early_stopping",), True), (("--early_stopping", "false"), False),
    (("--early_stopping", "never"), "never"),
])
def test_early_stopping_is_a_boolean_or_never(argv, expected):
    config = run_generation.parse(["--model_name_or_path", "x", *argv])
    assert config.decoding.settings().early_stopping == expected


@pytest.mark.parametrize(("argv", "expected"), [
    ((), (512, 1.0, 5, ())), (("--interactive",), (128, 0.7, 0, ("\n\n",))),
    (("--interactive", "--top_k", "3", "--stop", "a", "b"), (128, 0.7, 3, ("a", "b"))),
])
def test_a_conversation_has_defaults_of_its_own(argv, expected):
    own = run_generation.parse(["--model_name_or_path", "x", *argv]).decoding.settings()
    assert (own.max_new_tokens, own.temperature, own.top_k, own.stop) == expected


def test_a_model_is_named_by_itself_or_by_an_adapter(capsys, tmp_path):
    assert "which model?" in one_line_error(capsys, parse=run_generation.parse, required=[])
    place = tmp_path / "lr=1"
    place.mkdir()
    config = run_generation.parse(["--adapter", str(place), "--interactive"])
    assert (config.adapter.alone, config.adapter.named) == (str(place), {})
