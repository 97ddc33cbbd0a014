"""Clipping, decay groups, and optimizer state under the parameters' own names."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from paddle_impl.optim.adamw import (
    NormReduction,
    build_optimizer,
    clip_grad_norm,
    gradient_holders,
    load_optimizer_state,
    master_weights,
    optimizer_state,
    still_to_sum,
)
from paddle_impl.parallel.ranks import Ranks
from parity.paddle_side import meeting


def parameter(grad) -> paddle.Tensor:
    tensor = paddle.create_parameter(list(np.shape(grad)), "float32")
    (tensor * paddle.to_tensor(np.asarray(grad, np.float32))).sum().backward()
    return tensor


def test_clip_scales_by_the_norm_plus_a_millionth():
    tensors = [parameter([3.0]), parameter([[4.0, 0.0]])]
    assert clip_grad_norm(tensors, 1.0) == pytest.approx(5.0)
    assert tensors[0].grad.item() == pytest.approx(3.0 / (5.0 + 1e-6), rel=1e-7)


def test_a_small_gradient_is_left_alone():
    tensor = parameter([0.3, 0.4])
    assert clip_grad_norm([tensor], 1.0) == pytest.approx(0.5)
    np.testing.assert_array_equal(tensor.grad.numpy(), np.float32([0.3, 0.4]))


def test_zero_only_measures():
    tensor = parameter([30.0, 40.0])
    assert clip_grad_norm([tensor], 0.0) == pytest.approx(50.0)
    np.testing.assert_array_equal(tensor.grad.numpy(), np.float32([30, 40]))


def test_the_norm_of_a_large_tensor_is_right_in_float32():
    """Paddle's own p_norm adds element by element and is 0.1 % short at this size."""
    values = np.random.default_rng(0).standard_normal(2_400_000).astype(np.float32)
    expected = np.sqrt(np.sum(values.astype(np.float64) ** 2))
    assert clip_grad_norm([parameter(values)], 0.0) == pytest.approx(expected, rel=1e-6)


def test_half_precision_gradients_are_squared_in_float32():
    """float16 ends at 65504: the square of 300 is infinite there."""
    holder = SimpleNamespace(grad=paddle.to_tensor([300.0, 400.0]).astype("float16"))
    assert clip_grad_norm([holder], 0.0) == pytest.approx(500.0)


def test_squares_of_shares_are_summed_and_of_copies_counted_once():
    """Each of two processes has a 3 of the split tensor and the same 4; the last has no gradient.

    Clipped by the norm of (3, 3, 4), not of what a process has.
    """
    def work(ranks):
        holders = [parameter([3.0]), parameter([4.0]), SimpleNamespace(grad=None)]
        norm = clip_grad_norm(holders, 1.0, NormReduction((True, False, False), model=ranks.model))
        return norm, holders[0].grad.item(), holders[1].grad.item()

    norm = 34**0.5
    for got in meeting.run(2, work, model=2):
        assert got == pytest.approx((norm, 3 / norm, 4 / norm), rel=1e-6)


def test_squares_that_one_owner_has_reach_all():
    """The norm of (3, 4) where one process holds the 3 and the other the 4."""
    def work(ranks):
        holders = [parameter([3.0]), parameter([4.0])]
        holders[1 - ranks.data.rank] = SimpleNamespace(grad=None)
        return clip_grad_norm(holders, 0.0, NormReduction((False, False), owners=ranks.sharding))

    assert meeting.run(2, work, sharding=2) == [5.0, 5.0]


def test_an_infinite_share_makes_every_norm_infinite():
    """Or one process would step and the other not."""
    def work(ranks):
        holders = [parameter([np.inf if ranks.world.rank else 1.0]), parameter([1.0])]
        return clip_grad_norm(holders, 1.0, NormReduction((True, False), model=ranks.model))

    assert meeting.run(2, work, model=2) == [np.inf, np.inf]


