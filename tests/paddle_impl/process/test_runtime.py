"""The process is configured before Paddle is loaded, and a user's own setting stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paddle_impl.process import runtime

ROOT = Path(__file__).resolve().parents[3]
SHOW = """
from paddle_impl.process import runtime
runtime.import_paddle('cpu')
import os
print(os.environ['OMP_NUM_THREADS'], os.environ.get('MKL_DEBUG_CPU_TYPE'))
"""


def run(**environment):
    ours = ("OMP_NUM_THREADS", "MKL_DEBUG_CPU_TYPE")
    clean = {k: v for k, v in os.environ.items() if k not in ours}
    return subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, capture_output=True, text=True,
                          env=clean | {"PYTHONPATH": str(ROOT)} | environment, check=True)


def test_all_cores_are_used_and_nothing_is_said_about_it():
    process = run()
    assert process.stdout.split()[0] == str(runtime.core_count())
    assert "OMP_NUM_THREADS" not in process.stderr


def test_what_the_user_set_stays():
    assert run(OMP_NUM_THREADS="1", MKL_DEBUG_CPU_TYPE="4").stdout.split() == ["1", "4"]


def test_launched_processes_share_the_cores():
    cores = run(PADDLE_LOCAL_SIZE=str(runtime.core_count())).stdout.split()[0]
    assert cores == "1"


def test_a_device_this_build_lacks_is_refused():
    with pytest.raises(ValueError, match="--device xpu.*use --device cpu"):
        runtime.import_paddle("xpu")


def test_peak_memory_is_in_mib():
    assert 50 < runtime.peak_memory_mib() < 100_000
