"""Requests for gaps: `suffix` of OpenAI's completions, and llama.cpp's /infill."""

import json

import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.serving import ServingOptions
from paddle_impl.serving.errors import RequestError
from paddle_impl.serving.request import Reader
from tests.paddle_impl.serving.conftest import (
    BYTES,
    EOS,
    MIDDLE,
    PAD,
    PREFIX,
    PYTHON,
    SUFFIX,
    Filler,
)


@pytest.fixture
def reader():
    return reading()


def reading(tokenizer=BYTES, **options):
    given = {"model_name_or_path": "tiny", "max_new_tokens": 40} | options
    return Reader(Filler.config, tokenizer, ServingOptions(**given), None)


def completion(reader, **fields):
    return reader.completion(json.dumps(
        {"model": "tiny", "prompt": "ab", "suffix": "cd"} | fields).encode())


def infill(reader, **fields):
    return reader.infill(json.dumps({"input_prefix": "ab", "input_suffix": "cd"} | fields).encode())


def test_an_empty_suffix_is_none(reader):
    assert completion(reader, suffix="").prompts == [[*b"ab"]]
    assert completion(reader, suffix=None).decodings[0].eos_token_ids == (EOS,)


@pytest.mark.parametrize(("fields", "says", "param"), [
    ({"prompt": [1, 2]}, "prompt must be a text or a list of texts where there is a suf", "prompt"),
    ({"prompt": []}, "prompt must be a text or a list of texts", "prompt"),
    ({"prompt": None}, "prompt must be a text or a list of texts", "prompt"),
    ({"prompt": ["a"] * 2049}, "2049 texts; at most 2048", "prompt"),
    ({"echo": True}, "echo is not supported: leave it out or give false", "echo"),
    ({"suffix": 3}, "suffix must be a string", "suffix"),
    ({"suffix": "\ud800"}, "suffix must be a string", "suffix"),
    ({"suffix": "c" * 60}, "the prompt has 65 tokens; at most 63 are accepted", "prompt"),
    ({"suffix": "c" * 2000}, "2000 bytes, too many for 63 tokens", "prompt"),
])
def test_wrong_completions_with_a_suffix(reader, fields, says, param):
    with pytest.raises(RequestError, match=says) as refused:
        completion(reader, **fields)
    assert refused.value.status == 400 and refused.value.body()["error"]["param"] == param


def test_a_model_that_fills_no_gaps_is_one_400_each():
    plain = reading(Tokenizer.byte_level())
    for ask in (completion, infill):
        with pytest.raises(RequestError, match="a suffix is for models with fill-in-the-middle "
                           "tokens, and this tokenizer has no <fim_prefix>") as refused:
            ask(plain)
        assert refused.value.status == 400


def test_the_order_and_the_language_of_a_server():
    reader = reading(fim_mode="spm", language="Python")
    ids = [PYTHON, PREFIX, SUFFIX, *b"cd", MIDDLE, *b"ab"]
    assert completion(reader).prompts == infill(reader).prompts == [ids]
    assert completion(reader, suffix="").prompts == [[PYTHON, *b"ab"]]
    assert completion(reader, suffix="", prompt="").prompts == [[PYTHON]]
    with pytest.raises(ValueError, match="language 'go': it has python"):
        reading(language="go")


def test_the_middle_after_what_is_typed_and_with_other_files(reader):
    request = infill(reader, prompt="x =", input_extra=[
        {"filename": "a.py", "text": "A", "time": 3}, {"text": "B"}])
    assert request.prompts == [[65, EOS, 66, EOS, PREFIX, *b"ab", SUFFIX, *b"cd", MIDDLE, *b"x ="]]


def test_defaults_are_llama_cpps(reader):
    request = infill(reader)
    (decoding,) = request.decodings
    assert (decoding.temperature, decoding.top_k, decoding.top_p) == (0.8, 40, 0.95)
    assert (decoding.strategy, decoding.max_new_tokens) == ("sampling", 40)
    assert decoding.eos_token_ids == (EOS, PREFIX, MIDDLE, SUFFIX, PAD)
    assert not request.truncated and not request.stream
    assert infill(reader, seed=-1).seed != infill(reader, seed=-1).seed
    assert infill(reader, seed=5).seed == 5
    assert infill(reader, temperature=0).decodings[0].strategy == "greedy_search"
    assert infill(reader, top_k=0).decodings[0].top_k == 0


