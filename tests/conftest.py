"""Fixtures of all tests. Paddle is imported here first, configured as the commands configure it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from paddle_impl.process import runtime

runtime.import_paddle("cpu")

ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Processes for -n auto: few, because each imports Paddle, and more would not be faster."""
    return min(runtime.core_count(), 4)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory) -> Path:
    """A directory with one dataset of 40 short documents, 300 tokens in the vocabulary."""
    from data_tools.token_files.writer import TokenFileWriter
    from data_tools.tokenizing.tokenizer import Tokenizer

    texts = [
        "".join(f"def f_{i}_{j}(a, b):\n    return a + b * {i * j}\n\n" for j in range(3 + i % 5))
        for i in range(40)
    ]
    tokenizer = Tokenizer.train(iter(texts), 300)
    directory = tmp_path_factory.mktemp("tiny_data")
    with TokenFileWriter(directory / "code", tokenizer.vocab_size, tokenizer) as writer:
        for ids in tokenizer.encode_batch(texts):
            writer.append(np.append(ids, tokenizer.eos_token_id))
    return directory


@pytest.fixture
def tiny_model():
    """A two-layer model without dropout, initialised from seed 0."""
    from paddle_impl.config.model import ModelConfig
    from paddle_impl.model import GPTForCausalLM, initialize

    model = GPTForCausalLM(ModelConfig(
        n_layer=2, n_embd=16, n_head=2, vocab_size=50, n_positions=24,
        embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0, bos_token_id=0, eos_token_id=0,
    ))
    initialize(model, 0)
    return model


@pytest.fixture
def command():
    """Run `python <arguments>` in the repository root as a user would; returns the process."""

    def run(*arguments, timeout: float = 300, input: str | None = None,
            **more) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True,
            input=input, timeout=timeout, env=os.environ | {"PYTHONPATH": str(ROOT)} | more,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def walls() -> None:
    """Skips the test on a machine that cannot isolate generated programs."""
    from paddle_impl.evaluation.humaneval.sandbox import Sandbox

    try:
        Sandbox(30.0, 256)
    except ValueError as error:
        pytest.skip(str(error))
