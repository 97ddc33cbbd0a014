"""Model FLOPs utilization (MFU): FLOP of a training step, peak FLOP/s of a device, and their ratio.

As in PaLM (Chowdhery et al. 2022, appendix B), the FLOP are those of the model's matrix products.
Recomputation does not add to them, and masked attention that a kernel skips is not subtracted.
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
    to Narayanan et al. 2021 (Megatron-LM), equation 3, without its recomputed forward pass. An
    embedding look-up is not counted. Attention is counted in full, though half of it is masked.
    """
    width = config.n_embd
    block = 4 * width * width + 2 * width * config.inner  # c_attn and attn.c_proj, the two of mlp
    weights = config.n_layer * block + config.vocab_size * width
    return batch_tokens * (6.0 * weights + 12.0 * config.n_layer * seq_len * width)


def mfu(step_flops: float, steps_per_s: float, processes: int, peak: float) -> float:
    """FLOP/s of training over the peak of `processes` devices with `peak` FLOP/s each."""
    return step_flops * steps_per_s / (processes * peak)


class _Peak(NamedTuple):
    """Peak TFLOP/s of dense products with float32 sums; None for types without tensor cores."""

    float32: float
    tf32: float | None
    float16: float
    bfloat16: float | None


_HOPPER_SXM = _Peak(67, 494.5, 989, 989)
_HOPPER_NVL = _Peak(60, 417.5, 835, 835)

# Patterns match the whole name without maker and memory, so that an "A100 MIG 3g" does not match.
# Numbers are from NVIDIA's data sheets, without sparsity. For GeForce they are from the white
# papers of GA102 and Ada, at the half rate with float32 sums.
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
    """(peak FLOP/s of one process's device in `dtype`, the source of that number).

    device: cpu, gpu or xpu. given_tflops: --peak_tflops, used if given; ValueError unless it is
    positive. A CPU is measured for half a second, in float32 whatever the dtype, with the threads
    of this process. If the peak is unknown it is None, and the text says what to do. The GPU part
    has been tested with device names only, not on a GPU.
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
    """The peak of a GPU in the table, by the name that CUDA reports. Returns as peak_flops."""
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
    """Whether cuBLAS may round float32 factors to TF32, as Paddle allows by default."""
    switch = getattr(paddle.base.core, "get_cublas_switch", lambda: True)
    return switch() and os.environ.get("NVIDIA_TF32_OVERRIDE") != "0"


def _measured(budget_s: float = 0.5) -> float:
    """FLOP/s of the fastest product within `budget_s`; other processes may slow the rest down."""
    best, began = 0.0, time.perf_counter()
    factors = [paddle.ones([size, size], dtype="float32") for size in (512, 1024)]
    for factor in factors:
        paddle.matmul(factor, factor)  # the first product starts the threads
    while time.perf_counter() - began < budget_s:
        for factor in factors:
            start = time.perf_counter()
            paddle.matmul(factor, factor)
            flops = 2.0 * factor.shape[0] ** 3
            best = max(best, flops / (time.perf_counter() - start))
    return best