def test_what_llama_vim_sends_is_read(reader):
    request = infill(
        reader, prompt="", input_extra=[], n_predict=128, n_indent=4, top_k=40, top_p=0.99,
        stream=False, samplers=["top_k", "top_p", "infill"], cache_prompt=True, id_slot=0,
        t_max_prompt_ms=500, t_max_predict_ms=1000, model="",
        response_fields=["content", "timings/prompt_n", "truncated", "tokens_cached"])
    assert request.decodings[0].max_new_tokens == 40 and request.gap.n_indent == 4


@pytest.mark.parametrize(("n_predict", "most"), [(-1, 32), (40, 32), (10, 54)])
def test_what_does_not_fit_is_cut_on_its_far_sides(reader, n_predict, most):
    """The middle keeps room for n_predict tokens, or half of the positions."""
    request = infill(reader, input_prefix="p" * 9000 + "ab", input_suffix="cd" + "s" * 9000,
                     n_predict=n_predict, input_extra=[{"text": "more"}])
    (ids,) = request.prompts
    room = most - 3
    behind = room // 4
    assert ids == [PREFIX, *b"p" * (room - behind - 2), *b"ab", SUFFIX, *b"cd",
                   *b"s" * (behind - 2), MIDDLE]
    assert request.truncated
    assert request.decodings[0].max_new_tokens == min(64 - most, 40) or n_predict == 10


def test_other_texts_get_the_room_that_is_left(reader):
    request = infill(reader, n_predict=10, input_extra=[{"text": "e" * 100}, {"text": "f" * 20}])
    (ids,) = request.prompts
    assert len(ids) == 54 and ids[-7:] == [PREFIX, *b"ab", SUFFIX, *b"cd", MIDDLE]
    assert ids[:-7] == [*b"e" * 25, EOS, *b"f" * 20, EOS] and not request.truncated


@pytest.mark.parametrize(("fields", "says", "param"), [
    ({"input_prefix": None}, "input_prefix is required", "input_prefix"),
    ({"input_suffix": None}, "input_suffix is required", "input_suffix"),
    ({"input_prefix": 3}, "input_prefix must be a string", "input_prefix"),
    ({"prompt": ["a"]}, "prompt must be a string", "prompt"),
    ({"prompt": "a" * 60}, "without prefix and suffix; at most 32 are accepted", "prompt"),
    ({"input_extra": "a"}, "input_extra must be a list of", "input_extra"),
    ({"input_extra": [{"filename": "a"}]}, "input_extra must be a list of", "input_extra"),
    ({"n_predict": 0}, "n_predict must be -1, or an integer of at least 1", "n_predict"),
    ({"n_predict": -2}, "n_predict must be an integer", "n_predict"),
    ({"n_indent": -1}, "n_indent must be an integer", "n_indent"),
    ({"n_indent": 4, "stream": True}, "n_indent is not supported with stream", "n_indent"),
    ({"response_fields": "content"}, "response_fields must be a list of names", "response_fields"),
    ({"min_p": 0.05}, "min_p is not supported: leave it out or give 0", "min_p"),
    ({"n": 2}, "n is not supported", "n"),
    ({"grammar": "root"}, "grammar is not supported", "grammar"),
    ({"n_perdict": 3}, "unrecognized request argument: 'n_perdict'", "n_perdict"),
    ({"stop": ""}, "stop must be a text or a list of texts", "stop"),
])
def test_wrong_infills(reader, fields, says, param):
    with pytest.raises(RequestError, match=says) as refused:
        infill(reader, **fields)
    assert refused.value.status == 400 and refused.value.body()["error"]["param"] == param


def test_another_model_is_not_found(reader):
    assert infill(reader, model="tiny").prompts
    with pytest.raises(RequestError, match="'other' does not exist"):
        infill(reader, model="other")
