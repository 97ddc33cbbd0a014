"""Memory of this process, as values of a training record."""

import os
from pathlib import Path

import paddle

from paddle_impl.process.runtime import peak_memory_mib


def memory() -> dict[str, float]:
    """memory_mib (now) and peak_memory_mib (so far) of this process, in MiB.

    On a GPU this is the memory of Paddle's tensors, without its cache and the CUDA context. On a
    CPU it is the resident size; a system without /proc reports the peak only.
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
