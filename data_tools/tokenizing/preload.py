"""Build the fast encoder of a tokenizer.json in a thread while Python still imports.

That takes half a second for 50,000 tokens, a quarter of the whole time for a small corpus. So the
command begins it before anything else. FlatEncoder decides later whether the result may be used.
Standard library only.
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from pathlib import Path
from threading import Thread

_begun: dict[Path, Future] = {}


def begin(tokenizer: str | os.PathLike) -> None:
    """For the tokenizer.json at this path, a file or a folder; nothing where there is none."""
    path = Path(tokenizer)
    file = path / "tokenizer.json" if path.is_dir() else path
    if file.suffix.lower() == ".json" and file.is_file():
        _begun[file] = Future()
        Thread(target=_build, args=(file, _begun[file])).start()


def take(file: Path | None):
    """The encoder that was begun for this file, once; None where there is none, or it failed."""
    begun = _begun.pop(file, None)
    return begun and begun.result()


def _build(file: Path, built: Future) -> None:
    try:
        from fastokens import Tokenizer

        built.set_result(Tokenizer.from_json_str(file.read_text(encoding="utf-8-sig")))
    except BaseException:  # a panic of Rust is no Exception; who needs it builds it again
        built.set_result(None)
