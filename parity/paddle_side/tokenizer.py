"""Text to ids by data_tools' Tokenizer, and a corpus to arrays in PaddleNLP's format."""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np

from data_tools import create_pretraining_data
from data_tools.tokenizing.tokenizer import Tokenizer
from parity.cases import Case
from parity.cases import text as cases_text
from parity.compare import Point, Trace


def ids(case: Case, dtype: str) -> Trace:
    """Ids of every text: as a document, where <|endoftext|> is plain text, and as a prompt."""
    trace: Trace = {}
    for form, tokenizer in _tokenizers().items():
        documents = tokenizer.encode_batch(cases_text.PROMPTS)
        for number, text in enumerate(cases_text.PROMPTS):
            prompt = tokenizer.encode(text, special_tokens=True)
            spelled = tokenizer.decode_bytes(documents[number])
            trace |= {
                Point(0, "token ids", f"{form}, text {number}"): documents[number].astype(np.int64),
                Point(0, "prompt ids", f"{form}, text {number}"): prompt.astype(np.int64),
                Point(0, "decoded", f"{form}, text {number}"): np.frombuffer(spelled, np.uint8),
            }
    trace[Point(0, "token ids", "end token")] = np.asarray(tokenizer.eos_token_id)
    return trace


def written(case: Case, dtype: str) -> dict[str, bytes]:
    """The files of Tokenizer.save."""
    with tempfile.TemporaryDirectory() as directory:
        _tokenizers()["version line"].save(directory)
        return {path.name: path.read_bytes() for path in Path(directory).iterdir()}


def opened(case: Case, dtype: str) -> Trace:
    """Ids and text by the tokenizer that transformers saved, opened by data_tools' Tokenizer."""
    with tempfile.TemporaryDirectory() as directory:
        for name, content in case.given.items():
            (Path(directory) / name).write_bytes(content)
        tokenizer = Tokenizer.load(directory)
    trace: Trace = {Point(0, "token ids", "end token"): np.asarray(tokenizer.eos_token_id)}
    for number, text in enumerate(cases_text.PROMPTS):
        found = tokenizer.encode(text, special_tokens=True)
        spelled = b"|" + tokenizer.decode_bytes(found)
        trace[Point(0, "prompt ids", f"text {number}")] = found.astype(np.int64)
        trace[Point(0, "decoded", f"text {number}")] = np.frombuffer(spelled, np.uint8)
    return trace


def corpus(case: Case, dtype: str) -> Trace:
    """ids, lens and docs of a folder: one document a file, in path order, an end token after each.
    """
    trace: Trace = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        cases_text.write_documents(directory / "code")
        cases_text.write_tokenizer(directory)
        for flag in ("append_eos", "no-append_eos"):
            prefix = directory / flag
            create(f"--{flag}", "--input_path", directory / "code", "--output_prefix", prefix,
                    "--vocab_file", directory / "vocab.json",
                    "--merge_file", directory / "merges.txt", "--no-shuffle", "--quiet")
            index = np.load(f"{prefix}_idx.npz", allow_pickle=False)
            trace[Point(0, "token file", f"{flag}: ids")] = np.load(f"{prefix}_ids.npy")
            trace[Point(0, "token file", f"{flag}: lens")] = index["lens"]
            trace[Point(0, "token file", f"{flag}: docs")] = index["docs"]
    return trace


def create(*flags) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        create_pretraining_data.create(create_pretraining_data.parse([*map(str, flags)]))


def _tokenizers() -> dict[str, Tokenizer]:
    with tempfile.TemporaryDirectory() as name:
        with_line, without, saved = (Path(name) / part for part in ("a", "b", "c"))
        cases_text.write_tokenizer(with_line)
        cases_text.write_tokenizer(without, version_line=False)
        tokenizer = Tokenizer.load(with_line)
        tokenizer.save(saved)
        return {
            "version line": tokenizer,
            "no version line": Tokenizer.load(without),
            "saved and loaded": Tokenizer.load(saved),
        }
