"""Fill-in-the-middle, written from the paper (Bavarian et al. 2022, sections 3 and appendix D).

With transformers' GPT2Tokenizer. The draws are those that docs/data.md promises for a text, so that
both sides cut at the same places.
"""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import GPT2Tokenizer

from parity.cases import Case, infilling
from parity.cases import text as cases_text
from parity.compare import Point, Trace

# What follows what; capitals are the control tokens before the parts of the same letter.
_PSM, _SPM = "PpSsMm", "PSsMpm"


def documents(case: Case, dtype: str) -> Trace:
    """ids and lens of token files, in path order, and the ids of short texts."""
    tokenizer = _tokenizer()
    trace: Trace = {}
    for name, (rate, spm_rate, seed) in infilling.RATES.items():
        rows = [[*_document(tokenizer, text, rate, spm_rate, seed), tokenizer.eos_token_id]
                for _, text in sorted(infilling.DOCUMENTS.items())]
        ids = torch.cat([torch.tensor(row) for row in rows])
        trace[Point(0, "token file", f"{name}: ids")] = ids.numpy().astype(np.uint16)
        lens = torch.tensor(list(map(len, rows)), dtype=torch.int32)
        trace[Point(0, "token file", f"{name}: lens")] = lens.numpy()
        for number, text in enumerate(infilling.SHORT):
            rows = [_document(tokenizer, text, rate, spm_rate, seed + more)
                    for more in infilling.SEEDS]
            trace[Point(0, "token ids", f"{name}: text {number}")] = np.array(sum(rows, []))
    return trace


def _document(tokenizer: GPT2Tokenizer, text: str, rate: float, spm_rate: float, seed: int):
    secret = hashlib.blake2b(digest_size=16, key=b"fim %d" % seed)
    secret.update(text.encode("utf-8"))
    draws = np.random.Generator(np.random.PCG64(int(secret.digest()[::-1].hex(), 16)))
    chance, order = draws.random(2)
    if not chance < rate:
        return tokenizer(text)["input_ids"]
    places = draws.integers(len(text) + 1, size=2)
    parts = {"p": text[:places.min()], "s": text[places.max():]}
    parts["m"] = text.removeprefix(parts["p"])[:places.max() - places.min()]
    control = dict(zip("PMS", tokenizer.convert_tokens_to_ids(infilling.TOKENS[:3]), strict=True))
    ids: list[int] = []
    for letter in _SPM if order < spm_rate else _PSM:
        ids += [control[letter]] if letter in control else tokenizer(parts[letter])["input_ids"]
    return ids


def _tokenizer() -> GPT2Tokenizer:
    with tempfile.TemporaryDirectory() as directory:
        cases_text.write_tokenizer(Path(directory))
        tokenizer = GPT2Tokenizer.from_pretrained(directory, split_special_tokens=True)
    tokenizer.add_tokens([*infilling.TOKENS], special_tokens=True)
    return tokenizer
