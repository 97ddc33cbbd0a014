"""Reset the peak memory of this process, so that its start is not counted. Linux only."""

from pathlib import Path


def forget_peak() -> bool:
    """Reset VmHWM, which own_peak_mib reads, to the memory that is resident now.

    Returns False if the kernel does not permit it; then the peak includes the start.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True
