"""Properties of the model beside parity: causality, the cache, positions, initial weights."""

import math

import numpy as np
import paddle
import pytest

from paddle_impl.config.model import ModelConfig
from paddle_impl.convert.hugging_face import to_hf
from paddle_impl.model import GPTForCausalLM, causal_mask, initialize
from paddle_impl.parallel.tensor import WHOLE
from tests.paddle_impl.meeting import CONFIG, together

TOKENS = np.random.default_rng(0).integers(0, 50, (2, 12))


def logits(model, tokens, cache=None):
    with paddle.no_grad():
        return model(paddle.to_tensor(tokens), cache).numpy()


def test_a_later_token_cannot_change_an_earlier_logit(tiny_model):
    changed = TOKENS.copy()
    changed[:, 7] = (changed[:, 7] + 1) % 50
    before, after = logits(tiny_model, TOKENS), logits(tiny_model, changed)
    np.testing.assert_array_equal(before[:, :7], after[:, :7])
    assert np.abs(before[:, 7:] - after[:, 7:]).max(axis=(0, 2)).min() > 0


def test_every_earlier_token_is_seen(tiny_model):
    changed = TOKENS.copy()
    changed[:, 0] = (changed[:, 0] + 1) % 50
    difference = np.abs(logits(tiny_model, TOKENS) - logits(tiny_model, changed)).max(axis=(0, 2))
    assert difference.min() > 0


@pytest.mark.parametrize("pieces", [[5, 1, 1, 5], [1] * 12, [3, 4, 5]])
def test_the_cache_equals_full_recomputation(tiny_model, pieces):
    cache, parts, at = tiny_model.new_cache(), [], 0
    for size in pieces:
        parts.append(logits(tiny_model, TOKENS[:, at : at + size], cache))
        at += size
    np.testing.assert_allclose(np.concatenate(parts, 1), logits(tiny_model, TOKENS), atol=1e-6)


def test_positions_end(tiny_model):
    assert logits(tiny_model, np.zeros((1, 24), np.int64)).shape == (1, 24, 50)
    with pytest.raises(ValueError, match="25 tokens exceed the model's 24 positions"):
        logits(tiny_model, np.zeros((1, 25), np.int64))


def test_mask_by_hand():
    np.testing.assert_array_equal(
        causal_mask(2, 4, "float32").numpy() < 0, [[False, False, False, True], [False] * 4]
    )


def test_initial_weights_have_gpt2s_spread():
    model = GPTForCausalLM(ModelConfig(n_layer=3, n_embd=64, n_head=4, vocab_size=500))
    initialize(model, 7)
    for name, p in model.named_parameters():
        values = p.numpy()
        if name.endswith("bias"):
            assert not values.any(), name
        elif ".ln_" in name:
            assert (values == 1).all(), name
        else:
            std = 0.02 / math.sqrt(6) if name.endswith("c_proj.weight") else 0.02
            error = std / math.sqrt(2 * values.size)
            assert abs(values.std() - std) < 5 * error, name
            assert abs(values.mean()) < 5 * std / math.sqrt(values.size), name


def test_weights_depend_on_the_seed_and_nothing_else():
    config = ModelConfig(n_layer=1, n_embd=8, n_head=2, vocab_size=20)
    first, same, other = GPTForCausalLM(config), GPTForCausalLM(config), GPTForCausalLM(config)
    initialize(first, 1)
    paddle.seed(99)
    initialize(same, 1)
    initialize(other, 2)
    for name, p in first.named_parameters():
        np.testing.assert_array_equal(p.numpy(), dict(same.named_parameters())[name].numpy())
    assert (first.transformer.wte.weight != other.transformer.wte.weight).any()


def test_initial_weights_do_not_depend_on_the_degree():
    def work(parts):
        model = GPTForCausalLM(CONFIG, parts)
        initialize(model, 7)
        return to_hf(model)

    expected = work(WHOLE)
    for found in together(4, work):
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)


def test_dropout_is_off_in_eval_and_on_in_train():
    model = GPTForCausalLM(ModelConfig(n_layer=1, n_embd=8, n_head=2, vocab_size=50))
    initialize(model, 1)
    model.eval()
    np.testing.assert_array_equal(logits(model, TOKENS), logits(model, TOKENS))
    model.train()
    assert (logits(model, TOKENS) != logits(model, TOKENS)).any()
