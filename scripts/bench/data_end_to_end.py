"""Files -> ids on disk: this project's command, a plain script on tokenizers, PaddleNLP's script.

Every side is a whole process, timed from start to exit, on the same cores, files and vocabulary,
with the files in the page cache. The ids of all sides must be equal.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from data_common import PEERS, Part, cores, in_turns, median, run, times_faster
from data_corpus import SUFFIXES, Corpus, write_json_lines

OURS = "this project"
METHODS = ("encode_batch", "encode_batch_fast")
PADDLENLP = "PaddleNLP, GPTTokenizer"
HEADER = ("side", "seconds", "MB/s", "MB/s per core", "encoding, share of the time",
          "this project is faster by")


@dataclass
class Turn:
    """One run of one side; encoding: seconds of it in which the encoder worked."""

    seconds: float
    encoding: float
    encoder: str
    digest: str


def measure(corpus: Corpus, tokenizer: Path, work: Path, rounds: int,
            paddlenlp_python: str | None) -> Part:
    """Time all sides in turns; ValueError if the ids of any two differ."""
    out = work / "out"
    lines = work / "corpus.jsonl"
    sides = {
        OURS: lambda: _ours(corpus, tokenizer, out),
    }
    for method in METHODS:
        arguments = [corpus.folder, tokenizer, out / "x", method]
        sides[f"tokenizers, {method}"] = partial(
            _peer, sys.executable, "tokenizers_batch.py", arguments, out)
    missing = paddlenlp_problem(paddlenlp_python, "paddlenlp.transformers.gpt.tokenizer")
    if not missing:
        write_json_lines(corpus, lines)
        sides[PADDLENLP] = lambda: _peer(paddlenlp_python, "paddlenlp_create.py",
                                         [lines, tokenizer, out / "x", cores()], out)
    digests: dict[str, str] = {}
    turns = in_turns({name: _checked(name, side, digests) for name, side in sides.items()},
                     rounds, "end to end")
    shutil.rmtree(out)
    lines.unlink(missing_ok=True)
    return _part(corpus, tokenizer, rounds, turns, missing)


def paddlenlp_problem(python: str | None, module: str) -> str | None:
    """The reason why that Python cannot measure PaddleNLP; None if it can."""
    if not python:
        return "not measured: --paddlenlp_python names no Python with PaddleNLP"
    try:
        run([python, "-c", f"import {module}"])
    except (RuntimeError, OSError) as error:
        return f"not measured: {str(error).rsplit(' / ', 1)[-1]}"
    return None


def our_command(corpus: Path, tokenizer: Path, prefix: Path, workers: int) -> list:
    """The command of this project, without shuffling, so that the ids equal those of the peers."""
    return [sys.executable, "-m", "data_tools.create_pretraining_data", "--input_path", corpus,
            "--suffixes", *SUFFIXES, "--tokenizer", tokenizer, "--output_prefix", prefix,
            "--workers", workers, "--no-shuffle", "--quiet",
            "--summary_json", f"{prefix}_summary.json"]


def _ours(corpus: Corpus, tokenizer: Path, out: Path) -> Turn:
    _clear(out)
    finished = run(our_command(corpus.folder, tokenizer, out / "x", cores()))
    summary = json.loads((out / "x_summary.json").read_text())
    return Turn(finished.seconds, summary["encoder_busy_seconds"], summary["encoder"],
                _digest(out / "x"))


def _peer(python: str, script: str, arguments: list, out: Path) -> Turn:
    _clear(out)
    finished = run([python, PEERS / script, *arguments])
    said = json.loads(finished.output.strip().splitlines()[-1])
    return Turn(finished.seconds, said["encoding_seconds"], "", _digest(out / "x"))


def _checked(name: str, side, digests: dict[str, str]):
    def turn() -> Turn:
        result = side()
        digests[name] = result.digest
        if len(set(digests.values())) > 1:
            raise ValueError(f"the ids differ, so the times do not compare: {digests}")
        return result

    return turn


def _clear(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)


def _digest(prefix: Path) -> str:
    """SHA-256, 16 digits, of ids, lengths and documents with their types."""
    digest = hashlib.sha256()
    with np.load(f"{prefix}_idx.npz") as index:
        arrays = [np.load(f"{prefix}_ids.npy", mmap_mode="r"), index["lens"], index["docs"]]
    for array in arrays:
        digest.update(str(array.dtype).encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:16]


def _part(corpus: Corpus, tokenizer: Path, rounds: int, turns: dict[str, list[Turn]],
          missing: str | None) -> Part:
    seconds = {name: [turn.seconds for turn in own] for name, own in turns.items()}
    megabytes, rows = corpus.bytes / 1e6, []
    figures: dict = {"megabytes": megabytes, "files": len(corpus.files), "cores": cores(),
                     "ids_sha256": turns[OURS][0].digest, "sides": {}}
    for name, own in seconds.items():
        speed = megabytes / median(own)
        share = median([turn.encoding / turn.seconds for turn in turns[name]])
        faster = times_faster(seconds[OURS], own)
        rows.append((_named(name, turns), f"{median(own):.2f}", f"{speed:.2f}",
                     f"{speed / cores():.2f}", f"{share:.0%}", f"{faster:.2f}"))
        figures["sides"][name] = {"seconds": own, "mb_per_s": speed, "encoding_share": share,
                                  "mb_per_s_per_core": speed / cores(),
                                  "this_project_faster_by": faster}
    if missing:
        rows.append((PADDLENLP, missing, "", "", "", ""))
        figures["sides"][PADDLENLP] = missing
    notes = [
        f"Default corpus, {len(corpus.files):,} files, {megabytes:.1f} MB of text, read from the "
        f"page cache; vocabulary: {_vocabulary(tokenizer)}.",
        f"Whole processes from start to exit on {cores()} cores, median of {rounds} alternated "
        "rounds; the ids of all sides are equal.",
    ]
    if not missing:
        notes.append("PaddleNLP: its script restated around its own tokenizer class; turning "
                     "files into JSON lines (trans_to_json) is not counted.")
    return Part("Files to ids on disk", notes, HEADER, rows, figures)


def _named(name: str, turns: dict[str, list[Turn]]) -> str:
    encoder = turns[name][0].encoder
    return f"{name} ({encoder})" if encoder else name


def _vocabulary(folder: Path) -> str:
    size = len(json.loads((folder / "vocab.json").read_text(encoding="utf-8")))
    trained = folder.name.removeprefix("tokenizer_") != "given"
    return f"{size:,} tokens, {'trained on this corpus' if trained else 'from --tokenizer'}"
