"""Runs that are killed and then started again by the same command."""

import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_tools.token_files.token_file import TokenFile
from data_tools.tokenizing.tokenizer import Tokenizer

REPO = Path(__file__).parents[3]
WORDS = "def return import for while class self value index total name path open read".split()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """300 files of 1 to 20 kB, some twice, some broken, and an archive of records."""
    root = tmp_path_factory.mktemp("corpus")
    draw = random.Random(7)
    for i in range(300):
        lines = [" ".join(draw.choices(WORDS, k=8)) for _ in range(draw.randint(30, 500))]
        if i % 17 == 0:
            lines = ["the same again"] * 40
        (root / f"m{i:03}.py").write_text("\n".join(lines) + "\n")
        if i % 50 == 0:
            (root / f"m{i:03}_broken.py").write_bytes(b"\xff\xfe not text")
    with open(root / "records.jsonl", "w") as file:
        for i in range(200):
            file.write(json.dumps({"text": " ".join(draw.choices(WORDS, k=100))}) + "\n")
            if i % 40 == 0:
                file.write("not json\n")
    return root


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    Tokenizer.train([" ".join(WORDS) + "\n"] * 20, 300).save(folder)
    return folder


# The command, in small batches, killed at the n-th call that changes a name or syncs a file, or
# after some seconds, as kill -9 would: nothing is flushed, nothing is cleaned up.
DRIVER = """
import os, signal, sys
at, seconds = int(sys.argv.pop(1)), float(sys.argv.pop(1))
calls = 0
def counted(function):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
for name in ("fsync", "replace", "rename", "unlink", "rmdir"):
    setattr(os, name, counted(getattr(os, name)))
from data_tools import create_pretraining_data
from data_tools.preparing import batches
batches.BATCH_CHARS = 20_000
signal.setitimer(signal.ITIMER_REAL, seconds)
code = create_pretraining_data.main()
print("calls", calls)
sys.exit(code)
"""


def run(corpus, folder, *flags, at=0, seconds=0.0):
    command = [sys.executable, "-c", DRIVER, at, seconds, "--input_path", corpus,
               corpus / "records.jsonl", "--output_prefix", folder / "x",
               "--checkpoint_mb", 0.1, "--quiet", *flags]
    return subprocess.run(list(map(str, command)), cwd=REPO, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(REPO)}, check=False)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


FLAGS = {
    "plain": (),
    "without duplicates and bad texts, with fill-in-the-middle": (
        "--dedup", "exact", "--min_chars_per_token", "2.56", "--fim_rate", "0.5"),
}


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_killed_at_any_moment_it_ends_as_if_it_had_not_been(
    corpus, tokenizer_folder, tmp_path, flags
):
    flags = ("--tokenizer", tokenizer_folder, *flags)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    began = time.perf_counter()
    result = run(corpus, whole, *flags)
    seconds = time.perf_counter() - began
    assert result.returncode == 0, result.stderr
    calls = int(result.stdout.split()[-1])
    assert calls > 20

    draw, deaths, continued = random.Random(3), 0, 0
    for moment in range(10):
        moments = ({"at": draw.randint(1, calls)}, {"seconds": draw.uniform(0.5, 1) * seconds})
        result = run(corpus, killed, *flags, **moments[moment % 4 == 3])
        deaths += result.returncode < 0
        continued += (killed / "x_partial" / "state.json").exists()
    result = run(corpus, killed, *flags)
    assert result.returncode == 0, result.stderr
    assert deaths >= 6 and continued >= 3
    assert contents(killed) == contents(whole)
    assert len(TokenFile.open(killed / "x")) > 100


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_moments_of_the_finish(corpus, tokenizer_folder, tmp_path, every):
    """The run is killed at each of its last calls in turn, while files get their final names."""
    flags = ("--tokenizer", tokenizer_folder)
    calls = int(run(corpus, tmp_path / "whole", *flags).stdout.split()[-1])
    for at in range(calls - 14, calls + 1, every):
        folder = tmp_path / str(at)
        assert run(corpus, folder, *flags, at=at).returncode == -signal.SIGKILL
        assert run(corpus, folder, *flags).returncode == 0
        assert contents(folder) == contents(tmp_path / "whole"), at


