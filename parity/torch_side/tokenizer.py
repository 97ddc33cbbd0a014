"""Text to ids by transformers' GPT2Tokenizer, and a corpus to arrays in PaddleNLP's format."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, GPT2Tokenizer

from parity.cases import Case
from parity.cases import text as cases_text
from parity.compare import Point, Trace


def ids(case: Case, dtype: str) -> Trace:
    """Ids of every text: as a document, where <|endoftext|> is plain text, and as a prompt."""
    trace: Trace = {}
    document, prompt = _tokenizer(split_special_tokens=True), _tokenizer()
    for form in ("version line", "no version line", "saved and loaded"):
        for number, text in enumerate(cases_text.PROMPTS):
            trace[Point(0, "token ids", f"{form}, text {number}")] = _ids(document, text)
            trace[Point(0, "prompt ids", f"{form}, text {number}")] = _ids(prompt, text)
            spelled = prompt.decode(_ids(document, text), clean_up_tokenization_spaces=False)
            trace[Point(0, "decoded", f"{form}, text {number}")] = _bytes(spelled)
    trace[Point(0, "token ids", "end token")] = np.asarray(prompt.eos_token_id)
    return trace


def written(case: Case, dtype: str) -> dict[str, bytes]:
    """The files of save_pretrained."""
    with tempfile.TemporaryDirectory() as directory:
        _tokenizer().save_pretrained(directory)
        return {path.name: path.read_bytes() for path in Path(directory).iterdir()}


def opened(case: Case, dtype: str) -> Trace:
    """Ids and text by the tokenizer that Paddle's side saved, opened by AutoTokenizer."""
    with tempfile.TemporaryDirectory() as directory:
        for name, content in case.given.items():
            (Path(directory) / name).write_bytes(content)
        tokenizer = AutoTokenizer.from_pretrained(directory)
    trace: Trace = {Point(0, "token ids", "end token"): np.asarray(tokenizer.eos_token_id)}
    for number, text in enumerate(cases_text.PROMPTS):
        found = _ids(tokenizer, text)
        spelled = tokenizer.decode(found, skip_special_tokens=True)  # with the saved settings
        trace[Point(0, "prompt ids", f"text {number}")] = found
        trace[Point(0, "decoded", f"text {number}")] = _bytes(f"|{spelled}")
    return trace


def corpus(case: Case, dtype: str) -> Trace:
    """ids, lens and docs of a folder: one document a file, in path order, an end token after each.
    """
    tokenizer = _tokenizer(split_special_tokens=True)
    end = np.array([tokenizer.eos_token_id])
    documents = [_ids(tokenizer, text) for _, text in sorted(cases_text.DOCUMENTS.items())]
    trace: Trace = {}
    for name, after in (("append_eos", end), ("no-append_eos", end[:0])):
        rows = [torch.from_numpy(np.append(row, after)) for row in documents]
        trace[Point(0, "token file", f"{name}: ids")] = torch.cat(rows).numpy().astype(np.uint16)
        lens = torch.tensor([len(row) for row in rows], dtype=torch.int32)
        trace[Point(0, "token file", f"{name}: lens")] = lens.numpy()
        trace[Point(0, "token file", f"{name}: docs")] = torch.arange(len(rows) + 1).numpy()
    return trace


def _tokenizer(**options) -> GPT2Tokenizer:
    with tempfile.TemporaryDirectory() as directory:
        cases_text.write_tokenizer(Path(directory))
        return GPT2Tokenizer.from_pretrained(directory, **options)


def _ids(tokenizer: GPT2Tokenizer, text: str) -> np.ndarray:
    return np.array(tokenizer(text, add_special_tokens=False)["input_ids"], dtype=np.int64)


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-8"), np.uint8)
