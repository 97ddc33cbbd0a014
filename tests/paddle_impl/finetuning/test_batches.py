"""Steps of like length, from the seed alone; packed rows and the labels of responses."""

import numpy as np
import pytest

from data_tools.instructions.encoding import Encoder
from data_tools.instructions.examples import InstructionExamples
from data_tools.instructions.records import Instruction
from data_tools.instructions.rows import PackedRows
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.finetuning.batches import WINDOW, InstructionLoader, grouped_order

LENGTHS = np.random.default_rng(5).integers(2, 200, 1003)
TOKENIZER = Tokenizer.byte_level()


def examples(count: int = 21, **more) -> InstructionExamples:
    rng = np.random.default_rng(1)
    return InstructionExamples(
        [Instruction("q", "", "a" * int(length), f"record {number}")
         for number, length in enumerate(rng.integers(1, 60, count))],
        Encoder(TOKENIZER, "phi3"), 200, **more)


def loader(data, micro=2, **more) -> InstructionLoader:
    return InstructionLoader(data, micro, TOKENIZER.eos_token_id, **{"seed": 3} | more)


def test_an_epoch_is_a_permutation_by_seed_and_epoch():
    orders = {(seed, epoch): grouped_order(LENGTHS, 8, seed, epoch).tolist()
              for seed in (1, 2) for epoch in (0, 1)}
    assert all(sorted(order) == list(range(1003)) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 4
    assert orders[1, 0] == grouped_order(LENGTHS, 8, 1, 0).tolist()


def test_a_step_has_examples_of_like_length_and_long_steps_stand_anywhere():
    order = grouped_order(LENGTHS, 8, 1, 0)
    steps = np.split(LENGTHS[order[:1000]], 125)
    assert np.mean([step.max() - step.min() for step in steps]) < 200 / WINDOW * 2
    longest = [step.max() for step in steps]
    assert longest != sorted(longest) and longest != sorted(longest, reverse=True)
    assert np.corrcoef(np.arange(125), longest)[0, 1] ** 2 < 0.1
    other = np.split(LENGTHS[np.random.default_rng(1).permutation(1003)[:1000]], 125)
    assert sum(step.max() for step in steps) < 0.7 * sum(step.max() for step in other)


@pytest.mark.parametrize("processes, micro, accumulation", [(1, 2, 2), (2, 2, 1), (4, 1, 1)])
def test_a_step_is_the_same_in_any_number_of_processes(processes, micro, accumulation):
    data = examples()
    whole = loader(data, 4, group_by_length=True)
    for index in (0, 5, 7, 11):
        found = [row[row != TOKENIZER.eos_token_id].tolist()
                 for rank in range(processes)
                 for batch in loader(data, micro, group_by_length=True, rank=rank,
                                     accumulation_steps=accumulation,
                                     world_size=processes).step(index)
                 for row in batch["input_ids"] if batch["labels"].max() >= 0]
        (expected,) = whole.step(index)
        rows = [row[row != TOKENIZER.eos_token_id].tolist() for row in expected["input_ids"]]
        assert sorted(row for row in found if row) == sorted(rows)


def test_the_tokens_of_a_step_are_those_of_its_examples():
    data = examples()
    one = loader(data, 4, group_by_length=True)
    assert sum(one.tokens(index) for index in range(one.steps_per_epoch)) == data.inputs.sum()
    assert one.tokens(2) == (one.step(2)[0]["input_ids"] != TOKENIZER.eos_token_id).sum()


def test_without_grouping_the_order_is_the_seeds_permutation():
    batch = loader(data := examples(), 21, seed=None).step(0)[0]
    assert [int((row >= 0).sum()) for row in batch["labels"]] == data.inputs.tolist()


@pytest.mark.parametrize("all_tokens", [True, False])
def test_responses_are_the_labels_of_answers(all_tokens):
    data = examples(all_tokens=all_tokens)
    (batch,) = loader(data, 21, seed=None).step(0)
    answered = [len("\n<|assistant|>:\n") + int((row == ord("a")).sum()) + 1
                for row in batch["input_ids"]]  # "assistant" has two of them
    assert batch["responses"].sum(axis=1).tolist() == [count - 2 for count in answered]
    if not all_tokens:
        assert ((batch["labels"] >= 0) == batch["responses"]).all()


def test_segments_tell_the_examples_of_a_row():
    rows = PackedRows(examples(), 200)
    (batch,) = loader(rows, len(rows), seed=None).step(0)
    assert batch["segments"].shape == batch["input_ids"].shape
    for number in range(len(rows)):
        told = batch["segments"][number]
        lengths = rows.examples.lengths[rows.rows[number]]
        found = [int((told == one).sum()) for one in range(1, len(lengths) + 1)]
        assert found == [*lengths[:-1], lengths[-1] - 1] and (told[sum(found) :] == 0).all()
        ends = np.cumsum(lengths)[:-1]
        assert (batch["labels"][number][ends - 1] == -100).all()  # the next example's first token
    spare = loader(rows, 1, rank=1, world_size=2, seed=None).step(len(rows) // 2)
    assert len(rows) % 2 == 0 or all((one["labels"] == -100).all() and "segments" in one
                                     for one in spare)
