"""Clipping, decay groups, and optimizer state under the parameters' own names."""

import numpy as np
import paddle
import pytest

from paddle_impl.optim import (
    build_optimizer,
    clip_grad_norm,
    load_optimizer_state,
    optimizer_state,
)


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
