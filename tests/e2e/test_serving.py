"""run_generation.py --serve as a user starts it."""

import itertools
import json
import re
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import paddle
import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState
from paddle_impl.config.decoding import Decoding
from paddle_impl.config.model import ModelConfig
from paddle_impl.decoding.sequences import uniform_draws
from paddle_impl.generate import generate
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.optim.adamw import build_optimizer

CLIENTS = 50
PROMPTS = ["def f(x):", "héllo", "日本", "for i in range(3):\n"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A checkpoint whose logits lie so far apart that a batch's rounding changes no choice."""
    tokenizer = Tokenizer.train(iter(["def f(x):\n    return x\n" * 9]), 300)
    model = GPTForCausalLM(ModelConfig(n_layer=2, n_embd=32, n_head=2, vocab_size=300,
                                       n_positions=128))
    initialize(model, 0)
    with paddle.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.set_value(parameter * 10.0)
    optimizer = build_optimizer(model, learning_rate=0.01, weight_decay=0.1)
    state = TrainingState(1, 4, 1, "k", "o", None, 4, {})
    return checkpoint.save(tmp_path_factory.mktemp("saved"), model, optimizer, state, tokenizer)


@pytest.fixture
def serve(start, saved):
    """Start the command; returns the job, its URL and a client."""

    def begin(*more):
        job = start(sys.executable, "run_generation.py", "--model_name_or_path", saved, "--serve",
                    "--port", 0, "--device", "cpu", *more)
        assert job.wait_until(lambda: re.search(r"serving \S+ at (\S+)/v1", job.said())), job.said()
        url = re.search(r"serving \S+ at (\S+)/v1", job.said()).group(1)
        return job, url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=120)

    return begin


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_writes_what_it_writes_offline_and_ends_with_0(
        serve, saved, command, tmp_path, number):
    job, url, client = serve()
    output = tmp_path / "out.jsonl"
    done = command("run_generation.py", "--model_name_or_path", saved, "--device", "cpu",
                   "--prompt", *PROMPTS, "--num_return_sequences", 2, "--seed", 5,
                   "--max_dec_len", 12, "--temperature", 1.5, "--output_file", output)
    assert done.returncode == 0, done.stderr
    expected = [json.loads(line)["text"] for line in output.read_text("utf-8").splitlines()]
    found = client.completions.create(
        model=saved.name, prompt=PROMPTS, n=2, seed=5, max_tokens=12, temperature=1.5,
        extra_body={"top_k": 5, "min_tokens": 1})
    assert [choice.text for choice in found.choices] == expected
    job.process.send_signal(number)
    assert job.wait() == 0, job.said()
    assert len(job.said().splitlines()) == 1, job.said()
    socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]))).close()


def test_a_taken_port_is_one_sentence_and_exit_code_2(saved, command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("run_generation.py", "--model_name_or_path", saved, "--serve", "--port",
                       port, "--device", "cpu")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"cannot listen on 127.0.0.1 port {port}" in line


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.exhaustive)])
def test_many_clients_for_a_while(serve, saved, seconds):
    kinds = [{"prompt": PROMPTS[kind % 4], "n": 1 + kind % 2, "seed": kind, "temperature": 1.5,
              "max_tokens": 4 + kind} for kind in range(12)]
    expected = [_offline(saved, **kind) for kind in kinds]
    job, _, client = serve("--max_concurrency", CLIENTS)
    end, sizes = time.monotonic() + seconds, []

    def ask(first: int) -> int:
        for count in itertools.count():
            if time.monotonic() > end:
                return count
            kind = (first + count) % len(kinds)
            assert _texts(client, saved.name, kinds[kind], stream=count % 2) == expected[kind]
            if first == 0:
                sizes.append((time.monotonic(), _resident(job.process.pid)))

    with ThreadPoolExecutor(CLIENTS) as pool:
        answered = sum(pool.map(ask, range(CLIENTS)))
    print(f"\n{answered / seconds:.1f} requests/s, {CLIENTS} clients, {seconds} s")
    assert answered >= CLIENTS
    if seconds >= 30:
        warm = max(size for at, size in sizes if at < end - seconds * 2 / 3)
        print(f"resident: {warm:.0f} MiB after a third of the time, {sizes[-1][1]:.0f} at the end")
        assert sizes[-1][1] < warm + 16
    job.process.send_signal(signal.SIGTERM)
    assert job.wait() == 0, job.said()
    assert len(job.said().splitlines()) == 1, job.said()


def _offline(saved, prompt, n, seed, temperature, max_tokens) -> list[str]:
    tokenizer = Tokenizer.load(saved)
    settings = Decoding(max_tokens, "sampling", num_return_sequences=n, temperature=temperature,
                        eos_token_ids=(tokenizer.eos_token_id,), vocab_size=tokenizer.vocab_size)
    (found,) = generate(checkpoint.load_model(saved), [tokenizer.encode(prompt).tolist()], settings,
                        draws=lambda index: uniform_draws(seed, index),
                        decode_bytes=tokenizer.decode_bytes)
    return [one.text for one in found]


def _texts(client, model, kind, stream) -> list[str]:
    if not stream:
        return [one.text for one in client.completions.create(model=model, **kind).choices]
    joined = [""] * kind["n"]
    for chunk in client.completions.create(model=model, stream=True, **kind):
        joined[chunk.choices[0].index] += chunk.choices[0].text
    return joined


def _resident(pid: int) -> float:
    """MiB of memory that the process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024
