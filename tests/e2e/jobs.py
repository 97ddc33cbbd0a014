"""Runs a job of the launcher in the background, finds its processes by rank, and reads its output.

Linux only: processes are found in /proc.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240  # many times what any step here takes; a longer wait is a hang

# run_pretrain.py, but rank 1 cannot read the tokenizer.
BROKEN = """
import os
import run_pretrain
if os.environ["PADDLE_TRAINER_ID"] == "1":
    import data_tools.tokenizing.tokenizer
    def broken(directory):
        raise ValueError("this machine's tokenizer cannot be read")
    data_tools.tokenizing.tokenizer.load_tokenizer = broken
run_pretrain.main()
"""


class Job:
    """`argv` started in the repository root; what it prints goes to the file `console`."""

    def __init__(self, argv, console: Path, **environment: str):
        self.console = console
        environ = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
        # Tests run in the background ignore SIGINT, and so would all that they start.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        with open(console, "w") as out:
            self.process = subprocess.Popen(
                [str(part) for part in argv], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True,
                env=environ | {"PYTHONPATH": str(ROOT)} | environment,
            )
        signal.signal(signal.SIGINT, before)
        self.seen: set[int] = {self.process.pid}

    def said(self) -> str:
        return self.console.read_text(errors="replace")

    def ranks(self) -> dict[int, int]:
        """Process id of each rank that is alive now."""
        found: dict[int, int] = {}
        for pid in self.tree():
            if rank := _environment(pid).get("PADDLE_TRAINER_ID"):
                found.setdefault(int(rank), pid)  # not a child of its own, which inherits the name
        return found

    def tree(self) -> list[int]:
        """The processes that descend from the first one, itself included."""
        parents = {pid: _parent(pid) for pid in _all_processes()}
        found = [self.process.pid] if self.process.poll() is None else []
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        self.seen.update(found)
        return found

    def wait_until(self, condition, seconds: float = SECONDS) -> bool:
        """Whether the condition came true before the job ended; TimeoutError if neither happens."""
        for _ in self.instants(seconds):
            if condition():
                return True
            if self.process.poll() is not None:
                return bool(condition())
        raise TimeoutError(self.said())

    def wait(self, seconds: float = SECONDS) -> int:
        """The exit code of a job that ends by itself and leaves no process."""
        self.tree()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        for _ in self.instants(seconds):
            if self.process.poll() is not None and not self.left():
                return self.process.returncode
        raise TimeoutError(f"still alive: {self.left()}\n{self.said()}")

    def left(self) -> list[int]:
        """The processes of the job that are still alive."""
        return [pid for pid in self.seen if _state(pid) not in ("", "Z")]

    def kill(self, *pids: int) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill the processes of the job that are left."""
        self.kill(*self.tree())
        self.kill(*self.left())
        self.process.wait()

    @staticmethod
    def instants(seconds: float):
        """Yield every few milliseconds, for that many seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            yield
            time.sleep(0.003)


def launcher(*options) -> list[str]:
    return [sys.executable, "-m", "paddle.distributed.launch", *map(str, options)]


def records(output_dir: Path) -> list[dict]:
    """The records of metrics.jsonl, without a last line that is still being written."""
    path = output_dir / "metrics.jsonl"
    if not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def numbers(output_dir: Path, but: tuple[str, ...] = ()) -> list[dict]:
    """The records of training and evaluation without what depends on the clock."""
    keys = {"loss", "grad_norm", "lr", "valid_loss", "test_loss"} - set(but)
    return [{key: record[key] for key in ("step", *keys) if key in record}
            for record in records(output_dir) if not record.keys().isdisjoint(keys)]


def last_step(output_dir: Path) -> int:
    """The last step in metrics.jsonl; 0 before the first."""
    return max((record["step"] for record in records(output_dir) if "loss" in record), default=0)


def assert_same_run(first: Path, second: Path, but: tuple[str, ...] = ()) -> None:
    """The same numbers at every step, the same bytes in every file of every checkpoint."""
    assert numbers(first, but) == numbers(second, but)
    names = [sorted(path.name for path in run.glob("model_*")) for run in (first, second)]
    assert names[0] and names[0] == names[1]
    for name in names[0]:
        files = [sorted(path.name for path in (run / name).iterdir()) for run in (first, second)]
        assert files[0] == files[1] and "model.safetensors" in files[0]
        for file in files[0]:
            pair = [(run / name / file).read_bytes() for run in (first, second)]
            assert pair[0] == pair[1], f"{name}/{file}"


def temporary_files(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.rglob("*") if path.name.endswith(".tmp")]


def _all_processes() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _state(pid: int) -> str:
    return (_stat(pid) or [""])[0]


def _parent(pid: int) -> int:
    return int((_stat(pid) or ["", "0"])[1])


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty for a process that has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _environment(pid: int) -> dict[str, str]:
    with contextlib.suppress(OSError):
        entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
        return dict(entry.split("=", 1) for entry in entries if "=" in entry)
    return {}
