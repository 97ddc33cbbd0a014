"""A run on two machines, which share a file system, equals the run on one machine bit for bit.

The machines are two network namespaces that a virtual cable connects; they share only files. Where
namespaces are not permitted, and where a test inspects the processes, both machines are this one.
"""

import shutil
import socket
import subprocess

import pytest

from tests.e2e.jobs import BROKEN, assert_same_run, last_step, launcher

# Its arguments are the command line of a machine, in which @ is its number, 0 or 1.
CABLE = r"""
set -e
mount -t tmpfs none /run # where ip keeps the names of namespaces
ip link add wire0 type veth peer name wire1
for node in 0 1; do
    ip netns add node$node
    ip link set wire$node netns node$node
    inside="ip netns exec node$node"
    $inside ip addr add 10.77.0.1$node/24 dev wire$node
    $inside ip link set wire$node up
    $inside ip link set lo up
done
[ $# -gt 0 ] || exit 0
for node in 0 1; do
    ip netns exec node$node "${@//@/$node}" &
    pids="${pids:-} $!"
done
for pid in $pids; do wait $pid; done
"""


def node(number, master, log_dir, *more):
    return launcher("--nnodes", 2, "--master", master, "--rank", number, "--nproc_per_node", 1,
                    "--log_dir", log_dir, *more)


@pytest.fixture
def cable(tmp_path):
    """The command that runs a line in each of two namespaces; None where they are not permitted."""
    script = tmp_path / "cable.sh"
    script.write_text(CABLE)
    line = ["unshare", "--user", "--map-root-user", "--net", "--mount", "bash", str(script)]
    try:
        permitted = subprocess.run(line, capture_output=True, check=False).returncode == 0
    except OSError:
        permitted = False
    return line if permitted else None


@pytest.fixture
def loopback(start, flags, tmp_path):
    """Start a job on this machine alone, as two launchers of one process each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        master = f"127.0.0.1:{free.getsockname()[1]}"

    def begin(*arguments, script="run_pretrain.py"):
        return [start(*node(number, master, tmp_path / f"log.{number}"), script, *flags(*arguments))
                for number in (0, 1)]

    return begin


def test_two_machines_compute_what_one_does(
    cable, loopback, start, flags, tiny_data, two_ranks, tmp_path
):
    """--host alone says where they meet, although the name of both machines means 127.0.0.1."""
    run, data = tmp_path / "run", tmp_path / "data"
    # Without index files: the first process of each machine makes them.
    shutil.copytree(tiny_data, data, ignore=shutil.ignore_patterns("*indexmap*"))
    arguments = (run, "--input_dir", data, "--max_steps", 12, "--save_steps", 2)
    if cable is None:
        jobs = loopback(*arguments)
    else:
        own = node("@", "10.77.0.10:8765", tmp_path / "log.@", "--host", "10.77.0.1@")
        jobs = [start(*cable, *own, "run_pretrain.py", *flags(*arguments))]
    for job in jobs:
        assert job.wait() == 0, job.said()
    assert_same_run(run, two_ranks / "run")


@pytest.mark.parametrize("when", [
    "training", pytest.param("set-up", marks=pytest.mark.exhaustive)])
def test_a_machine_learns_that_another_failed(loopback, tmp_path, when):
    """Its own launcher knows nothing of the other's processes."""
    run = tmp_path / "run"
    if when == "set-up":
        (tmp_path / "broken.py").write_text(BROKEN)
        jobs = loopback(run, script=tmp_path / "broken.py")
    else:
        jobs = loopback(run, "--max_steps", 5000, "--save_steps", 5000)
        jobs[0].wait_until(lambda: last_step(run) >= 1)
        jobs[1].kill(*jobs[1].ranks().values())
    for job in jobs:
        assert job.wait(60) != 0
    said = jobs[0].said()
    assert "[rank 0] run_pretrain.py: error: another process of the job is gone" in said
    assert "Traceback" not in said
