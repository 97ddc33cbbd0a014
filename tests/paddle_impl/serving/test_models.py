"""Several models of one server: each has its name, its tokenizer and its own weights."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.serving import ServingOptions
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.serving.server import Server
from paddle_impl.text.generator import TextGenerator
from tests.paddle_impl.serving.conftest import BYTES, CHAT, Nothing, Reciter, Running, until


def model(seed, vocabulary):
    made = GPTForCausalLM(ModelConfig(
        n_layer=1, n_embd=16, n_head=2, vocab_size=vocabulary, n_positions=32 + seed,
        initializer_range=0.5, bos_token_id=256, eos_token_id=256))
    initialize(made, seed)
    made.eval()
    return made


@pytest.fixture(scope="module")
def models():
    plain = Tokenizer.byte_level()
    return {"tiny": (model(0, 257), plain), "a": (model(1, 257), plain),
            "b": (model(2, 262), BYTES)}


@pytest.fixture
def running(models, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "chat_template.jinja").write_text(CHAT)
    options = [(*models[name], ServingOptions(
        model_name_or_path=str(tmp_path), served_model_name=name, adapter=str(tmp_path / name)))
        for name in "ab"]
    one = Running(models["tiny"][0], tmp_path, others=options)
    yield one
    one.end()


def texts(running, name, stream):
    made = running.client.completions.create(
        model=name, prompt=["def", "x"], seed=3, max_tokens=8, stream=stream)
    if not stream:
        assert made.model == name
        return [one.text for one in made.choices]
    joined = ["", ""]
    for chunk in made:
        assert chunk.model == name
        joined[chunk.choices[0].index] += chunk.choices[0].text
    return joined


@pytest.mark.parametrize("stream", [False, True])
def test_each_answers_under_its_name(running, models, stream):
    found = {name: texts(running, name, stream) for name in models}
    for name, (own, tokenizer) in models.items():
        assert found[name] == TextGenerator(own, tokenizer).complete(
            ["def", "x"], seed=3, max_dec_len=8, top_k=0, min_dec_len=0)
    assert found["tiny"] != found["a"] != found["b"] != found["tiny"]


def test_they_are_listed(running):
    listed = running.client.models.list().data
    assert [one.id for one in listed] == ["tiny", "a", "b"]
    assert [one.max_model_len for one in listed] == [32, 33, 34]
    assert running.client.models.retrieve("b").id == "b"
    with pytest.raises(openai.NotFoundError, match="the model 'c' does not exist"):
        running.client.models.retrieve("c")


def test_an_unknown_name_is_refused_and_none_at_all_too(running):
    with pytest.raises(openai.NotFoundError, match="the model 'c' does not exist"):
        running.client.completions.create(model="c", prompt="x")
    told = httpx.post(f"{running.url}/v1/completions", json={"prompt": "x"})
    assert told.status_code == 400 and "model" in told.json()["error"]["message"]
    told = httpx.post(f"{running.url}/v1/completions", content=b"{",
                      headers={"Content-Type": "application/json"})
    assert told.status_code == 400 and "not JSON" in told.json()["error"]["message"]


def test_each_has_its_tokenizer_and_its_chat(running):
    gap = {"input_prefix": "a", "input_suffix": "b", "n_predict": 3}
    refused = httpx.post(f"{running.url}/infill", json=gap)  # the first has no control tokens
    assert refused.status_code == 400
    told = httpx.post(f"{running.url}/infill", json=gap | {"model": "b"}).json()
    assert (told["model"], told["stop"]) == ("b", True)
    chat = {"messages": [{"role": "user", "content": "h"}], "max_tokens": 2}
    assert running.client.chat.completions.create(model="b", **chat).model == "b"
    with pytest.raises(openai.BadRequestError, match="no chat template"):
        running.client.chat.completions.create(model="a", **chat)


def test_two_of_one_name_are_refused(tmp_path):
    own = (Nothing, Tokenizer.byte_level(),
           ServingOptions(model_name_or_path=str(tmp_path), port=0, served_model_name="x"))
    with pytest.raises(ValueError, match="two models are called x"):
        Server(*own, others=[own])


def test_one_that_fails_leaves_the_others_at_work(tmp_path):
    decoders = []

    def make(rows, positions):
        decoders.append(Reciter(rows, positions, "Hello"))
        return decoders[-1]

    other = (Nothing, Tokenizer.byte_level(),
             ServingOptions(model_name_or_path=str(tmp_path), served_model_name="a"))
    one = Running(Nothing, tmp_path, make, others=[other])

    def ask(name):
        return one.client.completions.create(
            model=name, prompt="x", max_tokens=9, temperature=0).choices[0].text

    try:
        first, second = decoders[:2]
        first.held.clear()
        second.broken = RuntimeError("broken")
        with ThreadPoolExecutor(2) as pool:
            whole = pool.submit(ask, "tiny")
            until(lambda: first.steps)
            fails = pool.submit(ask, "a")
            until(lambda: httpx.get(f"{one.url}/health").json()["requests"] == 2)
            first.held.set()
            with pytest.raises(openai.InternalServerError):
                fails.result()
            assert whole.result() == "Hello"
        assert ask("a") == "Hello" and len(decoders) == 3
    finally:
        one.end()
