"""Settings of the process in which Paddle runs: threads, kernels, allocator.

Standard library only. Paddle reads these settings once, when it is imported, and setting them later
has no effect. So an entry point calls `import_paddle` before anything else imports Paddle.
"""

import contextlib
import ctypes
import gc
import io
import os
import sys
import warnings
from pathlib import Path

_configured = False  # whether import_paddle has set up the process before Paddle was imported
_NOISE = ("OMP_NUM_THREADS set to", "PLEASE USE OMP_NUM_THREADS WISELY")


def import_paddle(device: str):
    """Configure the process for `device` (cpu, gpu, xpu), import Paddle, select the device.

    Returns the paddle module. ValueError if this build of Paddle has no such device.
    """
    global _configured
    if "paddle" not in sys.modules:
        _configured = True
        _use_all_cores()
        _prefer_avx2_kernels_on_amd()
        if device == "cpu":
            _copy_transposes()
        _keep_freed_memory()
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No ccache found")
            import paddle
    finally:
        # Paddle warns about OMP_NUM_THREADS above 1, which makes it twice as fast. Drop only that.
        for line in stderr.getvalue().splitlines():
            if line.strip() and not any(noise in line for noise in _NOISE):
                print(line, file=sys.stderr)
    built = {"gpu": paddle.is_compiled_with_cuda(), "xpu": paddle.is_compiled_with_xpu()}
    if not built.get(device, True):
        raise ValueError(
            f"--device {device}, but paddlepaddle {paddle.__version__} here is built for the CPU; "
            "use --device cpu, or install the other build with: bash scripts/setup.sh --gpu"
        )
    if device == "gpu" and paddle.device.cuda.device_count() == 0:
        raise ValueError("--device gpu, but no GPU is visible to Paddle; use --device cpu")
    paddle.set_device(device)
    return paddle


def imported_by_others() -> bool:
    """Whether Paddle is loaded already, without the settings of `import_paddle`."""
    return "paddle" in sys.modules and not _configured


def core_count() -> int:
    """Cores this process may run on, which in a container is fewer than the machine has."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_memory_mib() -> float:
    """Largest resident size of this process so far, in MiB."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def give_memory_back() -> None:
    """Return freed memory to the kernel, now and from now on.

    `import_paddle` lets the allocator keep freed memory, which is faster. Call this where memory
    matters more, as with two large models one after the other: the peak of GPT-2 small in float64
    falls from 7.2 to 6.4 GiB.
    """
    m_mmap_threshold, m_mmap_max = -3, -4
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(m_mmap_max, 65536)
        libc.mallopt(m_mmap_threshold, 32 << 20)
        libc.malloc_trim(0)


def _use_all_cores() -> None:
    """Set one thread a core; Paddle's default is one. Launched processes share the cores."""
    local_processes = int(os.environ.get("PADDLE_LOCAL_SIZE", "1") or 1)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, core_count() // local_processes)))


def _prefer_avx2_kernels_on_amd() -> None:
    """Make MKL use its AVX2 kernels on AMD processors.

    The MKL in Paddle's wheel (2019.5) uses SSE kernels there, which are three times slower. It
    still reads MKL_DEBUG_CPU_TYPE, which later versions ignore; 5 means Haswell's instructions.
    """
    with contextlib.suppress(OSError):
        cpu = Path("/proc/cpuinfo").read_text()
        if "AuthenticAMD" in cpu and " avx2 " in cpu:
            os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")


def _copy_transposes() -> None:
    """Make transposes copy instead of returning strided views, which a CPU reads slowly.

    This makes a training step 1.3 times faster, mostly in attention's split into heads.
    """
    os.environ.setdefault("FLAGS_use_stride_kernel", "0")


def _keep_freed_memory() -> None:
    """Make glibc keep freed memory. By default it returns each large block to the kernel, and the
    next one costs page faults again.
    """
    m_trim_threshold, m_top_pad, m_mmap_max = -1, -2, -4
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(m_mmap_max, 0)
        mallopt(m_trim_threshold, 1 << 30)
        mallopt(m_top_pad, 64 << 20)
