"""The memory in a record is in MiB: of the process, or on a GPU of Paddle's tensors."""

from pathlib import Path

import paddle
import pytest

from paddle_impl.tracking.memory import memory


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel's figures are there")
def test_on_a_cpu_it_is_what_the_kernel_says_in_other_words():
    found = memory()
    kernel = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    now, peak = (int(kernel[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    assert found["memory_mib"] == pytest.approx(now, abs=4)
    assert found["peak_memory_mib"] == pytest.approx(peak, abs=4)
    assert found["peak_memory_mib"] >= found["memory_mib"] > 10


def test_on_a_gpu_it_is_paddles_tensors(monkeypatch):
    monkeypatch.setattr(paddle, "get_device", lambda: "gpu:0")
    monkeypatch.setattr(paddle.device.cuda, "memory_allocated", lambda: 3 << 20)
    monkeypatch.setattr(paddle.device.cuda, "max_memory_allocated", lambda: 5 << 20)
    assert memory() == {"memory_mib": 3.0, "peak_memory_mib": 5.0}
