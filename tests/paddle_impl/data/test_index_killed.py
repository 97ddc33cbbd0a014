"""After a kill while index files are built, the next run has the same samples and no extra files.
"""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_tools.token_files.writer import TokenFileWriter

REPO = Path(__file__).parents[3]
# Builds the indices of a dataset, killed at the n-th write, rename or removal; prints how many
# there were, and what the first samples are.
DRIVER = """
import os, signal, sys
at, prefix, order = int(sys.argv[1]), sys.argv[2], sys.argv[3]
import numpy as np
calls = 0
def counted(function):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
for owner, name in ((os, "replace"), (os, "unlink"), (np, "save"), (np.lib.format, "write_array")):
    setattr(owner, name, counted(getattr(owner, name)))
from data_tools.token_files.token_file import TokenFile
from paddle_impl.data.pretrain import PretrainDataset
dataset = PretrainDataset(TokenFile.open(prefix), "train", [0, 40, 40, 40], seq_length=8,
                          num_samples=200, seed=3, order=order)
print(calls, len(dataset), [dataset[i].tolist() for i in range(50)])
"""


def run(prefix, order, at=0):
    return subprocess.run([sys.executable, "-c", DRIVER, str(at), str(prefix), order], cwd=REPO,
                          capture_output=True, text=True, check=False,
                          env=os.environ | {"PYTHONPATH": str(REPO)})


@pytest.mark.parametrize("order", ["paddlenlp", "megatron"])
def test_killed_while_building(tmp_path, order):
    with TokenFileWriter(tmp_path / "x", 5000) as writer:
        for start in range(0, 1000, 25):
            writer.append(np.arange(start, start + 25))
    given = {path.name for path in tmp_path.iterdir()}
    whole = run(tmp_path / "x", order)
    assert whole.returncode == 0, whole.stderr
    made = {path.name for path in tmp_path.iterdir()} - given
    files = {name: (tmp_path / name).read_bytes() for name in made}
    calls, _, samples = whole.stdout.partition(" ")
    assert int(calls) >= 6

    draw = random.Random(2)
    for name in made:
        (tmp_path / name).unlink()
    for at in draw.sample(range(1, int(calls) + 1), 5):
        killed = run(tmp_path / "x", order, at)
        assert killed.returncode == -signal.SIGKILL
        final = run(tmp_path / "x", order)
        assert final.stdout.partition(" ")[2] == samples, final.stderr
        assert {path.name for path in tmp_path.iterdir()} == given | made
        assert {name: (tmp_path / name).read_bytes() for name in made} == files
        for name in made:
            (tmp_path / name).unlink()
