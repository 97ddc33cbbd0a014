"""What config.json says of a classifier."""

import json

import pytest

from paddle_impl.config.classifier import ClassifierConfig, shape_from_hf
from paddle_impl.config.model import ModelConfig

SHAPE = ModelConfig(n_layer=2, n_embd=8, n_head=2, vocab_size=30, n_positions=12)


@pytest.mark.parametrize(("more", "opens"), [
    ({}, True), ({"max_tokens": 7}, True), ({"pooling": "mean"}, False),
    ({"score_bias": True}, False),
    ({"pooling": "last", "max_tokens": 12, "pad_rows": True}, False),
])
def test_what_is_written_is_read_and_transformers_opens_what_it_computes(more, opens):
    config = ClassifierConfig.of(SHAPE, labels=("no", "yes"), pad_token_id=3, **more)
    written = json.loads(json.dumps(config.to_hf()))
    assert shape_from_hf(written) == config
    assert (written["model_type"] == "gpt2") == opens


def test_other_files_are_plain_shapes():
    assert type(shape_from_hf(SHAPE.to_hf())) is ModelConfig
    told = ClassifierConfig.of(SHAPE, max_tokens=5)
    assert ClassifierConfig.of(told, pooling="first").max_tokens == 5
    assert (told.longest, ClassifierConfig.of(SHAPE).longest) == (5, 12)


@pytest.mark.parametrize(("more", "told"), [
    ({"pooling": "best"}, "pooling is 'best', expected one of flexible, first, last, mean"),
    ({"max_tokens": 13}, "max_tokens is 13, expected a whole number from 1 to n_positions, 12"),
    ({"max_tokens": 0}, "max_tokens is 0"), ({"max_tokens": True}, "max_tokens is True"),
    ({"score_bias": 1}, "score_bias is 1, expected true or false"),
    ({"pad_rows": "no"}, "pad_rows is 'no'"), ({"pad_rows": True}, "pad_rows needs max_tokens"),
])
def test_lies_are_refused(more, told):
    with pytest.raises(ValueError, match=told):
        ClassifierConfig.from_hf(SHAPE.to_hf() | {"pooling": "flexible"} | more)
