"""AdamW: weight decay groups, trainable parameters, and state under the parameters' names."""

import numpy as np
import paddle
import pytest

from paddle_impl.optim.adamw import build_optimizer
from paddle_impl.optim.precision import Precision


def test_one_process_has_all_of_the_gradients(tiny_model):
    optimizer = build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1)
    (tiny_model(paddle.to_tensor([[1, 2, 3]])) ** 2).mean().backward()
    for gradient, p in zip(optimizer.gradients(), tiny_model.parameters(), strict=True):
        assert gradient.data_ptr() == p.grad.data_ptr()


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
    state = optimizer.state()
    assert "transformer.h.0.attn.c_attn.weight.moment1" in state
    names = {name for name, _ in tiny_model.named_parameters()}
    assert {key.rpartition(".")[0] for key in state} == names

    fresh = build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1)
    fresh.load_state(state)
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
    state = optimizer.state()
    with pytest.raises(ValueError, match="1 unknown \\['other"):
        optimizer.load_state(state | {"other.weight.moment1": np.ones(1)})
    some = {k: v for k, v in state.items() if not k.startswith("transformer.wpe")}
    with pytest.raises(ValueError, match="transformer.wpe.weight trained now and not there; "):
        optimizer.load_state(some)
    part = {k: v for k, v in state.items() if k != "transformer.wpe.weight.moment1"}
    with pytest.raises(ValueError, match="1 missing \\['transformer.wpe.weight.moment1"):
        optimizer.load_state(part)
    short = state | {"transformer.wpe.weight.moment1": np.ones((3, 16), np.float32)}
    with pytest.raises(ValueError, match=r"wpe.weight.moment1 has shape \[3, 16\] .* \[24, 16\]"):
        optimizer.load_state(short)


def test_state_before_the_first_step_is_that_of_a_new_optimizer(tiny_model):
    """A run whose first steps all overflowed has taken none when it is saved."""
    optimizer = build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1)
    state = optimizer.state()
    assert not any(array.any() for key, array in state.items() if "moment" in key)
    assert state["transformer.wpe.weight.beta1_pow_acc"] == np.float32(0.9)
    weights = {name: p.numpy() for name, p in tiny_model.named_parameters()}
    optimizer.load_state(state)
    for name, value in optimizer.weights().items():
        np.testing.assert_array_equal(value, weights[name])
    one_step(tiny_model, optimizer)
    expected = {name: p.numpy() for name, p in tiny_model.named_parameters()}

    for name, p in tiny_model.named_parameters():
        p.set_value(weights[name])
    one_step(tiny_model, build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1))
    for name, p in tiny_model.named_parameters():
        np.testing.assert_array_equal(p.numpy(), expected[name])


def frozen_but(model, *endings):
    for name, parameter in model.named_parameters():
        parameter.stop_gradient = not name.endswith(endings)


def test_only_trainable_parameters_are_updated_and_have_state(tiny_model):
    frozen_but(tiny_model, "ln_f.weight", "ln_f.bias")
    before = {name: p.numpy() for name, p in tiny_model.named_parameters()}
    optimizer = build_optimizer(tiny_model, learning_rate=0.1, weight_decay=0.5)
    one_step(tiny_model, optimizer)
    moved = {name for name, p in tiny_model.named_parameters()
             if not np.array_equal(p.numpy(), before[name])}
    assert moved == {"transformer.ln_f.weight", "transformer.ln_f.bias"}
    state = optimizer.state()
    assert {key.rpartition(".")[0] for key in state} == moved and len(state) == 8
    weights = optimizer.weights()  # of the whole model, frozen tensors too
    assert weights.keys() == before.keys()
    np.testing.assert_array_equal(weights["transformer.wte.weight"],
                                  before["transformer.wte.weight"])
    fresh = build_optimizer(tiny_model, learning_rate=0.1, weight_decay=0.5)
    fresh.load_state(state)
    for key, value in fresh.state().items():
        np.testing.assert_array_equal(value, state[key])


def test_a_model_without_trainable_parameters_is_refused(tiny_model):
    frozen_but(tiny_model, "no such name")
    with pytest.raises(ValueError, match="no trainable parameter"):
        build_optimizer(tiny_model, learning_rate=0.1, weight_decay=0.5)


def test_the_state_of_another_trainable_set_is_refused_by_name(tiny_model):
    optimizer = build_optimizer(tiny_model, learning_rate=0.1, weight_decay=0.5)
    state = optimizer.state()
    frozen_but(tiny_model, "wpe.weight", "ln_f.bias")
    other = build_optimizer(tiny_model, learning_rate=0.1, weight_decay=0.5)
    with pytest.raises(ValueError, match=r"transformer.h.0.attn.c_attn.bias, .* more trained there "
                                         "and frozen now; train the same"):
        other.load_state(state)


def test_frozen_weights_keep_their_bits_beside_masters(tiny_model):
    """float64 stands for float32, and float32 for the lower type."""
    tiny_model.to(dtype="float64")
    stream = np.random.default_rng(0)
    for parameter in tiny_model.parameters():
        parameter.set_value(stream.standard_normal(parameter.shape))
    frozen_but(tiny_model, "mlp.c_fc.bias", "ln_1.weight")
    before = {name: p.numpy() for name, p in tiny_model.named_parameters()}
    optimizer = build_optimizer(tiny_model, learning_rate=0.1, weight_decay=0.5,
                                precision=Precision("O2", "float32"))
    for name, parameter in tiny_model.named_parameters():
        lowered = ".ln_" not in name
        assert str(parameter.dtype).endswith("float32" if lowered else "float64")
        assert parameter.stop_gradient != name.endswith(("mlp.c_fc.bias", "ln_1.weight"))
    for name, value in optimizer.weights().items():
        np.testing.assert_array_equal(value, before[name], strict=True)
