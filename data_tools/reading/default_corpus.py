"""The corpus that needs no download: Python and C++ source that is already on this machine.

The interpreter's standard library (about 1,750 Python files, 31 MB) and, where the paddle wheel
is installed, the C++ headers it brings (17 MB).
"""

from __future__ import annotations

import importlib.util
import sysconfig
import warnings
from pathlib import Path

# Folders inside the standard library's that hold other people's packages, or no source.
EXCLUDED_DIRS = ("site-packages", "dist-packages", "__pycache__")


def default_corpus_paths() -> list[Path]:
    """Roots of the default corpus, to be read with exclude_dirs=EXCLUDED_DIRS.

    In a virtual environment "stdlib" is still the base interpreter's. Looking a package up does
    not import it. Without paddle: the standard library alone, and a warning.
    """
    roots = [Path(sysconfig.get_path("stdlib"))]
    paddle = importlib.util.find_spec("paddle")
    headers = [Path(p) / "include" for p in (paddle and paddle.submodule_search_locations) or ()]
    found = [path for path in headers if path.is_dir()]
    if not found:
        warnings.warn(
            "no paddle headers here: the default corpus is the Python standard library alone",
            stacklevel=2,
        )
    return roots + found
