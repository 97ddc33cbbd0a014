"""Fields of a request; an invalid one is refused with one sentence."""

import asyncio
import json

import openai
import pytest

from data_tools.tokenizing.chat_template import ChatTemplate
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.serving import ServingOptions
from paddle_impl.serving.errors import RequestError
from paddle_impl.serving.job import Job
from paddle_impl.serving.request import Reader
from tests.paddle_impl.serving.conftest import CHAT, Nothing


@pytest.fixture
def reader():
    options = ServingOptions(model_name_or_path="tiny", max_new_tokens=40, max_prompt_tokens=30,
                             rows=4)
    return Reader(Nothing.config, Tokenizer.byte_level(), options, ChatTemplate(CHAT, {}))


def completion(reader, **fields):
    return reader.completion(json.dumps({"model": "tiny", "prompt": "x"} | fields).encode())


def chat(reader, **fields):
    messages = [{"role": "user", "content": "x"}]
    return reader.chat(json.dumps({"model": "tiny", "messages": messages} | fields).encode())


@pytest.mark.parametrize(("prompt", "ids"), [
    ("ab", [[97, 98]]), ("", [[256]]), (["a", ""], [[97], [256]]), ([1, 2], [[1, 2]]),
    ([[1, 2], [3]], [[1, 2], [3]]), ("<|endoftext|>", [list(b"<|endoftext|>")]),
])
def test_every_form_of_a_prompt(reader, prompt, ids):
    assert completion(reader, prompt=prompt).prompts == ids


def test_defaults_are_openais(reader):
    request = completion(reader)
    (decoding,) = request.decodings
    assert (decoding.strategy, decoding.max_new_tokens, decoding.temperature) == ("sampling", 16, 1)
    assert (decoding.top_p, decoding.top_k, decoding.stop, request.n) == (1, 0, (), 1)
    assert decoding.eos_token_ids == (256,) and decoding.vocab_size == 257
    assert not request.stream and request.echo is None
    assert chat(reader).decodings[0].max_new_tokens == 40
    assert chat(reader, max_completion_tokens=5).decodings[0].max_new_tokens == 5


def test_null_is_as_good_as_absent_and_neutral_values_are_taken(reader):
    fields = dict.fromkeys(("max_tokens", "temperature", "stop", "seed", "stream", "logprobs",
                            "suffix", "logit_bias", "stream_options", "n", "echo", "best_of"))
    fields |= {"presence_penalty": 0, "frequency_penalty": 0.0, "top_k": -1, "user": "someone"}
    assert completion(reader, **fields).decodings == completion(reader).decodings


def test_without_a_seed_it_is_drawn(reader):
    assert len({completion(reader).seed for _ in range(5)}) > 1
    assert completion(reader, seed=2**40).seed == 2**40


