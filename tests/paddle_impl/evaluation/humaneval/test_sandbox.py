"""Harmful programs fail and end without an effect on the machine or on later programs."""

import contextlib
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from paddle_impl.evaluation.humaneval import run, sandbox
from paddle_impl.evaluation.humaneval.tasks import read_tasks

ROOT = Path(__file__).resolve().parents[4]

# The statements of each attempt. The completion is right only where the attempt succeeds.
HARM = {
    "fork": "for _ in range(200):\n    if os.fork() == 0:\n        os.setsid()\n        os.fork()",
    "spawn": "subprocess.run([sys.executable, '-c', ''], check=True)",
    "thread": "threading.Thread(target=time.sleep, args=(60,)).start()",
    "delete": "os.remove(CANARY)",
    "overwrite": "open(CANARY, 'w').write('gone')",
    "append": "open(CANARY, 'a').write('more')",
    "truncate": "os.truncate(CANARY, 0)", "empty": "os.open(CANARY, 3 | os.O_TRUNC)",
    "rename": "os.rename(CANARY, CANARY + '.moved')",
    "chmod": "os.chmod(CANARY, 0)",
    "chown": "os.chown(CANARY, 1, 1)",
    "touch": "os.utime(CANARY, (0, 0))",
    "read": "open(CANARY).read()",
    "beside": "open(CANARY + '.new', 'w')",
    "anywhere": "for p in ('.', '/tmp', '/dev/shm', '/var/tmp', '/usr/lib', os.path.dirname("
                "os.__file__)):\n    try:\n        open(p + '/new', 'w')\n    except OSError:\n"
                "        continue\n    break\nelse:\n    raise OSError",
    "mount": "assert ctypes.CDLL(None).mount(b'none', b'/usr/lib', b'tmpfs', 0, None) == 0",
    "unshare": "assert ctypes.CDLL(None).unshare(0x10000000) == 0",
    "descriptor chmod": "os.fchmod(1, 0)",
    "IPv4": "socket.create_connection(('127.0.0.1', PORT4), 1)",
    "IPv6": "socket.create_connection(('::1', PORT6), 1)",
    "datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    "Unix socket": "socket.socket(socket.AF_UNIX).connect(UNIX)",
    "socket pair": "socket.socketpair()",
    "C socket": "assert ctypes.CDLL(None).socket(2, 1, 0) >= 0",
    "io_uring": "assert ctypes.CDLL(None).syscall(425, 1, ctypes.create_string_buffer(120)) >= 0",
    "parent's environment": "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
    "evaluator's environment": "open(f'/proc/{EVALUATOR}/environ', 'rb').read()",
    "environment": "assert os.environ or open('/proc/self/environ', 'rb').read()",
    "signal parent": "os.kill(os.getppid(), 9)",
    "signal evaluator": "os.kill(EVALUATOR, 0)",
    "signal by owner": "import fcntl; fcntl.fcntl(1, fcntl.F_SETOWN, EVALUATOR)",
    "limits of another": "resource.prlimit(EVALUATOR, resource.RLIMIT_CORE)",
    "own limits": "resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 16, 1 << 16))",
    "trace parent": "assert ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0",
    "memory": "x = bytearray(8 << 30)",
    "tests on stdin": "assert os.pread(0, 9, 0)",
    "tests in memory":
        "sought = ''.join(['assert cand', 'idate('])\nassert any(sought in str(part) for whole in"
        " gc.get_objects() if type(whole) in (dict, list, tuple)\n    for part in"
        " (whole.values() if type(whole) is dict else whole) if type(part) is str)",
}
IMPORTS = "import ctypes, gc, os, resource, socket, subprocess, sys, threading, time"
REFUSED = tuple(f"failed: {name}: " for name in (
    "PermissionError", "FileNotFoundError", "OSError", "AssertionError", "RuntimeError",
    "MemoryError", "ValueError",
))


@contextlib.contextmanager
def surroundings(directory: Path):
    """Create a file and listening sockets: (their names in the statements, the sockets)."""
    canary = directory / "canary"
    canary.write_text("alive")
    unix = str(directory / "socket")
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))),
                   stack.enter_context(socket.socket(socket.AF_UNIX))]
        servers[1].bind(unix)
        servers[1].listen()
        names = {"CANARY": str(canary), "PORT4": servers[0].getsockname()[1], "PORT6": 9,
                 "UNIX": unix, "EVALUATOR": os.getpid()}
        with contextlib.suppress(OSError):  # a machine without IPv6
            servers.append(stack.enter_context(
                socket.create_server(("::1", 0), family=socket.AF_INET6)
            ))
            names["PORT6"] = servers[-1].getsockname()[1]
        yield names, servers


