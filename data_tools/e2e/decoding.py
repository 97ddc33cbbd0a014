"""Predictions of a beam search -> the files that the E2E challenge's metrics read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from data_tools.e2e.options import DecodeConfig
from data_tools.e2e.reading import grouped, read_lines, read_pairs
from data_tools.files import whole_files
from data_tools.json_fields import LARGEST, Field, check, either, parsed, whole
from data_tools.preparing.report import say

END = "<|endoftext|>"
_TEXT = Field("a text", lambda value: isinstance(value, str))
_IDS = Field(f"a list of whole numbers from 0 to {LARGEST}", lambda value: isinstance(value, list)
             and all(type(one) is int and 0 <= one <= LARGEST for one in value))
_FIELDS = {"id": whole(), "context": _TEXT, "predict": either(_TEXT, _IDS)}
_SHOWN = 5  # ids in a message


class Decoded(NamedTuple):
    """references: of each meaning representation, in the order of the pairs. outputs: "" where
    there is none. missing: numbers of the first pairs of those. unknown: ids or contexts of
    predictions that belong to no pair.
    """

    references: list[list[str]]
    outputs: list[str]
    missing: list[int]
    unknown: list[int | str]


def decode(config: DecodeConfig) -> None:
    """Write both files, or neither.

    ValueError for a file that cannot be read, and for one that would be replaced without
    --overwrite. A prediction that is missing or belongs to nothing is told on standard error.
    """
    named = [config.output_ref_file or _beside(config.sample_file, "ref"),
             config.output_pred_file or _beside(config.sample_file, "pred")]
    for flag, path in zip(("--output_ref_file", "--output_pred_file"), named, strict=True):
        if Path(path).exists() and not config.overwrite:
            raise ValueError(f"{flag} {path} is there already: name another, or pass --overwrite")
    if len({Path(path).resolve() for path in named}) < 2:
        raise ValueError(f"references and predictions would both go to {named[0]}")
    found = decoded(config.sample_file, config.input_file, config.tokenizer)
    style = _style(config.tokenize, config.lower)
    references, left_out = [], 0
    for own in found.references:
        kept = [style(text) for text in own if style(text)]
        references.append(kept)
        left_out += len(own) - len(kept)
        if not kept:
            raise ValueError(f"{config.input_file}: all texts of the meaning representation number "
                             f"{len(references)} are empty, so nothing can be measured against it")
    with whole_files(*named) as (of_references, of_outputs):
        of_references.write("".join("\n".join([*own, "", ""]) for own in references).encode())
        of_outputs.write("".join(f"{style(text)}\n" for text in found.outputs).encode())
    _say(found, left_out, named)


def decoded(samples: str, pairs: str, tokenizer: str | None) -> Decoded:
    """Read both files; the texts end at the first end token or blank line.

    Of several predictions for one meaning representation the last counts. tokenizer: the folder of
    the one that gave the ids.
    """
    known = read_pairs(pairs, may_be_empty=True)
    groups = grouped(known)
    outputs: dict[str, str] = {}
    unknown: list[int | str] = []
    text_of = _text_of(tokenizer)
    for number, line in enumerate(read_lines(samples), start=1):
        if not line.strip():
            continue
        try:
            record = parsed(line.encode())
            check(record, _FIELDS, ["predict", "context" if "id" not in record else "id"])
            text = text_of(record["predict"])
        except ValueError as error:
            raise ValueError(f"{samples}, line {number}: {error}") from None
        place = record.get("id", record.get("context"))
        if isinstance(place, int):
            context = known[place].context if place < len(known) else None
        else:
            context = place if place in groups else None
        if context is None:
            unknown.append(place)
        else:
            outputs[context] = first_part(text)
    numbers: dict[str, int] = {}
    for number, pair in enumerate(known):
        numbers.setdefault(pair.context, number)
    return Decoded(
        [[first_part(text) for text in own] for own in groups.values()],
        [outputs.get(context, "") for context in groups],
        [number for context, number in numbers.items() if context not in outputs], unknown)


def first_part(text: str) -> str:
    """What stands before the first end token and the first blank line, in one line."""
    text = text.split(END)[0].split("\n\n")[0].strip()
    return " ".join(text.splitlines())


def _text_of(folder: str | None) -> Callable[[str | list[int]], str]:
    """A function from a prediction to its text; the tokenizer is loaded for the first ids."""
    loaded = []

    def text_of(predict: str | list[int]) -> str:
        if isinstance(predict, str):
            return predict
        if folder is None:
            raise ValueError("the prediction is ids: name their tokenizer with --tokenizer")
        if not loaded:
            from data_tools.tokenizing.tokenizer import Tokenizer

            loaded.append(Tokenizer.load(folder))
        (tokenizer,) = loaded
        end = tokenizer.eos_token_id
        return tokenizer.decode(predict[: predict.index(end)] if end in predict else predict)

    return text_of


def _style(tokenize: bool, lower: bool) -> Callable[[str], str]:
    def styled(text: str) -> str:
        text = text.lower() if lower else text
        return " ".join(" ".join(re.split(r"(\W)", text)).split()) if tokenize else text

    return styled


def _beside(samples: str, what: str) -> str:
    path = Path(samples)
    return str(path.with_name(f"{path.stem}_{what}.txt"))


def _say(found: Decoded, left_out: int, named: list[str]) -> None:
    for told, places in (
        ("meaning representations have no prediction, and an empty line: the first pairs are "
         "numbers", found.missing),
        ("predictions belong to no pair: ids", found.unknown),
    ):
        if places:
            more = " ..." if len(places) > _SHOWN else ""
            say(f"warning: {len(places):,} {told} {', '.join(map(str, places[:_SHOWN]))}{more}")
    if left_out:
        say(f"warning: {left_out:,} empty references are left out")
    say(f"wrote {sum(map(len, found.references)) - left_out:,} references of "
        f"{len(found.references):,} meaning representations to {named[0]}, and their predictions "
        f"to {named[1]}")