@pytest.mark.parametrize(("fields", "says", "param"), [
    ({"prompt": None}, "prompt must be a text, a list of texts", "prompt"),
    ({"prompt": []}, "prompt must be", "prompt"),
    ({"prompt": ["a", 1]}, "prompt must be", "prompt"),
    ({"prompt": [True]}, "prompt must be", "prompt"),
    ({"prompt": "\ud800"}, "prompt must be", "prompt"),
    ({"prompt": [[]]}, "the prompt has no tokens", "prompt"),
    ({"prompt": [257]}, "outside the vocabulary 0 to 256", "prompt"),
    ({"prompt": [10**30], "echo": True}, "outside the vocabulary", "prompt"),
    ({"prompt": "a" * 31}, "has 31 tokens; at most 30 are accepted", "prompt"),
    ({"prompt": ["a"] * 2049}, "2049 texts; at most 2048", "prompt"),
    ({"max_tokens": 41}, "max_tokens must be an integer from 1 to 40, got 41", "max_tokens"),
    ({"max_tokens": 0}, "from 1 to 40, got 0", "max_tokens"),
    ({"max_tokens": 2.0}, "max_tokens must be an integer", "max_tokens"),
    ({"max_tokens": True}, "max_tokens must be an integer", "max_tokens"),
    ({"min_tokens": 17}, "min_tokens must be an integer from 0 to 16", "min_tokens"),
    ({"temperature": -1}, "temperature must be", "temperature"),
    ({"temperature": 1e-9}, "temperature must be 0 or at least", "temperature"),
    ({"temperature": "1"}, "temperature must be a number", "temperature"),
    ({"top_p": 0}, r"top_p must lie in \(0, 1\], got 0", "top_p"),
    ({"top_p": 1.5}, "top_p must be a number from 0 to 1", "top_p"),
    ({"top_k": -2}, "top_k must be an integer of at least -1", "top_k"),
    ({"repetition_penalty": 0}, "repetition_penalty must be a number from 0.1", None),
    ({"n": 5}, "n must be an integer from 1 to 4", "n"),
    ({"n": 2, "temperature": 0}, "n must be 1 with temperature 0", "n"),
    ({"seed": -1}, "seed must be an integer of at least 0", "seed"),
    ({"stop": ""}, "stop must be a text or a list of texts, none of them empty", "stop"),
    ({"stop": ["a", ""]}, "none of them empty", "stop"),
    ({"stop": ["a", 1]}, "stop must be", "stop"),
    ({"stop": "é" * 32_769}, "stop has 65538 bytes in all; at most 65536 are accepted", "stop"),
    ({"stop": ["a" * 4096] * 17}, "stop has 69632 bytes in all", "stop"),
    ({"prompt": ["a"] * 1025, "n": 2}, "makes 2050 sequences; at most 2048 are accepted", "n"),
    ({"stream": 1}, "stream must be true or false, got 1", "stream"),
    ({"echo": "yes"}, "echo must be true or false", "echo"),
    ({"stream_options": {}}, "stream_options is for stream: true", "stream_options"),
    ({"stream": True, "stream_options": {"usage": True}}, "include_usage", "stream_options"),
    ({"stream": True, "stream_options": [1]}, "include_usage", "stream_options"),
    ({"presence_penalty": 0.5}, "presence_penalty is not supported", "presence_penalty"),
    ({"frequency_penalty": True}, "not supported: leave it out or give 0", None),
    ({"logit_bias": {"1": 2}}, "logit_bias is not supported", "logit_bias"),
    ({"logprobs": 0}, "logprobs is not supported", "logprobs"),
    ({"best_of": 2}, "best_of is not supported: leave it out or give 1", "best_of"),
    ({"suffix": "x"}, "this tokenizer has no <fim_prefix>", "suffix"),
    ({"max_tokns": 5}, "unrecognized request argument: 'max_tokns'", "max_tokns"),
    ({"model": None}, "you must provide a model", "model"),
    ({"model": 3}, "model must be a string", "model"),
])
def test_what_is_wrong_is_said_in_one_sentence(reader, fields, says, param):
    with pytest.raises(RequestError, match=says) as refused:
        completion(reader, **fields)
    error = refused.value.body()["error"]
    assert refused.value.status == 400 and error["type"] == "invalid_request_error"
    assert param in (None, error["param"])


def test_as_many_stop_strings_as_an_editor_sends(reader):
    stop = [f"\n{number} " for number in range(14)]
    assert completion(reader, stop=stop).decodings[0].stop == tuple(stop)
    assert completion(reader, stop=["a", "b", "a"]).decodings[0].stop == ("a", "b")
    assert completion(reader, stop="a" * 65_536).stops.length[-1] == 65_536


def test_as_many_sequences_as_are_accepted(reader):
    request = completion(reader, prompt=["a"] * 512, n=4)
    assert len(request.prompts) * request.n == 2048


def test_all_sequences_of_a_request_share_its_stop_strings(reader):
    async def made():
        request = completion(reader, prompt=["a", "b"], n=2, stop=["x" * 1000])
        return Job(request, Tokenizer.byte_level().decode_bytes)

    states = asyncio.run(made()).prompt_states
    sequences = [sequence for state in states for sequence in state.sequences]
    assert len(sequences) == 4
    assert len({id(sequence.text._stops) for sequence in sequences}) == 1


