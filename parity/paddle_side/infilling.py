"""Fill-in-the-middle by create_pretraining_data, and by its encoder."""

import tempfile
from pathlib import Path

import numpy as np

from data_tools.fim import FimEncoder
from data_tools.tokenizing.tokenizer import Tokenizer
from parity.cases import Case, infilling
from parity.cases import text as cases_text
from parity.compare import Point, Trace
from parity.paddle_side.tokenizer import create


def documents(case: Case, dtype: str) -> Trace:
    """ids and lens of token files, in path order, and the ids of short texts."""
    trace: Trace = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        infilling.write_documents(directory / "code")
        cases_text.write_tokenizer(directory)
        for name, (rate, spm_rate, seed) in infilling.RATES.items():
            prefix = directory / name
            create("--input_path", directory / "code", "--output_prefix", prefix, "--no-shuffle",
                   "--vocab_file", directory / "vocab.json", "--merge_file",
                   directory / "merges.txt", "--fim_rate", rate, "--fim_spm_rate", spm_rate,
                   "--seed", seed, "--quiet")
            index = np.load(f"{prefix}_idx.npz", allow_pickle=False)
            trace[Point(0, "token file", f"{name}: ids")] = np.load(f"{prefix}_ids.npy")
            trace[Point(0, "token file", f"{name}: lens")] = index["lens"]
            tokenizer = Tokenizer.load(f"{prefix}_tokenizer")
            for number, text in enumerate(infilling.SHORT):
                rows = [FimEncoder(tokenizer, rate, spm_rate, seed + more).encode_flat([text])[0]
                        for more in infilling.SEEDS]
                ids = np.concatenate(rows).astype(np.int64)
                trace[Point(0, "token ids", f"{name}: text {number}")] = ids
    return trace
