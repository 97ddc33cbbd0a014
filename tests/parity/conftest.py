"""A checkpoint as a user would have it."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def hub_checkpoint(tmp_path_factory) -> Path:
    """A model of two new layers, with an MLP of odd width, as save_pretrained writes it."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    directory = tmp_path_factory.mktemp("hub") / "two_layers"
    torch.manual_seed(0)
    shape = GPT2Config(n_layer=2, n_embd=16, n_head=2, n_inner=24, vocab_size=300, n_positions=24,
                       bos_token_id=0, eos_token_id=0)
    GPT2LMHeadModel(shape).save_pretrained(directory)
    return directory


@pytest.fixture
def copied(hub_checkpoint, tmp_path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(hub_checkpoint, tmp_path / "copy")