def test_another_plan_begins_anew(corpus, tokenizer_folder, tmp_path):
    flags = ("--tokenizer", tokenizer_folder)
    calls = int(run(corpus, tmp_path / "whole", *flags).stdout.split()[-1])
    assert run(corpus, tmp_path, *flags, at=calls - 20).returncode < 0
    assert (tmp_path / "x_partial" / "state.json").exists()
    again = run(corpus, tmp_path, *flags, "--seed", 5)
    assert again.returncode == 0 and "documents of another run, which differs in" in again.stderr
    seed = run(corpus, tmp_path / "seed", *flags, "--seed", 5)
    assert seed.returncode == 0
    ours, expected = (TokenFile.open(path / "x") for path in (tmp_path, tmp_path / "seed"))
    assert ours.ids.tolist() == expected.ids.tolist()


def test_a_trained_tokenizer_is_not_trained_again(corpus, tmp_path):
    result = run(corpus, tmp_path, "--vocab_size", 300, at=20)
    assert result.returncode < 0
    trained = tmp_path / "x_partial" / "tokenizer" / "tokenizer.json"
    before = trained.stat().st_mtime_ns
    assert run(corpus, tmp_path, "--vocab_size", 300, at=10).returncode < 0
    assert trained.stat().st_mtime_ns == before


def test_two_runs_at_once_to_one_prefix(corpus, tokenizer_folder, tmp_path):
    """The second run ends with an error, and the first is not disturbed."""
    (tmp_path / "x_partial").mkdir()
    held = os.open(tmp_path / "x_partial", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    result = run(corpus, tmp_path, "--tokenizer", tokenizer_folder)
    os.close(held)
    assert result.returncode == 2 and "another process is writing" in result.stderr
    assert run(corpus, tmp_path, "--tokenizer", tokenizer_folder).returncode == 0


def test_texts_left_out_behind_the_last_document_are_counted_once(tokenizer_folder, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.py").write_text(f"def {name}():\n    return self\n" * 2000)
    (folder / "z.py").write_text("short")
    (folder / "records.jsonl").write_text("")
    flags = ("--tokenizer", tokenizer_folder, "--no-shuffle", "--checkpoint_mb", "0.00001")
    calls = int(run(folder, tmp_path / "whole", *flags).stdout.split()[-1])
    assert run(folder, tmp_path / "cut", *flags, at=calls - 16).returncode < 0
    assert (tmp_path / "cut" / "x_partial" / "state.json").exists()
    assert run(folder, tmp_path / "cut", *flags).returncode == 0
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert (tmp_path / "whole" / "x_skipped.jsonl").read_text().count("z.py") == 1


def test_no_moment_of_the_finish_leaves_files_that_open_and_do_not_belong_together(
    corpus, tokenizer_folder, tmp_path
):
    """An earlier run of other order, but equal counts, is being replaced."""
    flags = ("--tokenizer", tokenizer_folder)
    assert run(corpus, tmp_path, *flags, "--seed", 1).returncode == 0
    calls = int(run(corpus, tmp_path / "other", *flags, "--seed", 2).stdout.split()[-1])
    saved, opened = contents(tmp_path), set()
    for at in range(calls - 24, calls + 1, 2):
        assert run(corpus, tmp_path, *flags, "--seed", 2, at=at).returncode < 0
        try:
            data = TokenFile.open(tmp_path / "x")
            assert data.verify() == []
            opened.add(data.meta["seed"])
        except ValueError as error:
            assert "x_idx.npz is missing" in str(error)
            opened.add(None)
        shutil.rmtree(tmp_path / "x_partial", ignore_errors=True)
        for name, content in saved.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)  # x_tokenizer may be on its way
            (tmp_path / name).write_bytes(content)
    assert opened == {1, 2, None}


def test_a_folder_of_somebody_else_is_not_emptied(corpus, tokenizer_folder, tmp_path):
    (tmp_path / "x_partial").mkdir()
    (tmp_path / "x_partial" / "notes.md").write_text("precious")
    result = run(corpus, tmp_path, "--tokenizer", tokenizer_folder)
    assert result.returncode == 2 and "x_partial holds notes.md" in result.stderr
    assert (tmp_path / "x_partial" / "notes.md").read_text() == "precious"
