"""The texts are byte for byte those of the book, and with GPT-2's tokenizer so are the ids."""

import hashlib

import numpy as np
import pytest

from data_tools.instructions.prompts import (
    PROMPT_STYLES,
    instruction_text,
    prompt_text,
    response_text,
)
from data_tools.instructions.records import read_instructions
from data_tools.tokenizing.tokenizer import load_tokenizer

BEFORE = ("Below is an instruction that describes a task. Write a response that appropriately "
          "completes the request.\n\n### Instruction:\n")


@pytest.mark.parametrize(("style", "input", "text"), [
    ("alpaca", "x > y", BEFORE + "Do it.\n\n### Input:\nx > y\n\n### Response:\n"),
    ("alpaca", "", BEFORE + "Do it.\n\n### Response:\n"),
    ("alpaca", " ", BEFORE + "Do it.\n\n### Input:\n \n\n### Response:\n"),
    ("phi3", "x > y", "<|user|>\nDo it.\nx > y\n<|assistant|>:\n"),
    ("phi3", "", "<|user|>\nDo it.\n<|assistant|>:\n"),
])
def test_the_prompt(style, input, text):
    assert style in PROMPT_STYLES
    assert prompt_text(style, "Do it.", input) == text
    whole = instruction_text(style, "Do it.", input) + response_text(style, "Done.\n")
    assert whole == text + "Done.\n"


def test_the_ids_of_the_shared_instructions(instruct_dir, gpt2_dir):
    tokenizer = load_tokenizer(gpt2_dir)
    records = read_instructions(instruct_dir / "instruction-data.json")
    prompts = [prompt_text("alpaca", record.instruction, record.input) for record in records]
    whole = tokenizer.encode_batch(
        [prompt + record.output for prompt, record in zip(prompts, records, strict=True)])
    counts = []
    for part in (slice(0, 935), slice(935, 1045), slice(1045, 1100)):
        lengths = [len(ids) for ids in whole[part]]
        counts.append((len(lengths), sum(lengths), max(lengths)))
    assert counts == [(935, 52760, 91), (110, 6149, 85), (55, 3116, 76)]
    train = np.concatenate(whole[:935]).astype("<i4")
    assert hashlib.sha256(train.tobytes()).hexdigest()[:16] == "f90f0a2f2e0fa16e"
    answers = tokenizer.encode_batch([record.output for record in records])
    for ids, prompt, answer in zip(whole, tokenizer.encode_batch(prompts), answers, strict=True):
        assert [*prompt, *answer] == ids.tolist()
