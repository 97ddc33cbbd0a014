"""The corpus that every side reads, copied into the work folder, and the tokenizer all use.

The default corpus (data_tools.reading.default_corpus) without the files that a side might judge
differently: what is left is UTF-8 text without NUL bytes, 10 characters or more each.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from data_common import say

from data_tools.reading.default_corpus import EXCLUDED_DIRS, default_corpus_paths
from data_tools.token_files.streams import save_tokenizer
from data_tools.tokenizing.tokenizer import Tokenizer

SUFFIXES = (".py", ".c", ".cc", ".cpp", ".h", ".hpp", ".cu", ".cuh", ".inl")
MIN_CHARS = 10
QUICK_STEP = 40  # --quick takes one file in so many
VOCAB_SIZE, QUICK_VOCAB_SIZE = 50257, 1000


@dataclass
class Corpus:
    """A folder, its files in reading order (each folder's files, then its folders, sorted)."""

    folder: Path
    files: list[Path]
    bytes: int

    def digest(self) -> str:
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def copy_default_corpus(folder: Path, quick: bool) -> Corpus:
    """Copy the corpus, so that the page cache holds the files and no other program changes them."""
    shutil.rmtree(folder, ignore_errors=True)
    for number, root in enumerate(default_corpus_paths()):
        for path in _walk(root)[:: QUICK_STEP if quick else 1]:
            data = path.read_bytes()
            if _is_text(data):
                copy = folder / str(number) / path.relative_to(root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(data)
    return open_corpus(folder)


def open_corpus(folder: Path) -> Corpus:
    files = _walk(folder)
    return Corpus(folder, files, sum(path.stat().st_size for path in files))


def repeat(corpus: Corpus, folder: Path, times: int) -> Corpus:
    """The corpus `times` over, as folders of hard links, which a reader takes for other files."""
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(times):
        for path in corpus.files:
            link = folder / str(number) / path.relative_to(corpus.folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, link)
    return open_corpus(folder)


def repeat_in_other_words(corpus: Corpus, folder: Path, times: int) -> Corpus:
    """`times` copies with `qa`, `qb`, ... appended to each word, so that no copy repeats a word.

    The memory of an encoder that caches words grows with these copies, but not with plain ones.
    """
    shutil.rmtree(folder, ignore_errors=True)
    word = re.compile(rb"[A-Za-z]{3,}")
    for number in range(times):
        ending = rb"\g<0>q" + bytes([ord("a") + number])
        for path in corpus.files:
            copy = folder / str(number) / path.relative_to(corpus.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(word.sub(ending, path.read_bytes()))
    return open_corpus(folder)


def write_json_lines(corpus: Corpus, path: Path) -> None:
    """One {"text": ...} a line, what PaddleNLP's trans_to_json.py makes of the files."""
    with path.open("w", encoding="utf-8") as lines:
        for file in corpus.files:
            text = file.read_bytes().decode("utf-8")
            lines.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")


def tokenizer_folder(work: Path, corpus: Corpus, given: str | None, quick: bool) -> Path:
    """tokenizer.json, vocab.json and merges.txt: the given one's, or one trained here once."""
    if given:
        folder = work / "tokenizer_given"
        shutil.rmtree(folder, ignore_errors=True)
        Tokenizer.load(given).save(folder)
        return folder
    size = QUICK_VOCAB_SIZE if quick else VOCAB_SIZE
    folder = work / f"tokenizer_{size}_{corpus.digest()[:12]}"
    if not (folder / "tokenizer.json").exists():
        say(f"training a tokenizer of {size:,} tokens on {corpus.bytes / 1e6:.1f} MB")
        tokenizer = Tokenizer.train((f.read_bytes().decode("utf-8") for f in corpus.files), size)
        save_tokenizer(tokenizer, folder)
    return folder


def _walk(root: Path) -> list[Path]:
    found = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if name not in EXCLUDED_DIRS)
        found += [Path(folder, name) for name in sorted(names)
                  if name.lower().endswith(SUFFIXES) and os.path.isfile(f"{folder}/{name}")]
    return found


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return "\0" not in text and len(text) >= MIN_CHARS and not text.isspace()
