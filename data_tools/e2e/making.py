"""Pairs -> records with ids, as microsoft/LoRA's format_converting_e2e and gpt2_encode do."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tqdm import tqdm

from data_tools.e2e.options import E2EDataConfig
from data_tools.e2e.reading import grouped, read_pairs
from data_tools.files import whole_files, whole_folder
from data_tools.preparing.report import say
from data_tools.tokenizing.tokenizer import Tokenizer

_CHUNK = 1000  # pairs that are encoded at once


def make(config: E2EDataConfig) -> None:
    """Write both files whole or not at all, and the tokenizer beside them unless it is there.

    A record's `context` is the ids of the meaning representation and the end token, its
    `completion` those of a space and the text, and the end token.
    """
    output = Path(config.output_file)
    pairs = read_pairs(config.input_path)
    tokenizer = Tokenizer.load(config.tokenizer)
    beside = output.parent / "tokenizer"
    if beside.exists() and Tokenizer.load(beside).fingerprint() != tokenizer.fingerprint():
        raise ValueError(f"{beside} is another tokenizer than {config.tokenizer}: write to another "
                         "folder, or name that tokenizer")
    end = [tokenizer.eos_token_id]
    after_context, after_text = end if config.add_bos else [], end if config.add_eos else []
    total = 0
    os.makedirs(output.parent, exist_ok=True)
    bar = tqdm(total=len(pairs), desc="encoding", unit="pair", leave=False, disable=None)
    with bar, whole_files(output, formatted_of(output)) as (ids, texts):
        for first in range(0, len(pairs), _CHUNK):
            chunk = pairs[first : first + _CHUNK]
            contexts = tokenizer.encode_batch([pair.context for pair in chunk])
            completions = tokenizer.encode_batch([f" {pair.completion}" for pair in chunk])
            for pair, context, completion in zip(chunk, contexts, completions, strict=True):
                both = {"context": context.tolist() + after_context,
                        "completion": completion.tolist() + after_text}
                total += sum(map(len, both.values()))
                named = {"context": pair.context, "completion": pair.completion}
                _write(ids, both | {f"{name}_text": text for name, text in named.items()})
                _write(texts, named)
            bar.update(len(chunk))
    if not beside.exists():
        with whole_folder(beside) as folder:
            tokenizer.save(folder)
    say(f"wrote {len(pairs):,} records of {len(grouped(pairs)):,} meaning representations, "
        f"{total:,} ids, to {output}; their texts are in {formatted_of(output)}")


def formatted_of(records: Path) -> Path:
    return records.with_name(f"{records.stem}_formatted.jsonl")


def _write(file, record: dict) -> None:
    file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
