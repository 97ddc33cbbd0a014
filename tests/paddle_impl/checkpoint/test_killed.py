"""A save that is killed at any of its calls leaves a whole checkpoint and no partial files."""

import json
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).parents[3]
MOMENTS = 20
# One process imports Paddle; for each moment a fork of it saves step 3 of a copied folder, with
# keep=2, and is killed at the n-th call that touches the disk. Files that a library writes are cut
# in half instead. Then the parent continues, and prints what it finds.
DRIVER = """
import builtins, io, json, os, random, shutil, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
work, moments = Path(sys.argv[2]), int(sys.argv[3])
from paddle_impl.process import runtime
runtime.import_paddle("cpu")
import numpy as np
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState, manifest, writing
from paddle_impl.config.model import ModelConfig
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.optim.adamw import build_optimizer

model = GPTForCausalLM(ModelConfig(n_layer=1, n_embd=8, n_head=1, vocab_size=270))
optimizer = build_optimizer(model, learning_rate=0.01, weight_decay=0.1)
tokenizer = Tokenizer.train(iter(["def f(x):\\n    return x\\n" * 9]), 270)

def save(output, step):
    initialize(model, step)
    state = TrainingState(step, 4 * step, 1, "k", "o", None, 4, {})
    checkpoint.save(output, model, optimizer, state, tokenizer, keep=2)

def count_calls(at, reached):
    calls = [0]
    def counted(function, cut=None):
        def call(*arguments, **options):
            calls[0] += 1
            os.lseek(reached, 0, 0), os.write(reached, b"%d " % calls[0])
            if calls[0] == at:
                if cut is not None:
                    function(*arguments, **options)
                    path = cut(*arguments)
                    os.truncate(path, os.path.getsize(path) // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)
        return call
    for name in ("rename", "replace", "unlink", "rmdir", "mkdir", "fsync", "chmod", "open"):
        setattr(os, name, counted(getattr(os, name)))
    io.open = builtins.open = counted(open)
    writing.save_file = counted(writing.save_file, cut=lambda tensors, path: path)
    Tokenizer.save = counted(Tokenizer.save, cut=lambda _, directory: directory / "merges.txt")

def attempt(at):
    output = work / "output"
    shutil.copytree(work / "before", output)
    reached = os.open(work / "reached", os.O_CREAT | os.O_TRUNC | os.O_RDWR)
    pid = os.fork()
    if pid == 0:
        count_calls(at, reached)
        save(output, 3)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    calls = int(os.pread(reached, 20, 0))
    os.close(reached)
    found = {
        "at": at, "calls": calls, "killed": os.WIFSIGNALED(status) and os.WTERMSIG(status) == 9,
        "whole": {step: manifest.problem(path) is None
                  for step, path in checkpoint.checkpoints(output).items()},
    }
    notes = []
    newest = checkpoint.newest(output, notes)
    initialize(model, 99)
    checkpoint.load_weights(newest, model)
    got = model.transformer.wte.weight.numpy()
    step = checkpoint.load_state(newest).step
    initialize(model, step)
    found |= {"newest": step, "named": newest.name, "notes": notes,
              "weights": bool(np.array_equal(got, model.transformer.wte.weight.numpy()))}
    save(output, 4)
    found["after"] = sorted(os.listdir(output))
    print(json.dumps(found), flush=True)
    shutil.rmtree(output)
    return found

for step in (1, 2):
    save(work / "before", step)
whole = attempt(0)["calls"]
for at in sorted(random.Random(5).sample(range(1, whole + 1), min(moments, whole))):
    attempt(at)
"""


def test_killed_while_saving(tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", DRIVER, str(REPO), str(tmp_path), str(MOMENTS)], text=True,
        capture_output=True, check=False, timeout=300,
    )
    assert process.returncode == 0, process.stderr
    undisturbed, *killed = map(json.loads, process.stdout.splitlines())
    assert not undisturbed["killed"] and undisturbed["whole"] == {"2": True, "3": True}
    assert len(killed) == MOMENTS and undisturbed["calls"] > 2 * MOMENTS
    for found in killed:
        assert found["killed"], found
        assert all(found["whole"].values()) and found["notes"] == [], found
        assert found["newest"] in (2, 3) and found["named"] == f"model_{found['newest']}", found
        assert found["weights"], found
        assert found["after"] == [f"model_{found['newest']}", "model_4"], found
    assert {found["newest"] for found in killed} == {2, 3}
    assert {len(found["whole"]) for found in killed} == {2, 3}  # also while the oldest goes
