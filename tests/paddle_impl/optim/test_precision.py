"""Levels of mixed precision, and a loss scale that changes as torch's does."""

import json
import math

import numpy as np
import paddle
import pytest
import torch

from paddle_impl.optim.clip import clip_grad_norm
from paddle_impl.optim.precision import FULL, LossScaler, Precision


@pytest.mark.parametrize("level", ["O1", "O2"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_cpu_is_refused(level, dtype):
    with pytest.raises(ValueError, match=f"{dtype} on --device cpu: .* leave --use_amp out"):
        Precision(level, dtype).check_device("cpu")
    FULL.check_device("cpu")


def test_a_gpu_without_the_type_is_refused(monkeypatch):
    monkeypatch.setattr(paddle.amp, "is_bfloat16_supported", lambda device: False)
    monkeypatch.setattr(paddle.amp, "is_float16_supported", lambda device: True)
    Precision("O1", "float16").check_device("gpu")
    with pytest.raises(ValueError, match="--dtype bfloat16: --device gpu lacks it"):
        Precision("O1", "bfloat16").check_device("gpu")


def test_autocast_is_paddles_with_paddlenlps_lists(monkeypatch):
    seen = []
    monkeypatch.setattr(paddle.amp, "auto_cast", lambda **options: seen.append(options))
    Precision("O2", "bfloat16").autocast()
    assert seen == [{
        "enable": True, "level": "O2", "dtype": "bfloat16",
        "custom_white_list": {"layer_norm", "softmax", "gelu"},
        "custom_black_list": {"reduce_sum", "softmax_with_cross_entropy",
                              "c_softmax_with_cross_entropy", "c_embedding"},
    }]
    with FULL.autocast():
        assert len(seen) == 1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("level", ["O1", "O2"])
def test_paddle_takes_the_arguments_of_autocast(level, dtype):
    """On a CPU it warns that it does nothing: why the device is checked."""
    with pytest.warns(UserWarning, match="makes no effect"), Precision(level, dtype).autocast():
        product = paddle.matmul(paddle.ones([2, 2]), paddle.ones([2, 2]))
    assert product.dtype == paddle.float32


def test_o2_lowers_everything_but_layer_norms(tiny_model):
    """float32 below float64 stands for float16 below float32."""
    tiny_model.to(dtype="float64")
    before = {name: p.numpy() for name, p in tiny_model.named_parameters()}
    tensors = tiny_model.parameters()
    for precision in (FULL, Precision("O1", "float32")):
        precision.cast(tiny_model)
        assert {p.dtype for p in tensors} == {paddle.float64}
    Precision("O2", "float32").cast(tiny_model)
    for name, p in tiny_model.named_parameters():
        assert (p.dtype == paddle.float64) == (".ln_" in name), name
        np.testing.assert_array_equal(p.numpy(), before[name].astype(p.numpy().dtype))
    assert all(a is b for a, b in zip(tensors, tiny_model.parameters(), strict=True))


def ours(scaler: LossScaler, pulls: list[np.ndarray]) -> list[tuple]:
    """(scale, whether the step is skipped, parameter) of each step; lr 0.5 rounds nothing."""
    weight = paddle.create_parameter([4], "float32", default_initializer=(
        paddle.nn.initializer.Constant(1.0)))
    optimizer = paddle.optimizer.SGD(0.5, parameters=[weight])
    trace = []
    for pull in pulls:
        scaler.scaled((weight * paddle.to_tensor(pull)).sum()).backward()
        scaler.unscale_([weight.grad])
        finite = math.isfinite(clip_grad_norm([weight], 0.0))
        if finite:
            optimizer.step()
        scaler.update(finite)
        optimizer.clear_grad()
        trace.append((scaler.scale, not finite, weight.numpy()))
    return trace


def torchs(scaler: torch.amp.GradScaler, pulls: list[np.ndarray]) -> list[tuple]:
    weight = torch.nn.Parameter(torch.ones(4))
    optimizer = torch.optim.SGD([weight], 0.5)
    trace = []
    for pull in pulls:
        before = weight.detach().clone()
        scaler.scale((weight * torch.from_numpy(pull)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        after = weight.detach().clone()
        trace.append((scaler.get_scale(), bool((after == before).all()), after.numpy()))
    return trace


def thirty_steps() -> list[np.ndarray]:
    """Gradients with inf or NaN in the first step, in several in a row, and after growth."""
    pulls = list(np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32))
    for step, bad in {0: math.inf, 1: math.nan, 7: -math.inf, 12: math.inf, 13: math.inf,
                      29: math.nan}.items():
        pulls[step][step % 4] = bad
    return pulls


@pytest.mark.parametrize("scale", [2.0**15, 1000.1])
def test_the_scale_moves_as_torchs(scale):
    got = ours(LossScaler(scale, growth_interval=4), thirty_steps())
    expected = torchs(torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=4),
                      thirty_steps())
    assert sum(skipped for _, skipped, _ in got) == 6
    for step, (own, other) in enumerate(zip(got, expected, strict=True)):
        assert own[:2] == other[:2], step
        np.testing.assert_array_equal(own[2], other[2], err_msg=f"step {step}")


def test_the_scale_stays_what_float32_can_hold():
    pulls = [np.full(4, 2.0**-100, np.float32)] * 4
    got = ours(LossScaler(2.0**126, growth_interval=1), pulls)
    expected = torchs(torch.amp.GradScaler("cpu", init_scale=2.0**126, growth_interval=1), pulls)
    assert [scale for scale, *_ in got] == [scale for scale, *_ in expected] == [2.0**127] * 4


def test_a_scaler_goes_on_from_its_state():
    whole, first = (LossScaler(2.0**15, growth_interval=4) for _ in range(2))
    steps = thirty_steps()
    expected = [scale for scale, *_ in ours(whole, steps)]
    got = [scale for scale, *_ in ours(first, steps[:11])]
    second = LossScaler(1.0, growth_interval=4)
    second.restore(json.loads(json.dumps(first.state())))
    assert got + [scale for scale, *_ in ours(second, steps[11:])] == expected


def test_bfloat16_and_float32_need_no_scale():
    for precision in (FULL, Precision("O1", "bfloat16"), Precision("O2", "bfloat16")):
        scaler = precision.scaler(32768.0)
        loss = paddle.ones([])
        assert scaler.scaled(loss) is loss
        gradient = paddle.full([2], 3.0)
        scaler.unscale_([gradient])
        scaler.update(False)
        scaler.restore({"loss_scale": 4.0, "good_steps": 1})
        assert gradient.tolist() == [3.0, 3.0]
        assert scaler.scale == 1.0 and not scaler.overflows()
    assert Precision("O1", "float16").scaler(128.0).scale == 128.0


def test_below_one_an_overflow_is_not_the_scales_doing():
    scaler = LossScaler(2.0)
    said = []
    for _ in range(3):
        said.append(scaler.overflows())
        scaler.update(False)
    assert said == [True, True, False]


def test_half_precision_gradients_are_not_unscaled():
    """2^-20 is a gradient that float16 holds; divided by 2^15 it would be zero."""
    with pytest.raises(AssertionError, match="half precision gradient"):
        LossScaler(2.0**15).unscale_([paddle.full([1], 2.0**-20).astype("float16")])
