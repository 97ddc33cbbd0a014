"""A save on a full disk gives one sentence, leaves no partial files and keeps older checkpoints."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import paddle
import pytest
from safetensors.numpy import load_file

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.checkpoint import NoRoom, TrainingState, manifest, writing
from paddle_impl.optim.adamw import build_optimizer

REPO = Path(__file__).parents[3]
# A mount of its own, of 512 KiB, that ends with the process.
MOUNT = 'mount -t tmpfs -o size=512k none "$1" && exec "$2" -c "$3" "$4" "$1"'
# Saves step 2 with less and less of the disk taken by another file, until it fits.
DRIVER = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
disk = Path(sys.argv[2])
from paddle_impl.process import runtime
runtime.import_paddle("cpu")
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState, manifest
from paddle_impl.config.model import ModelConfig
from paddle_impl.model import GPTForCausalLM
from paddle_impl.optim.adamw import build_optimizer

model = GPTForCausalLM(ModelConfig(n_layer=1, n_embd=8, n_head=1, vocab_size=270))
optimizer = build_optimizer(model, learning_rate=0.01, weight_decay=0.1)
tokenizer = Tokenizer.train(iter(["def f(x):\\n    return x\\n" * 9]), 270)

def save(step):
    state = TrainingState(step, 4 * step, 1, "k", "o", None, 4, {})
    return checkpoint.save(disk, model, optimizer, state, tokenizer)

save(1)
for free in range(0, 400 << 10, 4096):
    blocks = os.statvfs(disk)
    (disk / "other").write_bytes(bytes(blocks.f_bavail * blocks.f_frsize - free))
    try:
        message = save(2) and None
    except checkpoint.NoRoom as error:
        message = str(error)
    print(json.dumps({"free": free, "message": message, "files": sorted(os.listdir(disk)),
                      "whole": [manifest.problem(disk / "model_1") is None]}))
    if message is None:
        break
    (disk / "other").unlink()
"""


def may_mount() -> bool:
    trial = ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return shutil.which("unshare") is not None and subprocess.run(
        trial, capture_output=True, check=False
    ).returncode == 0


def test_a_full_file_system(tmp_path):
    if not may_mount():
        pytest.skip("this machine allows no mount in a namespace of one's own")
    process = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", MOUNT, "sh", tmp_path, sys.executable, DRIVER, REPO],
        text=True, capture_output=True, check=False, timeout=300,
    )
    assert process.returncode == 0, process.stderr
    *full, fits = map(json.loads, process.stdout.splitlines())
    assert fits["message"] is None and fits["files"] == ["model_1", "model_2", "other"]
    for found in [*full, fits]:
        assert found["whole"] == [True]
    for found in full:
        assert found["files"] == ["model_1", "other"]
        told = re.fullmatch(
            r"cannot save step 2: needs [\d.]+ .iB, ([\d.]+) (KiB|MiB) free on .+ "
            r"\((.+)\); the last checkpoint is model_1", found["message"])
        assert told, found["message"]
        if told[2] == "KiB":
            assert float(told[1]) == found["free"] / 1024
    # Some of them looked at before writing, some in the middle of it.
    reasons = [found["message"].partition("(")[2].partition(")")[0] for found in full]
    assert set(reasons) == {"No space left on device", "seen before writing"}
    assert reasons == sorted(reasons, reverse=True)


@pytest.fixture
def run(tiny_model, tmp_path):
    """save(step) into tmp_path, where step 1 is saved already."""
    optimizer = build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1)
    (tiny_model(paddle.to_tensor([[1, 2, 3]])) ** 2).mean().backward()
    optimizer.step()
    tokenizer = Tokenizer.train(iter(["def f(x):\n    return x\n" * 9]), 270)

    def save(step, keep=0):
        state = TrainingState(step, 4 * step, 1, "k", "o", None, 4, {})
        return checkpoint.save(tmp_path, tiny_model, optimizer, state, tokenizer, keep=keep)

    save(1)
    return save


class FailsAt:
    """Wraps functions so that call `at` fails with errno `number`, or with the error of a Rust
    library.
    """

    def __init__(self, at: int, number: int):
        self.at, self.number, self.calls = at, number, 0

    def around(self, function, rust: bool = False):
        def call(*arguments, **options):
            self.calls += 1
            if self.calls != self.at:
                return function(*arguments, **options)
            text = os.strerror(self.number)
            raise (Exception(f"I/O error: {text} (os error {self.number})") if rust
                   else OSError(self.number, text))

        return call


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_every_call_that_writes_may_fail(run, tmp_path, monkeypatch, number):
    failures = 0
    while True:
        fails = FailsAt(failures + 1, number)
        with monkeypatch.context() as patch:
            for name in ("mkdir", "chmod", "write_text"):
                patch.setattr(Path, name, fails.around(getattr(Path, name)))
            for name in ("rename", "fsync"):
                patch.setattr(os, name, fails.around(getattr(os, name)))
            patch.setattr(writing, "save_file", fails.around(writing.save_file, rust=True))
            patch.setattr(Tokenizer, "save", fails.around(Tokenizer.save, rust=True))
            try:
                run(2)
                break
            except NoRoom as error:
                failures += 1
                told = str(error)
        # The last call syncs output_dir, where the new one has its name already.
        last = "model_2" if "model_2" in os.listdir(tmp_path) else "model_1"
        assert os.strerror(number) in told and told.endswith(f"the last checkpoint is {last}")
        assert {*os.listdir(tmp_path)} - {last} <= {"model_1"}
        assert all(manifest.problem(path) is None
                   for path in checkpoint.checkpoints(tmp_path).values())
        shutil.rmtree(tmp_path / "model_2", ignore_errors=True)
    assert failures >= 25
    assert checkpoint.newest(tmp_path) == tmp_path / "model_2"


def test_looked_at_before_a_byte_is_written(run, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda path: usage(1 << 40, 0, 1000))
    monkeypatch.setattr(writing, "_fill", lambda *arguments: pytest.fail("it was written"))
    with pytest.raises(NoRoom) as raised:
        run(2, keep=1)
    files = [tmp_path / "model_1" / f"{name}.safetensors" for name in ("model", "optimizer")]
    tensors = sum(array.nbytes for file in files for array in load_file(file).values())
    assert str(raised.value) == (
        f"cannot save step 2: needs {tensors / 1024:.1f} KiB, 1.0 KiB free on {tmp_path} (seen "
        "before writing); the last checkpoint is model_1"
    )
    assert os.listdir(tmp_path) == ["model_1"]


def test_a_checkpoint_that_is_there_is_not_replaced(run, tmp_path):
    before = (tmp_path / "model_1" / "model.safetensors").stat().st_ino
    with pytest.raises(NoRoom, match="cannot save step 1 in .*: .*File exists: .*model_1'"):
        run(1)
    assert os.listdir(tmp_path) == ["model_1"]
    assert (tmp_path / "model_1" / "model.safetensors").stat().st_ino == before


def test_a_file_system_that_does_not_say_is_tried(run, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda path: usage(0, 0, 0))
    assert run(2) == tmp_path / "model_2"
