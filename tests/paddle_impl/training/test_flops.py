"""FLOP of a step, compared with a model's matrix products; peaks of GPUs by name and of a CPU."""

import math

import paddle
import pytest
from paddle import nn

from paddle_impl.config.model import ModelConfig
from paddle_impl.config.registry import named_model
from paddle_impl.training import flops
from paddle_impl.training.flops import gpu_peak, mfu, peak_flops, training_flops


def test_it_counts_the_products_of_the_model(tiny_model, monkeypatch):
    """Forward counted as it runs; the backward pass has two products for each of its own."""
    counted = [0]
    matmul, linear = paddle.matmul, nn.functional.linear

    def count(x, y, out):
        if x.shape[-1] > 1:  # a bias may be added as a product with a column of ones
            counted[0] += 2 * math.prod(out.shape) * x.shape[-1]
        return out

    def counting(x, y, *more, **named):
        return count(x, y, matmul(x, y, *more, **named))

    monkeypatch.setattr(paddle, "matmul", counting)
    monkeypatch.setattr(nn.functional, "linear", lambda x, w, *more, **named: count(
        x, w, linear(x, w, *more, **named)))
    ids = paddle.zeros([3, 8], dtype="int64")
    tiny_model.train()
    tiny_model(ids)
    assert training_flops(tiny_model.config, 3 * 8, 8) == 3 * counted[0]


def test_it_equals_megatrons_formula():
    config, batch, length = named_model("gpt3-1.3B-en"), 16, 1024
    layers, width, vocabulary = config.n_layer, config.n_embd, config.vocab_size
    # Narayanan et al. 2021, equation 3, is 96 with the forward pass that recomputation repeats.
    megatron = 72 * batch * length * layers * width**2 * (
        1 + length / (6 * width) + vocabulary / (12 * layers * width)
    )
    assert training_flops(config, batch * length, length) == pytest.approx(megatron, rel=1e-12)


def test_the_mlps_width_counts():
    narrow = ModelConfig(1, 8, 1, 10, n_inner=8)
    wide = ModelConfig(1, 8, 1, 10, n_inner=24)
    assert training_flops(wide, 5, 5) - training_flops(narrow, 5, 5) == 5 * 6 * 2 * 8 * 16


def test_mfu_is_a_share_of_all_devices():
    assert mfu(step_flops=6e12, steps_per_s=2.0, processes=4, peak=10e12) == 0.3


@pytest.mark.parametrize(("name", "dtype", "tf32", "tflops"), [
    ("NVIDIA A100-SXM4-80GB", "bfloat16", True, 312),
    ("NVIDIA A100 80GB PCIe", "float32", True, 156),
    ("A100-SXM4-40GB", "float32", False, 19.5),
    ("NVIDIA H100 80GB HBM3", "bfloat16", True, 989),
    ("NVIDIA H100 PCIe", "float16", True, 756),
    ("NVIDIA H100 NVL", "bfloat16", True, 835),
    ("NVIDIA H200", "bfloat16", True, 989),
    ("Tesla V100-SXM2-16GB", "float16", True, 125),
    ("Tesla V100-SXM2-32GB", "float32", True, 15.7),
    ("Tesla V100-SXM2-32GB", "bfloat16", True, None),
    ("NVIDIA A10", "float16", True, 125),
    ("NVIDIA A10G", "float16", True, None),
    ("NVIDIA L4", "bfloat16", True, 121),
    ("NVIDIA L40S", "bfloat16", True, 362),
    ("NVIDIA GeForce RTX 4090", "bfloat16", True, 165.2),
    ("NVIDIA GeForce RTX 4090 Laptop GPU", "bfloat16", True, None),
    ("NVIDIA A100-SXM4-40GB MIG 3g.20gb", "bfloat16", True, None),
    ("NVIDIA A100-SXM4-40GB", "float64", True, None),
])
def test_a_gpus_peak_is_that_of_its_whole_name_and_type(name, dtype, tf32, tflops):
    peak, how = gpu_peak(name, dtype, tf32)
    assert name in how
    if tflops is None:
        assert peak is None and "--peak_tflops" in how
    else:
        assert peak == pytest.approx(tflops * 1e12)


def test_a_gpu_is_asked_for_its_name_and_for_tf32(monkeypatch):
    monkeypatch.setattr(paddle.device.cuda, "get_device_name", lambda: "NVIDIA A100-SXM4-40GB")
    monkeypatch.setattr(paddle.base.core, "get_cublas_switch", lambda: True, raising=False)
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    assert peak_flops("gpu", "float32")[0] == 156e12
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    assert peak_flops("gpu", "float32")[0] == 19.5e12
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")
    monkeypatch.setattr(paddle.base.core, "get_cublas_switch", lambda: False, raising=False)
    assert peak_flops("gpu", "float32")[0] == 19.5e12


def test_a_cpu_is_measured_by_its_fastest_product(monkeypatch):
    """A clock that products move: 1 s each, but for one of size 512 that takes a hundredth."""
    now, done = [0.0], []

    def product(x, y):
        now[0] += 0.01 if len(done) == 6 else 1.0
        done.append(x.shape)
        assert x.dtype == paddle.float32
        return x

    monkeypatch.setattr(flops.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(paddle, "matmul", product)
    assert flops._measured(budget_s=9.5) == pytest.approx(2 * 512**3 / 0.01)
    assert [512, 512] in done and [1024, 1024] in done


def test_a_real_measurement_is_a_speed_no_cpu_core_exceeds():
    peak, how = peak_flops("cpu")
    assert how.startswith("measured") and 1e8 < peak < 1e14


def test_the_users_peak_wins_and_unknown_devices_say_so():
    assert peak_flops("gpu", "bfloat16", given_tflops=12.5) == (12.5e12, "--peak_tflops")
    assert peak_flops("xpu")[0] is None and "--peak_tflops" in peak_flops("xpu")[1]
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="--peak_tflops must be a positive number"):
            peak_flops("cpu", given_tflops=bad)
