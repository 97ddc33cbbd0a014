"""A program `java` that does what the two real ones do, without Java; the reference's example."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
# PTB's tokenizer puts marks apart; METEOR gives half of the share of texts that have a reference's.
PROGRAM = """#!{python}
import os, sys, time
assert "-Duser.language=en" in sys.argv and os.environ["LC_ALL"] == "C.UTF-8"
mode = os.environ.get("FAKE_JAVA", "")
if mode in ("crash", "hang") or mode == "crash METEOR" and "-stdio" in sys.argv:
    print("no heap left", file=sys.stderr, flush=True)
    time.sleep(60 if mode == "hang" else 0)
    sys.exit(3)
if "-stdio" not in sys.argv:
    text = sys.stdin.buffer.read().decode().lower()
    print("\\n".join(text.replace(".", " .").split("\\n")), end="")
    sys.exit(0)
for line in sys.stdin.buffer:
    parts = line.decode().rstrip("\\n").split(" ||| ")
    if parts[0] == "SCORE":
        print(parts[-1] in parts[1:-1], flush=True)
    else:
        right = [part == "True" for part in parts[1:]]
        for one in right:
            print(float(one))
        print(sum(right) / len(right) / 2, flush=True)
"""


@pytest.fixture
def fake_java(tmp_path, monkeypatch):
    """Puts the program first on the path; a call sets its mode."""
    pytest.importorskip("pycocoevalcap", reason="needs the extra metrics")
    pytest.importorskip("sacrebleu", reason="needs the extra metrics")
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "java"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return lambda mode: monkeypatch.setenv("FAKE_JAVA", mode)


@pytest.fixture
def no_java(tmp_path, monkeypatch):
    pytest.importorskip("pycocoevalcap", reason="needs the extra metrics")
    pytest.importorskip("sacrebleu", reason="needs the extra metrics")
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture(scope="session")
def shared():
    """The folder of the shared data; skips where it is not there."""
    folder = Path(os.environ.get("GPT_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "metrics").is_dir():
        pytest.skip(f"the example of the E2E metrics is not in {folder}; set GPT_SHARED_DATA")
    return folder
