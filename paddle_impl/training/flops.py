"""How much of the device a training step uses: FLOP of a step, FLOP/s of a device, their quotient.

Model FLOPs utilization, MFU, as in PaLM (Chowdhery et al. 2022, appendix B): the matrix products
that the mathematics asks for, whatever was recomputed or left out by a kernel.
"""

import os
import re
import time
from typing import NamedTuple

import paddle

from paddle_impl.config.model import ModelConfig


def training_flops(config: ModelConfig, batch_tokens: int, seq_len: int) -> float:
    """FLOP of the matrix products of one step, forward and backward, on `batch_tokens` tokens.

    PaLM's 6 N + 12 L T C a token, with N the weights of the blocks' matrices and of the head; equal
    to Narayanan et al. 2021 (Megatron-LM), equation 3, less its recomputed forward pass. Looking up
    embeddings is no product; attention counts in full, though half of it is masked.
    """
    width = config.n_embd
    block = 4 * width * width + 2 * width * config.inner  # c_attn and attn.c_proj, the two of mlp
    weights = config.n_layer * block + config.vocab_size * width
    return batch_tokens * (6.0 * weights + 12.0 * config.n_layer * seq_len * width)


def mfu(step_flops: float, steps_per_s: float, processes: int, peak: float) -> float:
    """Share of the peak of `processes` equal devices, each of `peak` FLOP/s, that training uses."""
    return step_flops * steps_per_s / (processes * peak)


class _Peak(NamedTuple):
    """Dense TFLOP/s with sums in float32; None where the tensor cores lack the type."""

    float32: float
    tf32: float | None
    float16: float
    bfloat16: float | None


_HOPPER_SXM = _Peak(67, 494.5, 989, 989)
_HOPPER_NVL = _Peak(60, 417.5, 835, 835)

# Patterns of the whole name, without maker and memory: an "A100 MIG 3g" is another device.
# From NVIDIA's data sheets of each product; they print twice as much "with sparsity". GeForce from
# the white papers of GA102 and Ada, whose tensor cores halve when they sum in float32.
_GPUS = {
    r"A[18]00( SXM4| PCIE)?": _Peak(19.5, 156, 312, 312),
    r"H[18]00( SXM5)?|H200": _HOPPER_SXM,
    r"H100 PCIE": _Peak(51, 378, 756, 756),
    r"H[12]00 NVL": _HOPPER_NVL,
    r"H20": _Peak(44, 74, 148, 148),
    r"V100 SXM[23]?": _Peak(15.7, None, 125, None),
    r"V100 PCIE": _Peak(14, None, 112, None),
    r"V100S PCIE": _Peak(16.4, None, 130, None),
    r"T4": _Peak(8.1, None, 65, None),
    r"A10": _Peak(31.2, 62.5, 125, 125),
    r"A30": _Peak(10.3, 82, 165, 165),
    r"A40": _Peak(37.4, 74.8, 149.7, 149.7),
    r"L4": _Peak(30.3, 60, 121, 121),
    r"L40": _Peak(90.5, 90.5, 181, 181),
    r"L40S": _Peak(91.6, 183, 362, 362),
    r"RTX A6000": _Peak(38.7, 77.4, 154.8, 154.8),
    r"RTX 6000 ADA GENERATION": _Peak(91.1, 182.1, 364.2, 364.2),
    r"RTX 3090": _Peak(35.6, 35.6, 71, 71),
    r"RTX 4090": _Peak(82.6, 82.6, 165.2, 165.2),
}
_MAKER_AND_MEMORY = re.compile(r"\b(NVIDIA|TESLA|GEFORCE|\d+GB|HBM\w+)\b")


def peak_flops(
    device: str, dtype: str = "float32", given_tflops: float | None = None
) -> tuple[float | None, str]:
    """(FLOP/s that one process's device can reach in `dtype`, where that number is from).

    device: cpu, gpu or xpu. given_tflops: --peak_tflops, which wins. A CPU is measured in half a
    second, in float32 whatever the dtype, with the threads and so the cores of this process. None
    where nothing is known: then there is no MFU, and the text says what to do. No GPU was at hand:
    that part is tested on names alone.
    """
    if given_tflops is not None:
        if not 0 < given_tflops < float("inf"):
            raise ValueError(f"--peak_tflops must be a positive number, got {given_tflops}")
        return given_tflops * 1e12, "--peak_tflops"
    if device == "cpu":
        return _measured(), "measured: the fastest of many float32 products"
    if device == "gpu":
        return gpu_peak(paddle.device.cuda.get_device_name(), dtype, _tf32_allowed())
    return None, f"no peak of {device} devices is known, so no MFU: name it with --peak_tflops"


def gpu_peak(name: str, dtype: str, tf32: bool) -> tuple[float | None, str]:
    """The table's FLOP/s of a GPU by the name CUDA gives it; see peak_flops."""
    words = _MAKER_AND_MEMORY.sub(" ", name.upper().replace("-", " ")).split()
    row = next(
        (row for pattern, row in _GPUS.items() if re.fullmatch(pattern, " ".join(words))), None
    )
    kind = "tf32" if dtype == "float32" and tf32 and row and row.tf32 else dtype
    tflops = getattr(row, kind, None)
    if tflops is None:
        return None, f"no {dtype} peak of {name} is known, so no MFU: name it with --peak_tflops"
    return tflops * 1e12, f"NVIDIA's figure for {name}, {kind}, dense"


def _tf32_allowed() -> bool:
    """Whether cuBLAS may round float32 factors to TF32: Paddle lets it, unlike PyTorch."""
    switch = getattr(paddle.base.core, "get_cublas_switch", lambda: True)
    return switch() and os.environ.get("NVIDIA_TF32_OVERRIDE") != "0"


def _measured(budget_s: float = 0.5) -> float:
    """FLOP/s of the fastest product in `budget_s`; slower ones shared the cores with others."""
    best, began = 0.0, time.perf_counter()
    factors = [paddle.ones([size, size], dtype="float32") for size in (512, 1024)]
    for factor in factors:
        paddle.matmul(factor, factor)  # the first one makes the threads
    while time.perf_counter() - began < budget_s:
        for factor in factors:
            start = time.perf_counter()
            paddle.matmul(factor, factor)
            flops = 2.0 * factor.shape[0] ** 3
            best = max(best, flops / (time.perf_counter() - start))
    return best
