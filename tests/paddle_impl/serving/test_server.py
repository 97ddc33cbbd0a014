"""Completions over HTTP equal those of generate(); the server starts and stops cleanly."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.decoding import Decoding
from paddle_impl.config.serving import ServingOptions
from paddle_impl.decoding.sequences import uniform_draws
from paddle_impl.generate import generate
from paddle_impl.serving.server import Server
from tests.paddle_impl.serving.conftest import SECONDS, Nothing, Running, until

PROMPTS = ["def f(x):", "héllo", "", "日本", "a" * 40]


@pytest.fixture(scope="module")
def real(sharp_model, tmp_path_factory):
    running = Running(sharp_model, tmp_path_factory.mktemp("tiny"), rows=8)
    yield running
    running.end()


def offline(running, model, prompts, seed, temperature=1.5, n=1, new=12, stop=(), **more):
    tokenizer = running.tokenizer
    ids = [[int(i) for i in tokenizer.encode(one)] or [256] if isinstance(one, str) else one
           for one in prompts]
    found = generate(
        model, ids, Decoding(
            max_new_tokens=new, strategy="sampling" if temperature else "greedy_search",
            temperature=temperature or 1.0, num_return_sequences=n, eos_token_ids=(256,),
            stop=stop, vocab_size=257, **more),
        draws=lambda index: uniform_draws(seed, index), decode_bytes=tokenizer.decode_bytes,
    )
    return [one.text for continuations in found for one in continuations]


def texts(completion):
    return [choice.text for choice in completion.choices]


@pytest.mark.parametrize("settings", [
    {"temperature": 0}, {"temperature": 1.5, "n": 3}, {"temperature": 0.7, "top_p": 0.8},
])
def test_texts_are_those_of_generate(real, sharp_model, settings):
    completion = real.complete(PROMPTS, seed=7, max_tokens=12, **settings)
    assert texts(completion) == offline(real, sharp_model, PROMPTS, 7, **settings)
    assert [one.index for one in completion.choices] == list(range(len(completion.choices)))
    assert completion.usage.prompt_tokens == 9 + 6 + 1 + 6 + 40
    assert 0 < completion.usage.completion_tokens <= 12 * len(completion.choices)


def test_vllms_fields_and_ids_reach_the_model(real, sharp_model):
    fields = {"top_k": 3, "repetition_penalty": 1.7, "min_tokens": 2}
    ids = [[100, 101, 102], [5]]
    found = real.complete(ids, seed=3, max_tokens=12, temperature=1.5, extra_body=fields)
    expected = offline(real, sharp_model, ids, 3, top_k=3, repetition_penalty=1.7,
                       min_new_tokens=2)
    assert texts(found) == expected != offline(real, sharp_model, ids, 3)


@pytest.mark.parametrize("stop", [None, "a", ["\x00", "e", "\x10", "z"]])
def test_pieces_joined_are_the_whole(real, stop):
    settings = {"seed": 11, "max_tokens": 20, "temperature": 2.0, "n": 2, "stop": stop}
    whole = real.complete(PROMPTS, **settings)
    joined, reasons = [""] * 10, [None] * 10
    for chunk in real.complete(PROMPTS, stream=True, **settings):
        for choice in chunk.choices:
            joined[choice.index] += choice.text
            reasons[choice.index] = choice.finish_reason
    assert joined == texts(whole)
    assert reasons == [choice.finish_reason for choice in whole.choices]


def test_without_a_seed_texts_differ(real):
    assert len({real.complete("x", max_tokens=12, temperature=3.0).choices[0].text
                for _ in range(3)}) > 1


def test_fifty_clients_at_once_get_what_each_would_get_alone(real, sharp_model):
    kinds = [{"prompt": PROMPTS[kind % len(PROMPTS)], "seed": kind, "n": 1 + kind % 3,
              "max_tokens": 4 + kind} for kind in range(8)]

    def ask(number):
        kind = kinds[number % len(kinds)]
        if number % 3:
            return texts(real.complete(temperature=1.5, **kind))
        joined = [""] * kind["n"]
        for chunk in real.complete(temperature=1.5, stream=True, **kind):
            joined[chunk.choices[0].index] += chunk.choices[0].text
        return joined

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    alone = [offline(real, sharp_model, [one["prompt"]], one["seed"], n=one["n"],
                     new=one["max_tokens"]) for one in kinds]
    assert answers == [alone[number % len(kinds)] for number in range(50)]


def test_a_long_answer_ends_where_the_positions_end(real):
    completion = real.complete("a" * 60, max_tokens=30, extra_body={"min_tokens": 30})
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens == 4


def test_a_taken_port_is_refused_in_one_sentence(start, tmp_path):
    port = int(start().url.rpartition(":")[2])
    with pytest.raises(ValueError, match=f"cannot listen on 127.0.0.1 port {port}"):
        Server(Nothing, Tokenizer.byte_level(),
               ServingOptions(model_name_or_path=str(tmp_path), port=port))


def test_running_requests_finish_and_new_ones_are_refused(start):
    running = start("Hello")
    running.decoder.held.clear()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(running.complete, temperature=0)
        until(lambda: running.decoder.steps)
        running.server.stop()
        until(lambda: httpx.get(f"{running.url}/health").status_code == 503)
        with pytest.raises(openai.InternalServerError, match="shutting down") as refused:
            running.complete()
        running.decoder.held.set()
        assert answer.result().choices[0].text == "Hello"
    assert refused.value.status_code == 503 and "retry-after" in refused.value.response.headers
    running.thread.join(30)
    assert not running.thread.is_alive()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{running.url}/health")


def test_after_the_grace_what_still_runs_is_ended(start):
    running = start("Hello " * 8, grace=0.2)
    running.decoder.held.clear()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(running.complete, temperature=0, max_tokens=60)
        until(lambda: running.decoder.steps)
        running.server.stop()
        until(running.server._engine._inbox.qsize)  # it is told to end after its step
        running.decoder.held.set()
        with pytest.raises(openai.InternalServerError, match="shutting down"):
            answer.result()


def test_a_second_signal_takes_the_grace_away(start):
    running = start(grace=100 * SECONDS)
    running.decoder.held.clear()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(running.complete, temperature=0)
        until(lambda: running.decoder.steps)
        for _ in range(2):
            running.server._loop.call_soon_threadsafe(running.server._signalled)
        until(running.server._engine._inbox.qsize)
        running.decoder.held.set()
        with pytest.raises(openai.InternalServerError, match="shutting down"):
            answer.result()


def test_ipv6(start):
    try:
        running = start(host="::1")
    except ValueError as error:
        pytest.skip(f"this machine has no ::1: {error}")
    assert running.url.startswith("http://[::1]:")
    assert running.complete(temperature=0).choices[0].text == "Hello"


def test_no_thread_is_left(start):
    before = set(threading.enumerate())
    running = start()
    running.complete(temperature=0)
    running.end()
    left = {one.name for one in set(threading.enumerate()) - before}
    assert left == set()
