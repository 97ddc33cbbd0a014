"""A small model, exported once for all tests of this folder."""

from pathlib import Path

import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.model import ModelConfig
from paddle_impl.export import export_model
from paddle_impl.model import GPTForCausalLM, initialize

POSITIONS, EOS = 24, 256


def new_model(vocab_size: int = 260) -> GPTForCausalLM:
    """Wide weights, so that greedy text varies; three ids of the 260 are padding."""
    model = GPTForCausalLM(ModelConfig(
        n_layer=2, n_embd=16, n_head=2, vocab_size=vocab_size, n_positions=POSITIONS,
        initializer_range=0.4, bos_token_id=EOS, eos_token_id=EOS,
    ))
    initialize(model, 0)
    return model


@pytest.fixture(scope="session")
def exported(tmp_path_factory) -> tuple[GPTForCausalLM, Path]:
    """The model, and the folder: read only."""
    model, out = new_model(), tmp_path_factory.mktemp("export") / "out"
    export_model(model, Tokenizer.byte_level(), out)
    return model, out


@pytest.fixture
def copied(exported, tmp_path):
    """A copy of the exported folder that a test may damage."""
    out = tmp_path / "out"
    out.mkdir()
    for file in exported[1].iterdir():
        (out / file.name).write_bytes(file.read_bytes())
    return out
