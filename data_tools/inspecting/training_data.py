"""A file of instructions, preferences or texts with labels at a glance, before a run reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from tqdm import tqdm

from data_tools.classification.labels import names_of
from data_tools.classification.reading import (
    LABEL_NAMES,
    TEXT_NAMES,
    Columns,
    Labelled,
    read_labelled,
)
from data_tools.cleaning.exact_duplicates import ExactDuplicate
from data_tools.cleaning.near_duplicates import NearDuplicate
from data_tools.inspecting.report import quantiles
from data_tools.instructions.prompts import prompt_text
from data_tools.instructions.reading import ENDINGS, format_of, read_rows
from data_tools.instructions.records import (
    Conversation,
    Instruction,
    Preference,
    example_of,
    preference_of,
)
from data_tools.tokenizing.any_tokenizer import AnyTokenizer

Record = Instruction | Conversation | Preference | Labelled
_KINDS = {Instruction: "instruction", Conversation: "conversation", Preference: "preference",
          Labelled: "labelled text"}
# The field that is all of a record, of which a run's sequence length is the limit.
_WHOLE = {Instruction: "alpaca text", Conversation: "conversation", Preference: "pair",
          Labelled: "text"}


@dataclass(frozen=True)
class TrainingData:
    """kind: instructions (conversations too), preferences or labels. indices: the place of each
    record among all of the file, counted from 0. refused: why a run stops at the others.
    """

    path: str
    kind: str
    records: list[Record]
    indices: list[int]
    refused: list[str]


def read(path: str, columns: Columns) -> TrainingData:
    """The records of a file, of which the first one tells the kind, unless columns are named.

    ValueError where a row cannot be read at all, or none is a record.
    """
    labels = format_of(path) not in ENDINGS or bool(columns.text or columns.label)
    if not labels:
        rows = read_rows(path)
        place, first = next(rows)
        preferences = bool(first.keys() & {"chosen", "rejected"})
        labels = not preferences and _has_label(place, first)
    if labels:
        found = read_labelled(path, columns)
        return TrainingData(path, "labels", found, list(range(len(found))), [])
    kind, of_row = (("preferences", preference_of) if preferences else
                    ("instructions", example_of))
    records, indices, refused = [], [], []
    for index, placed_row in enumerate(chain([(place, first)], rows)):
        try:
            records.append(of_row(*placed_row))
            indices.append(index)
        except ValueError as error:
            refused.append(str(error))
    if not records:
        raise ValueError(refused[0])
    return TrainingData(path, kind, records, indices, refused)


def _has_label(place: str, row: dict) -> bool:
    """Whether the row is a text with a label; ValueError where it is no record of any kind."""
    if row.keys() & {"instruction", "output", "messages", "conversations"}:
        return False
    if row.keys() & {*TEXT_NAMES, *LABEL_NAMES}:
        return True
    raise ValueError(f"{place}: expected the fields of an instruction (instruction and output, "
                     "messages, or conversations), of a preference (chosen and rejected), or of a "
                     f"text with a label (text and label), got {', '.join(row) or 'none'}")


def lengths(data: TrainingData, tokenizer: AnyTokenizer | None) -> dict[str, dict]:
    """{field: {"characters": (n,) int64, "tokens": the same, with a tokenizer}}.

    The fields are those of Alpaca's records with their whole text, the roles of messages with all
    of a conversation, prompt, chosen and rejected, or text. n: how often the field is there.
    """
    texts: dict[str, list[str]] = {}
    for record in data.records:
        for field, text in _fields(record):
            texts.setdefault(field, []).append(text)
    found = {field: {"characters": _sizes(of)} for field, of in texts.items()}
    if tokenizer is not None:
        for field, of in texts.items():
            found[field]["tokens"] = _sizes(tokenizer.encode_batch(of))
    return found


def summarize(data: TrainingData, sizes: dict[str, dict], seq_length: int) -> dict:
    """What the file holds, and what a run would leave out, as values of JSON.

    sizes: of lengths(). Records are named by their index, counted from 0. What is white space only
    counts as empty.
    """
    left_out: dict[str, list[int]] = {}
    for index, record in zip(data.indices, data.records, strict=True):
        if reason := _problem(record):
            left_out.setdefault(reason, []).append(index)
    found = {
        "file": data.path, "kind": data.kind, "records": len(data.records),
        "kinds": dict(Counter(_KINDS[type(record)] for record in data.records)),
        "refused": data.refused, "left_out": left_out,
        "empty": dict(Counter(field for record in data.records for field, text in _fields(record)
                              if not text.strip())),
        "duplicates": _duplicates(data),
        "lengths": {field: {unit: quantiles(of) for unit, of in one.items()}
                    for field, one in sizes.items()},
        "longer": _longer(data, sizes, seq_length),
    }
    if data.kind == "labels":
        counts = Counter(record.label for record in data.records)
        found["classes"] = {name: counts[name] for name in names_of(counts)}
    if data.kind == "preferences":
        chosen, rejected = (sizes[name]["characters"] for name in ("chosen", "rejected"))
        found["longer_answer"] = {"chosen": int((chosen > rejected).sum()),
                                  "rejected": int((rejected > chosen).sum())}
    return found


def _longer(data: TrainingData, sizes: dict[str, dict], seq_length: int) -> dict | None:
    """How many of the records that it takes a run of that length cuts; None unless tokens were
    counted.

    In DPO the end token takes a place too. In SFT it is only the label of the last one.
    """
    tokens = {field: one["tokens"] for field, one in sizes.items() if "tokens" in one}
    if not tokens:
        return None
    if data.kind == "preferences":
        tokens["pair"] = tokens["prompt"] + np.maximum(tokens["chosen"], tokens["rejected"]) + 1
    count = 0
    for kind, field in _WHOLE.items():
        kept = [_problem(record) is None for record in data.records if isinstance(record, kind)]
        if kept:
            count += int((tokens[field][kept] > seq_length).sum())
    return {"seq_length": seq_length, "records": count}


def _problem(record: Record) -> str | None:
    """Why a run leaves the record out; None where it takes it."""
    return None if isinstance(record, Labelled) else record.problem


def _duplicates(data: TrainingData) -> dict[str, list[int] | None]:
    """Indices of records that repeat an earlier one; a record is in one list at most.

    equal: all of it. other_answer: the prompt, or the text of a label, but not the answer. near:
    most of the words, by cleaning/near_duplicates.py; None where rensa is not installed.
    """
    whole, prompts = ExactDuplicate(), ExactDuplicate()
    try:
        near = NearDuplicate()
    except ValueError:
        near = None
    found: dict[str, list[int]] = {"equal": [], "other_answer": [], "near": []}
    # disable=None: a bar only where stderr is a terminal.
    for index, record in tqdm(zip(data.indices, data.records, strict=True), "comparing",
                              len(data.records), leave=False, disable=None):
        prompt, answer = _prompt_and_answer(record)
        text = f"{prompt}\n{answer}"
        again = prompts.drops(prompt)
        if whole.drops(text):
            found["equal"].append(index)
            continue
        alike = near is not None and near.drops(text)
        if again:
            found["other_answer"].append(index)
        elif alike:
            found["near"].append(index)
    return found if near is not None else found | {"near": None}


def _prompt_and_answer(record: Record) -> tuple[str, str]:
    """Without what a template adds, which would make all records alike."""
    if isinstance(record, Labelled):
        return record.text, record.label
    if isinstance(record, Preference):
        return _contents(record.prompt), f"{record.chosen}\n{record.rejected}"
    if isinstance(record, Instruction):
        return f"{record.instruction}\n{record.input}", record.output
    *before, last = [message.content for message in record.messages]
    return "\n".join(before), last


def _fields(record: Record) -> Iterator[tuple[str, str]]:
    if isinstance(record, Labelled):
        yield "text", record.text
    elif isinstance(record, Preference):
        yield "prompt", _whole_prompt(record.prompt)
        yield "chosen", record.chosen
        yield "rejected", record.rejected
    elif isinstance(record, Instruction):
        for field in ("instruction", "input", "output"):
            yield field, getattr(record, field)
        yield "alpaca text", _whole_prompt(record) + record.output
    else:
        yield from record.messages
        yield "conversation", _contents(record)


def _whole_prompt(record: Instruction | Conversation) -> str:
    """As style alpaca has it; of a conversation, whose template is not known, its messages."""
    if isinstance(record, Conversation):
        return _contents(record)
    return prompt_text("alpaca", record.instruction, record.input)


def _contents(record: Instruction | Conversation) -> str:
    return "\n".join(message.content for message in record.messages)


def _sizes(texts: list) -> np.ndarray:
    return np.array([len(text) for text in texts], np.int64)
