"""A small source tree, a tokenizer trained on it, and GPT-2's files if this machine has them."""

import os
from pathlib import Path

import pytest

from data_tools import create_pretraining_data as cli
from data_tools.tokenizing.tokenizer import Tokenizer

REPO = Path(__file__).parents[2]
SNIPPET = "def add_{i}(a, b):\n    '''Add \u00e9 and \U0001f642.'''\n    return a + b + {i}\n"


@pytest.fixture
def source_tree(tmp_path):
    """20 Python files in two folders, and four files that cannot become documents."""
    root = tmp_path / "src"
    for i in range(20):
        file = root / ("lib" if i % 2 else "app") / f"module_{i:02}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SNIPPET.format(i=i) * (i + 1), encoding="utf-8")
    (root / "latin.py").write_bytes("# caf\u00e9, in another encoding\n".encode("latin-1"))
    (root / "binary.py").write_bytes(b"import os\n\0\1\2 not source at all")
    (root / "blank.py").write_bytes(b" \n" * 20)
    (root / "tiny.py").write_bytes(b"x = 1\n")
    (root / "notes.txt").write_bytes(b"not source code, so not taken")
    return root


@pytest.fixture(scope="session")
def tokenizer():
    return Tokenizer.train([SNIPPET.format(i=i) for i in range(50)], 300)


@pytest.fixture(scope="session")
def gpt2_dir():
    shared = Path(os.environ.get("GPT_SHARED_DATA", REPO.parent / "shared" / "data"))
    if not (shared / "gpt2" / "merges.txt").exists():
        pytest.skip(f"GPT-2's vocabulary is not in {shared}; set GPT_SHARED_DATA")
    return shared / "gpt2"


@pytest.fixture
def in_process(monkeypatch):
    """Run main() in this process, and afterwards restore the process settings that it changes."""
    for name in ("RAYON_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.setattr(cli.warnings, "showwarning", cli.warnings.showwarning)
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    return lambda *arguments: cli.main(list(map(str, arguments)))
