"""The sample index at full size: 4,024,265 documents, 11 billion tokens, samples of 1024.

build_sample_idx beside Megatron-LM's compiled helper on the same input, in one process; then the
whole index (documents, samples, shuffle) in a fresh process, which this file is too:

    python data_index.py SIZES.npy SEQ_LENGTH SEED
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import sys
import time
import zipfile
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from data_common import Part, in_turns, median, own_peak_mib, run, times_faster

from data_tools import index_helper

DOCUMENTS, TOKENS = 4_024_265, 11_000_000_000
QUICK_DIVISOR = 100
SEQ_LENGTH, SEED = 1024, 1234
SPREAD = 1.4  # sigma of the logarithm of a document's length: source files vary about so much
HELPER = "megatron/core/datasets/helpers_cpp"
OURS, MEGATRON = "this project", "Megatron-LM's helpers_cpp"
HEADER = ("what", "this project, s", "Megatron-LM, s", "this project is faster by", "peak MiB")


def measure(work: Path, rounds: int, quick: bool, megatron: str | None) -> Part:
    sizes = document_sizes(QUICK_DIVISOR if quick else 1)
    tokens = int(sizes.sum(dtype=np.int64))
    figures: dict = {"documents": len(sizes), "tokens": tokens, "seq_length": SEQ_LENGTH}
    helper, missing = _megatron_helper(megatron, work)
    rows = []
    in_order = np.arange(len(sizes), dtype=np.int32)
    orders = {"documents in order": in_order,
              "documents shuffled": np.random.default_rng(SEED).permutation(in_order)}
    for name, doc_idx in orders.items():
        own = _sample_idx(sizes, doc_idx, tokens, helper, rounds, name)
        figures[name] = own
        theirs = own.get(MEGATRON)
        rows.append((f"sample index, {name}", f"{median(own[OURS]):.3f}",
                     f"{median(theirs):.3f}" if theirs else missing,
                     f"{times_faster(own[OURS], theirs):.2f}" if theirs else "", ""))
    figures["whole"] = whole = _whole_in_fresh_process(sizes, work)
    rows.append((f"document, sample and shuffle index ({whole['samples']:,} samples)",
                 f"{whole['seconds']:.2f}", "", "",
                 f"{whole['peak_mib']:.0f} ({whole['before_mib']:.0f} of it before)"))
    notes = [
        f"Lengths log-normal, {tokens / 1e9:.2f} billion tokens in all, "
        f"samples of {SEQ_LENGTH}; median of {rounds} alternated rounds in one process, one "
        f"thread each{', equal results' if helper else ''}.",
        f"The last row is a fresh process: document index {whole['doc_seconds']:.2f} s, samples "
        f"{whole['sample_seconds']:.2f} s, shuffle {whole['shuffle_seconds']:.2f} s.",
    ]
    return Part(f"Index of {len(sizes):,} documents", notes, HEADER, rows, figures)


def document_sizes(divisor: int) -> np.ndarray:
    """int32 [documents]: log-normal, at least 1, scaled to the sum (but for rounding)."""
    documents, tokens = DOCUMENTS // divisor, TOKENS // divisor
    lengths = np.random.default_rng(SEED).lognormal(0.0, SPREAD, documents)
    return np.maximum(lengths * (tokens / lengths.sum()), 1).astype(np.int32)


def _sample_idx(sizes, doc_idx, tokens: int, helper, rounds: int, name: str) -> dict:
    arguments = sizes, doc_idx, SEQ_LENGTH, 1, tokens
    builders = {OURS: lambda: index_helper.build_sample_idx(*arguments)}
    if helper:
        builders[MEGATRON] = lambda: helper.build_sample_idx_int32(*arguments, True, 1)
        if not np.array_equal(*(build() for build in builders.values())):
            raise ValueError("the sample indices differ, so the times do not compare")
    return in_turns({side: _timed(build) for side, build in builders.items()}, rounds,
                    f"sample index, {name}")


def _timed(build):
    def turn() -> float:
        started = time.perf_counter()
        build()
        return time.perf_counter() - started

    return turn


def _megatron_helper(given: str | None, work: Path):
    """(the compiled module, loaded without torch, or None; the reason if None).

    It comes from --megatron, else from the installed package.
    """
    try:
        path = _helper_file(given, work)
        if path is None:
            return None, "not measured: no megatron-core here, --megatron names none"
        spec = importlib.util.spec_from_file_location("helpers_cpp", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except (OSError, ImportError, zipfile.BadZipFile) as error:
        return None, f"not measured: {error}"
    return module, ""


def _helper_file(given: str | None, work: Path) -> Path | None:
    endings = importlib.machinery.EXTENSION_SUFFIXES
    if given and Path(given).is_file():
        with zipfile.ZipFile(given) as wheel:
            names = [HELPER + ending for ending in endings if HELPER + ending in wheel.namelist()]
            return Path(wheel.extract(names[0], work / "megatron")) if names else None
    # Look up the top-level package only: looking up a submodule would import torch.
    spec = importlib.util.find_spec("megatron")
    folders = [Path(given)] if given else [Path(p).parent for p in
                                           (spec and spec.submodule_search_locations) or ()]
    files = [folder / (HELPER + ending) for folder in folders for ending in endings]
    return next((file for file in files if file.is_file()), None)


def _whole_in_fresh_process(sizes: np.ndarray, work: Path) -> dict:
    path = work / "sizes.npy"
    np.save(path, sizes)
    finished = run([sys.executable, __file__, path, SEQ_LENGTH, SEED])
    path.unlink()
    return json.loads(finished.output)


def _whole(sizes_path: str, seq_length: int, seed: int) -> dict:
    """Time build_indices, which users call, and then each of its steps alone."""
    sizes = np.load(sizes_path)
    documents = np.arange(len(sizes), dtype=np.int32)
    tokens = int(sizes.sum(dtype=np.int64))
    samples = (tokens - 1) // seq_length
    before = own_peak_mib()
    build = _timed(lambda: index_helper.build_indices(sizes, documents, seq_length, samples, seed))
    seconds = build()
    steps = {
        "doc_seconds": lambda: index_helper.build_doc_idx(documents, 1),
        "sample_seconds": lambda: index_helper.build_sample_idx(sizes, documents, seq_length, 1,
                                                                tokens),
        "shuffle_seconds": lambda: index_helper.shuffle_idx(samples, samples,
                                                            np.random.RandomState(seed)),
    }
    whole = {"seconds": seconds, "samples": samples, "before_mib": before,
             "peak_mib": own_peak_mib()}
    return whole | {name: _timed(step)() for name, step in steps.items()}


if __name__ == "__main__":
    print(json.dumps(_whole(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
