"""Fill-in-the-middle, written from the paper (Bavarian et al. 2022, sections 3 and appendix D).

Documents with transformers' GPT2Tokenizer, middles with its generate. The draws are those that
docs/data.md promises for a text, so that both sides cut at the same places.
"""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import GPT2Tokenizer

from paddle_impl.config.decoding import Decoding
from parity.cases import MODEL, Case, infilling
from parity.cases import text as cases_text
from parity.compare import Point, Trace
from parity.torch_side import weights
from parity.torch_side.decoding import continued

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


def middles(case: Case, dtype: str) -> Trace:
    """The prompt of each gap, by hand from its bytes, and what generate writes into it.

    llama.cpp's README documents the fields of /infill.
    """
    model = weights.build(case, dtype)
    trace: Trace = {}
    for number, (name, gap) in enumerate(infilling.GAPS.items()):
        room = MODEL.n_positions - min(gap.most, MODEL.n_positions // 2)
        front = [infilling.PYTHON] * (gap.language is not None)
        prompt = _prompt(gap.prefix, gap.suffix, "", gap.mode, front, room)
        drawn = infilling.draws(number) if gap.sequences else None
        trace |= _filled(model, name, prompt, _decoding(prompt, gap.most, bool(gap.sequences),
                                                        gap.sequences or 1), drawn)
    for name, (mode, language, body) in infilling.INFILLS.items():
        most = body.get("n_predict", MODEL.n_positions)
        room = MODEL.n_positions - min(most, MODEL.n_positions // 2)
        front = [infilling.PYTHON] * (language is not None)
        prompt = _prompt(body["input_prefix"], body["input_suffix"], body.get("prompt", ""), mode,
                         front, room)
        for other in reversed(body.get("input_extra", ())):
            prompt = [*other["text"].encode(), infilling.END, *prompt]
        prompt = prompt[-room:]
        temperature = body.get("temperature", 0.8)
        drawn = np.random.default_rng([body.get("seed", 0), 0]).random((MODEL.n_positions, 1))
        decoding = _decoding(prompt, most, temperature > 0, 1, temperature=temperature or 1.0,
                             top_k=body.get("top_k", 40), top_p=body.get("top_p", 0.95))
        trace |= _filled(model, f"/infill, {name}", prompt, decoding,
                         drawn if temperature else None)
    return trace


def _prompt(prefix: str, suffix: str, begun: str, mode: str, front: list[int], most: int):
    """A document in the paper's order that ends where the model has to go on."""
    parts = {"p": list(prefix.encode()), "s": list(suffix.encode()), "m": list(begun.encode())}
    room = most - len(front) - len(parts["m"]) - 3
    while len(parts["p"]) + len(parts["s"]) > room:
        if len(parts["s"]) > room // 4:
            parts["s"].pop()
        else:
            parts["p"].pop(0)
    control = {"P": infilling.PREFIX, "M": infilling.MIDDLE, "S": infilling.SUFFIX}
    ids = list(front)
    for letter in _SPM if mode == "spm" else _PSM:
        ids += [control[letter]] if letter in control else parts[letter]
    return ids


def _decoding(prompt: list[int], most: int, sampled: bool, sequences: int, **filters) -> Decoding:
    ends = (infilling.END, infilling.PREFIX, infilling.SUFFIX, infilling.MIDDLE, infilling.PAD)
    return Decoding(
        min(most, MODEL.n_positions - len(prompt)), "sampling" if sampled else "greedy_search",
        num_return_sequences=sequences, eos_token_ids=ends, vocab_size=infilling.VOCABULARY,
        **(filters if sampled else {}))


def _filled(model, name: str, prompt: list[int], decoding: Decoding, drawn) -> Trace:
    found = []
    for row, score in zip(*continued(model, prompt, decoding, drawn), strict=True):
        ended = row[-1] in decoding.eos_token_ids
        found.append((row[:-1] if ended else row, ended, score))
    return infilling.points(name, prompt, found)