def harmful(statements: str, names: dict) -> str:
    """A completion that is right if the statements raise no error."""
    given = [f"{name} = {value!r}" for name, value in names.items()]
    lines = [IMPORTS, *given, *statements.splitlines(), "return 2 * x"]
    return "".join(f"    {line}\n" for line in lines)


def test_harm_is_prevented(kind, evaluate, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    with surroundings(outside) as (names, servers):
        before = (outside / "canary").stat()
        tried = {name: harmful(statements, names) for name, statements in HARM.items()}
        found = evaluate({**tried, "nothing": harmful("os.getpid()", names)})
        after = (outside / "canary").stat()
        for server in servers:
            server.setblocking(False)
            with pytest.raises(BlockingIOError):
                server.accept()
    assert (outside / "canary").read_text() == "alive"
    assert sorted(path.name for path in outside.iterdir()) == ["canary", "socket"]
    assert (after.st_mode, after.st_uid, after.st_mtime) == (
        before.st_mode, before.st_uid, before.st_mtime
    )
    assert found.pop("nothing") == "passed"  # so what has an effect would show
    assert {name: result for name, result in found.items() if not result.startswith(REFUSED)} == {}


def test_harm_would_be_done_without_walls(tmp_path):
    """What is prevented is no mistake in the statements; the gentle ones are tried."""
    gentle = ("fork", "spawn", "thread", "delete", "overwrite", "append", "truncate", "empty",
              "rename", "chmod", "touch", "read", "beside", "IPv4", "Unix socket", "socket pair",
              "C socket", "evaluator's environment", "environment", "signal evaluator",
              "signal by owner", "limits of another")
    for name in gentle:
        directory = tmp_path / name.replace(" ", "_").replace("'", "")
        directory.mkdir()
        with surroundings(directory) as (names, _):
            statements = HARM[name].replace("200", "1").replace("60", "0")
            program = f"def twice(x):\n{harmful(statements, names)}\nassert twice(3) == 6"
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
        assert done.returncode == 0, (name, done.stderr)


FORGERIES = {
    "exit at once": "    pass\nimport os\nos._exit(0)\n",
    "exit with 0": "    pass\nimport sys\nsys.exit(0)\n",
    "SystemExit in the call": "    raise SystemExit(0)\n",
    "the verdict on every descriptor":
        "    import os\n    for fd in range(256):\n        try:\n"
        "            os.write(fd, b'{\"verdict\": \"passed\"}\\n')\n"
        "        except OSError:\n            pass\n    return 0\n",
    "a huge message":
        "    import os\n    for fd in range(256):\n        try:\n"
        "            os.write(fd, b'\\xff' * 64)\n        except OSError:\n            pass\n",
    "equal to everything": "    class Any:\n        __eq__ = lambda s, o: True\n    return Any()\n",
    "an int equal to everything":
        "    class Any(int):\n        __eq__ = lambda s, o: True\n    return Any(0)\n",
    "patched names":
        "    return 0\nimport builtins, sys\nbuiltins.AssertionError = str\n"
        "def check(candidate):\n    pass\nfor name, module in list(sys.modules.items()):\n"
        "    if name.startswith('jail'):\n        module.__dict__.update(\n"
        "            judge=lambda *a: 'passed', PASSED='passed', check=check)\n",
    "an entry point that is gone": "    return 2 * x\ndel twice\n",
    "closed descriptors": "    import os\n    os.closerange(0, 4096)\n    return 6\n",
    "a crash": "    import ctypes\n    return ctypes.string_at(0)\n",
    "a stack that overflows":
        "    import sys\n    sys.setrecursionlimit(1 << 30)\n"
        "    f = lambda g: [*map(g, [g])]\n    return f(f)\n",
    "deep nesting": "    y = []\n    for _ in range(100000):\n        y = [y]\n    return y\n",
    "a cycle": "    y = []\n    y.append(y)\n    return y\n",
    "input": "    return int(input())\n",
    "a NUL byte": "    return 2 * x\n\0",
    "a lone surrogate": "    return '\ud800'\n",
    "a lone surrogate in the source": "    return 2 * x\n\ud800",
    "memory in lists": "    y = [0]\n    while True:\n        y += y\n",
    "an argument that was never given": "    return 2 * x\ndef twice():\n    return 6\n",
    "a syntax error": "    return (\n",
}


def test_a_pass_is_not_to_be_had_without_the_values(kind, evaluate):
    found = evaluate(FORGERIES, seconds=5.0, memory_mib=128)
    assert {name: result for name, result in found.items()
            if not result.startswith("failed: ")} == {}


ENDLESS = {
    "sleep": "    import time\n    time.sleep(1000)\n",
    "output": "    while True:\n        print('x' * 100000)\n",
    "deaf":
        "    import signal\n    for number in range(1, 65):\n        try:\n"
        "            signal.signal(number, signal.SIG_IGN)\n"
        "        except (OSError, ValueError):\n            pass\n    while True:\n        pass\n",
    "at definition": "    pass\nwhile True:\n    pass\n",
}


def test_time_runs_out(kind, evaluate):
    found = evaluate(ENDLESS, seconds=1.0, memory_mib=2048, workers=6)
    assert found == dict.fromkeys(ENDLESS, "timed out")


def test_a_judge_that_does_not_end_is_ended(kind, tasks_file, monkeypatch, running):
    monkeypatch.setattr(sandbox, "_LAST_WORD", 0.5)
    task = replace(read_tasks(tasks_file)[0], test="def check(candidate):\n    while True: pass\n")
    seconds = 0.5 + os.getpid() / 1e9
    assert sandbox.Sandbox(seconds, 256).judge(task, "    return 2 * x\n") == "timed out"
    running.gone(str(seconds))


def test_plain_data_of_every_kind_comes_through(kind, tasks_file):
    task = read_tasks(tasks_file)[0]
    values = ("[None, True, 1.5, 'ä\\ud800', [1, (2, {3})], {4: {'a': b'x'}}, 10 ** 5000, 1j, "
              "float('inf'), frozenset('a'), range(3)]")
    test = f"def check(candidate):\n    assert candidate({values}) == {values}\n"
    task = replace(task, test=test)
    assert sandbox.Sandbox(3.0, 256).judge(task, "    return x\n") == "passed"
    assert sandbox.Sandbox(3.0, 256).judge(task, "    return x[:-1]\n") == (
        "failed: AssertionError: "
    )


def test_nothing_is_left_of_a_run_that_is_killed(kind, tasks_file, running):
    sign = f"60.{os.getpid()}1"
    code = ("import sys; sys.path.insert(0, sys.argv[1])\nfrom pathlib import Path\n"
            "from paddle_impl.evaluation.humaneval.sandbox import Sandbox\n"
            "from paddle_impl.evaluation.humaneval.tasks import read_tasks\n"
            "box = Sandbox(float(sys.argv[3]), 256, sys.argv[4])\nprint('ready', flush=True)\n"
            "box.judge(read_tasks(Path(sys.argv[2]))[0], '    while True:\\n        pass\\n')\n")
    arguments = [sys.executable, "-c", code, ROOT, tasks_file, sign, kind]
    with subprocess.Popen(list(map(str, arguments)), stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        while len(running(sign)) < 4:  # itself, and three behind the walls
            assert process.poll() is None
        process.kill()
    running.gone(sign)


def test_without_walls_nothing_is_run(monkeypatch, tasks_file):
    monkeypatch.setattr(sandbox, "_START", "print('{\"missing\": \"unshare: no\"}')")
    drawn = []
    with pytest.raises(ValueError, match="not run: nothing here keeps them.*unshare: no"):
        run(tasks_file, complete=lambda *given: drawn.append(given), allow_code_execution=True)
    assert drawn == []  # the refusal comes before hours of drawing


def test_walls_that_let_something_through_do_not_count(monkeypatch):
    monkeypatch.setattr(sandbox, "_ATTEMPTS", "def attempt(path, port):\n    return ['walks']\n")
    with pytest.raises(ValueError, match="failed: walks"):
        sandbox.Sandbox(3.0, 256)


@pytest.mark.parametrize(("seconds", "memory", "message"), [
    (0, 256, "execution_timeout must lie between 0 and 3600 seconds, got 0"),
    (3.0, 1 << 40, "and 1048576, got 1099511627776"),
    (3.0, 8, "execution_memory_mib must lie between 64, which"),
])
def test_limits_that_mean_nothing(seconds, memory, message):
    with pytest.raises(ValueError, match=message):
        sandbox.Sandbox(seconds, memory)