def test_a_text_that_cannot_fit_is_not_encoded(reader, monkeypatch):
    """The longest token is <|endoftext|>, of 13 bytes, and 30 tokens are accepted."""
    assert completion(reader, prompt=["a" * 30]).prompts == [[97] * 30]
    with pytest.raises(RequestError, match="has 390 tokens; at most 30"):
        completion(reader, prompt="a" * 390)
    monkeypatch.setattr(Tokenizer, "encode", lambda *given, **more: pytest.fail("encoded"))
    for ask in (lambda: completion(reader, prompt=["é" * 196]),
                lambda: chat(reader, messages=[{"role": "user", "content": "a" * 391}])):
        with pytest.raises(RequestError, match="bytes, too many for 30 tokens") as refused:
            ask()
        assert refused.value.body()["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(("fields", "says"), [
    ({"messages": []}, "messages must be a list of at least one"),
    ({"messages": ["x"]}, r"messages\[0\] must be an object"),
    ({"messages": [{"role": "user"}]}, r"messages\[0\].content must be a text"),
    ({"messages": [{"content": "x"}]}, r"messages\[0\].role must be a text"),
    ({"messages": [{"role": "user", "content": "x", "tool_calls": []}]}, "tool_calls is not"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "content must be"),
    ({"tools": [{"type": "function"}]}, "tools is not supported"),
    ({"response_format": {"type": "json_object"}}, "response_format is not supported"),
    ({"logprobs": True}, "logprobs is not supported"),
    ({"prompt": "x"}, "unrecognized request argument: 'prompt'"),
    ({"max_completion_tokens": 0}, "max_completion_tokens must be"),
])
def test_wrong_chats(reader, fields, says):
    with pytest.raises(RequestError, match=says):
        chat(reader, **fields)


def test_a_refusal_can_be_sent_whatever_it_repeats(reader):
    with pytest.raises(RequestError) as refused:
        chat(reader, messages=[{"role": "user", "content": "x", "\ud800": 1}])
    message = refused.value.body()["error"]["message"]
    assert message.encode() == rb"messages[0].\ud800 is not supported"


def test_parts_of_a_content_are_lines(reader):
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    request = chat(reader, messages=[{"role": "user", "content": parts}])
    assert bytes(request.prompts[0]) == b"user: a\nb\nassistant: "


def test_special_tokens_of_the_template_are_tokens(reader):
    reader._template = ChatTemplate("{{ messages[0].content }}{{ eos_token }}",
                                    {"eos_token": "<|endoftext|>"})
    assert chat(reader).prompts == [[ord("x"), 256]]


def test_messages_that_the_template_refuses_are_the_clients_fault(reader):
    reader._template = ChatTemplate("{{ raise_exception('roles must alternate') }}", {})
    with pytest.raises(RequestError) as refused:
        chat(reader)
    assert refused.value.status == 400 and refused.value.body() == {"error": {
        "message": "the chat template refuses the messages: roles must alternate",
        "type": "invalid_request_error", "param": "messages", "code": None}}


@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b"\xff", b'{"temperature": NaN}', b'{"a": ' * 9 + b"[" * 100_000,
])
def test_what_is_no_json_object(reader, content):
    with pytest.raises(RequestError, match="the body"):
        reader.completion(content)


def test_another_model_is_not_found_and_nothing_wrong_reaches_the_engine(start):
    running = start()
    with pytest.raises(openai.NotFoundError, match="'other' does not exist"):
        running.client.completions.create(model="other", prompt="x")
    with pytest.raises(openai.BadRequestError, match="at most 63") as refused:
        running.complete("a" * 64)
    assert refused.value.code == "context_length_exceeded" and refused.value.param == "prompt"
    assert running.decoder.steps == 0 and not running.decoder._at