def test_one_process_has_all_of_the_gradients(tiny_model):
    optimizer = build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1)
    assert isinstance(optimizer, paddle.optimizer.AdamW)
    assert NormReduction.of(tiny_model, optimizer, Ranks()) is None
    ranks = Ranks()
    assert still_to_sum(optimizer, ranks) is ranks.data
    for holder, p in zip(gradient_holders(tiny_model, optimizer), tiny_model.parameters(),
                         strict=True):
        assert holder is p


def one_step(model, optimizer):
    (model(paddle.to_tensor([[1, 2, 3]])) ** 2).mean().backward()
    optimizer.step()
    optimizer.clear_grad()


def test_decay_spares_biases_and_norms(tiny_model):
    """With zero gradients a step is the decay alone."""
    before = {name: p.numpy() for name, p in tiny_model.named_parameters()}
    optimizer = build_optimizer(tiny_model, learning_rate=0.1, weight_decay=0.5)
    for p in tiny_model.parameters():
        (p * 0.0).sum().backward()
    optimizer.step()
    for name, p in tiny_model.named_parameters():
        factor = 0.95 if p.ndim == 2 else 1.0
        np.testing.assert_allclose(p.numpy(), before[name] * np.float32(factor), rtol=1e-6)
    assert {name for name, p in tiny_model.named_parameters() if p.ndim != 2} == {
        name for name in before if name.endswith("bias") or ".ln_" in name
    }


def test_state_survives_a_round_trip_under_parameter_names(tiny_model):
    optimizer = build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1)
    one_step(tiny_model, optimizer)
    state = optimizer_state(tiny_model, optimizer)
    assert "transformer.h.0.attn.c_attn.weight.moment1" in state
    names = {name for name, _ in tiny_model.named_parameters()}
    assert {key.rpartition(".")[0] for key in state} == names

    fresh = build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1)
    load_optimizer_state(tiny_model, fresh, state)
    weights = {name: p.numpy() for name, p in tiny_model.named_parameters()}
    one_step(tiny_model, optimizer)
    expected = {name: p.numpy() for name, p in tiny_model.named_parameters()}
    for name, p in tiny_model.named_parameters():
        p.set_value(weights[name])
    one_step(tiny_model, fresh)
    for name, p in tiny_model.named_parameters():
        np.testing.assert_array_equal(p.numpy(), expected[name])


def test_state_of_another_model_is_refused(tiny_model):
    optimizer = build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1)
    one_step(tiny_model, optimizer)
    state = optimizer_state(tiny_model, optimizer)
    with pytest.raises(ValueError, match="1 unknown \\['other"):
        load_optimizer_state(tiny_model, optimizer, state | {"other.weight.moment1": np.ones(1)})
    some = {k: v for k, v in state.items() if not k.startswith("transformer.wpe")}
    with pytest.raises(ValueError, match="4 missing \\['transformer.wpe.weight.beta1_pow_acc"):
        load_optimizer_state(tiny_model, optimizer, some)
    short = state | {"transformer.wpe.weight.moment1": np.ones((3, 16), np.float32)}
    with pytest.raises(ValueError, match=r"wpe.weight.moment1 has shape \[3, 16\] .* \[24, 16\]"):
        load_optimizer_state(tiny_model, optimizer, short)


def test_state_before_the_first_step_is_that_of_a_new_optimizer(tiny_model):
    """A run whose first steps all overflowed has taken none when it is saved."""
    optimizer = build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1)
    state = optimizer_state(tiny_model, optimizer)
    assert not any(array.any() for key, array in state.items() if "moment" in key)
    assert state["transformer.wpe.weight.beta1_pow_acc"] == np.float32(0.9)
    weights = {name: p.numpy() for name, p in tiny_model.named_parameters()}
    load_optimizer_state(tiny_model, optimizer, state)
    for name, value in master_weights(tiny_model, optimizer).items():
        np.testing.assert_array_equal(value, weights[name])
    one_step(tiny_model, optimizer)
    expected = {name: p.numpy() for name, p in tiny_model.named_parameters()}

    for name, p in tiny_model.named_parameters():
        p.set_value(weights[name])
    one_step(tiny_model, build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1))
    for name, p in tiny_model.named_parameters():
        np.testing.assert_array_equal(p.numpy(), expected[name])
