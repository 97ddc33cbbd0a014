"""Recompute keeps fewer activations and computes the same results bit for bit."""

import numpy as np
import paddle
import pytest

from paddle_impl.config.model import ModelConfig
from paddle_impl.model import Block, GPTForCausalLM, initialize
from paddle_impl.objectives import causal_lm
from paddle_impl.parallel.tensor import WHOLE, Parts
from tests.paddle_impl.meeting import together

CONFIG = ModelConfig(n_layer=3, n_embd=32, n_head=4, vocab_size=53, initializer_range=0.2)
IDS = np.random.default_rng(0).integers(0, 53, (2, 17))


def build(parts: Parts, recompute: bool) -> GPTForCausalLM:
    model = GPTForCausalLM(CONFIG, parts)
    initialize(model, 1)
    model.recompute = recompute
    return model


def loss_of(model) -> paddle.Tensor:
    return causal_lm(model, {
        "input_ids": paddle.to_tensor(IDS[:, :-1]), "labels": paddle.to_tensor(IDS[:, 1:]),
    })[0]


def two_micro_batches(parts: Parts, recompute: bool) -> dict[str, np.ndarray]:
    """Losses, the sum of the gradients, and a random number drawn afterwards; dropout on."""
    model = build(parts, recompute)
    found = {}
    paddle.seed(5)
    for index in range(2):
        loss = loss_of(model)
        loss.backward()
        found[f"loss {index}"] = loss.numpy()
    found["next number"] = paddle.rand([1]).numpy()
    return found | {name: p.grad.numpy() for name, p in model.named_parameters()}


@pytest.fixture
def calls(monkeypatch) -> list[Block]:
    """Records the block of every forward pass."""
    made = []

    def forward(block, *arguments, plain=Block.forward):
        made.append(block)
        return plain(block, *arguments)

    monkeypatch.setattr(Block, "forward", forward)
    return made


@pytest.mark.parametrize("degree", [1, 2])
def test_not_a_bit_changes_with_dropout_on(degree):
    def both(parts):
        return two_micro_batches(parts, False), two_micro_batches(parts, True)

    for kept, again in [both(WHOLE)] if degree == 1 else together(degree, both):
        assert kept["loss 0"] != kept["loss 1"]  # other masks: dropout is on
        for name, value in kept.items():
            np.testing.assert_array_equal(again[name], value, err_msg=name)


def test_every_block_runs_again_and_in_reverse(calls):
    model = build(WHOLE, recompute=True)
    loss = loss_of(model)
    forward = list(model.transformer.h)
    assert calls == forward
    loss.backward()
    assert calls == forward + forward[::-1]


def test_nothing_runs_again_without_the_flag_or_in_evaluation(calls):
    loss_of(build(WHOLE, recompute=False)).backward()
    assert len(calls) == 3
    model = build(WHOLE, recompute=True)
    model.eval()
    loss_of(model).backward()
    assert len(calls) == 6


def test_the_cache_is_filled_all_the_same():
    model = build(WHOLE, recompute=True)
    cache = model.new_cache()
    model(paddle.to_tensor(IDS[:, :5]), cache)
    assert [pair[0].shape for pair in cache] == [[2, 4, 5, 8]] * 3


def test_one_tensor_a_block_is_kept():
    """Bytes that Paddle lays by for the backward pass."""
    def kept(recompute):
        model, sizes = build(WHOLE, recompute), []
        with paddle.autograd.saved_tensors_hooks(
            lambda tensor: sizes.append(tensor.size * tensor.element_size()) or tensor,
            lambda tensor: tensor,
        ):
            loss_of(model)
        return sum(sizes)

    one = 2 * 16 * 32 * 4  # (B, T, C) in float32
    assert kept(False) - kept(True) > CONFIG.n_layer * 20 * one


TRAINED = {
    "all but the embeddings": lambda name: "wte" not in name and "wpe" not in name,
    "the last block": lambda name: ".h.2." in name,
    "queries, keys and values": lambda name: "c_attn.weight" in name,
    "the last norm": lambda name: "ln_f" in name,
}


@pytest.mark.parametrize("trained", TRAINED)
def test_frozen_parameters_change_no_gradient_of_the_others(trained, calls):
    """Those of a whole model are the reference; Paddle alone would give 0 or something else."""
    def gradients(recompute, is_trained):
        model = build(WHOLE, recompute)
        for name, parameter in model.named_parameters():
            parameter.stop_gradient = not is_trained(name)
        paddle.seed(5)
        loss_of(model).backward()
        return {name: None if p.grad is None else p.grad.numpy()
                for name, p in model.named_parameters()}

    expected = gradients(False, lambda name: True)
    for recompute in (False, True):
        del calls[:]
        for name, value in gradients(recompute, TRAINED[trained]).items():
            if not TRAINED[trained](name):
                assert value is None
                continue
            scale = np.abs(expected[name]).max()
            np.testing.assert_allclose(value, expected[name], rtol=0, atol=1e-5 * scale,
                                       err_msg=name)
    again = {"the last block": 1, "the last norm": 0}.get(trained, 3)
    assert len(calls) == 3 + again  # frozen blocks before the first trained one run once
