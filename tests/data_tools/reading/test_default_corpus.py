"""The default corpus: the standard library, and the headers of Paddle if it is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from data_tools.reading import default_corpus
from data_tools.reading.file_list import FileList


def test_default_corpus_is_the_standard_library_without_packages():
    roots = default_corpus.default_corpus_paths()
    files = FileList.find(
        roots, suffixes=[".py", ".h"], exclude_dirs=default_corpus.EXCLUDED_DIRS
    )
    assert str((roots[0] / "os.py").resolve()) in files
    library = [path for path in files if path.startswith(str(roots[0].resolve()))]
    assert len(library) > 500 and not any("-packages" in path for path in library)


def test_default_corpus_does_not_import_paddle():
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from data_tools.reading.default_corpus import default_corpus_paths as paths\n"
        "paths(); sys.exit('paddle' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_default_corpus_without_paddle_warns(monkeypatch):
    monkeypatch.setattr(default_corpus.importlib.util, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match="standard library alone"):
        assert len(default_corpus.default_corpus_paths()) == 1
