"""The memory mark of this process, set back so that start-up is not counted. Linux only."""

from pathlib import Path


def forget_peak() -> bool:
    """Let VmHWM, which own_peak_mib reads, begin again at what is resident now.

    False where the kernel does not permit it: the peak then counts start-up too.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True
