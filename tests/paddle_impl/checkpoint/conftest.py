"""A checkpoint of a whole language model, as the base of adapters."""

import pytest

from paddle_impl.model import GPTForCausalLM, initialize
from tests.paddle_impl.checkpoint.low_rank import CONFIG, saved


@pytest.fixture
def base(tmp_path):
    model = GPTForCausalLM(CONFIG)
    initialize(model, 0)
    return saved(tmp_path / "base", model)[0]
