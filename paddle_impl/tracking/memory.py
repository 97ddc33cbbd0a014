"""Memory of this process, for a training record."""

import os
from pathlib import Path

import paddle

from paddle_impl.process.runtime import peak_memory_mib


def memory() -> dict[str, float]:
    """memory_mib now and peak_memory_mib so far, in MiB, of this process alone.

    On a GPU what Paddle's tensors take there, without its cache and the CUDA context; elsewhere the
    resident size, of which a system without /proc tells the peak alone.
    """
    if paddle.get_device().startswith("gpu"):
        return {
            "memory_mib": paddle.device.cuda.memory_allocated() / 2**20,
            "peak_memory_mib": paddle.device.cuda.max_memory_allocated() / 2**20,
        }
    statm, peak = Path("/proc/self/statm"), peak_memory_mib()
    if not statm.exists():
        return {"peak_memory_mib": peak}
    now = int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return {"memory_mib": now, "peak_memory_mib": max(now, peak)}  # the kernel's peak may lag
