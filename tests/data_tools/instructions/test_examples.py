"""Which records are examples, what is cut, and how several share a row."""

import numpy as np
import pytest

from data_tools.instructions.encoding import Encoder
from data_tools.instructions.examples import InstructionExamples, in_file_order
from data_tools.instructions.records import Instruction
from data_tools.instructions.rows import PackedRows, pack
from data_tools.tokenizing.tokenizer import Tokenizer

TOKENIZER = Tokenizer.byte_level()
PROMPT = len("<|user|>\nq\n<|assistant|>:\n")
HEADER = len("\n<|assistant|>:\n")


def examples(outputs, most=99, **more) -> InstructionExamples:
    records = [Instruction("q", "", output, f"x.json, record {number}")
               for number, output in enumerate(outputs, start=1)]
    return InstructionExamples(records, Encoder(TOKENIZER, "phi3"), most, **more)


def test_labels_of_everything_and_of_the_response():
    end = TOKENIZER.eos_token_id
    for all_tokens, ignored in ((True, 0), (False, PROMPT - HEADER)):
        ids, labels = examples(["ab"], all_tokens=all_tokens).read(0)
        assert len(ids) == PROMPT + 3 and ids[-1] == labels[-1] == end
        assert (labels == -100).sum() == ignored and (labels[ignored:] == ids[ignored:]).all()


def test_the_end_is_a_label_at_exactly_the_longest_length():
    """rasbt's function cuts inputs and labels to 1,024 after shifting them."""
    fits = examples(["a" * 10], PROMPT + 10)
    assert fits.cut == 0 and fits.read(0)[1][-1] == TOKENIZER.eos_token_id
    longer = examples(["a" * 11], PROMPT + 10)
    assert longer.cut == 1 and longer.inputs.tolist() == [PROMPT + 10]
    assert longer.read(0)[1][-1] == ord("a")


def test_what_is_left_without_a_label_is_dropped_and_named():
    outputs = ["a", " ", "b"]
    found = examples(outputs, all_tokens=False)
    assert len(found) == 2 and found.dropped == ["x.json, record 2: output is empty"]
    assert [found.describe(number) for number in range(2)] == [
        "x.json, record 1", "x.json, record 3"]
    within = PROMPT - HEADER - 1
    assert len(examples(outputs, within)) == 2
    short = examples(outputs, within, all_tokens=False)
    assert len(short) == 0 and short.dropped[2] == (
        f"x.json, record 3: no label is left within {within} tokens")
    assert len(examples(outputs, within, all_tokens=False, side="prompt")) == 2


def test_the_digest_is_of_ids_and_labels():
    digests = {examples(["a", "b"], **more).sha256 for more in (
        {}, {"all_tokens": False}, {"most": 5})} | {examples(["a", "c"]).sha256}
    assert len(digests) == 4 and examples(["a", "b"]).sha256 in digests


@pytest.mark.parametrize("count, shares, sizes", [
    (1100, (0.85, 0.1, 0.05), (935, 110, 55)), (7, (0.85, 0.1, 0.05), (5, 0, 2)),
    (10, (1.0, 0.0, 0.0), (10, 0, 0)), (9, (0.5, 0.5, 0.0), (4, 4, 0)),
    (20, (0.7, 0.1, 0.2), (14, 2, 4)), (3, (1 / 3, 1 / 3, 1 / 3), (1, 1, 1))])
def test_parts_follow_the_file(count, shares, sizes):
    parts = in_file_order(range(count), shares)
    assert tuple(map(len, parts)) == sizes
    assert [*parts[0], *parts[1], *parts[2]] == list(range(sum(sizes)))


def test_rows_hold_each_example_once_and_whole():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 50, 500).tolist()
    rows = pack(lengths, 100)
    assert sorted(number for row in rows for number in row) == list(range(500))
    filled = [sum(lengths[number] for number in row) for row in rows]
    assert max(filled) <= 100 and len(rows) <= 1.02 * sum(lengths) / 100 + 1
    assert pack([5, 6, 4, 5], 10) == [[1, 2], [0, 3]] and pack([], 3) == []
    with pytest.raises(ValueError, match="11 tokens does not fit a row of 10"):
        pack([11], 10)


def test_a_packed_row_is_its_examples_behind_one_another():
    alone = examples(["a" * 30, "b", "ccc"], all_tokens=False)
    rows = PackedRows(alone, 2 * PROMPT + 8)
    assert rows.rows == [[0], [2, 1]] and len(rows) == 2
    ids, labels = rows.read(1)
    parts = [alone.read(2), alone.read(1)]
    assert ids.tolist() == np.concatenate([part[0] for part in parts]).tolist()
    joint = len(parts[0][0])
    assert labels[joint] == -100 and labels[joint - 1] == TOKENIZER.eos_token_id
    assert labels.tolist() == np.concatenate([part[1] for part in parts]).tolist()
    assert rows.segments(1).tolist() == [1] * joint + [2] * len(parts[1][0])
    assert rows.response(1).sum() == (labels != -100).sum()
    assert rows.inputs.tolist() == [len(alone.read(0)[0]) - 1, len(ids) - 1]
    assert rows.describe(1) == "x.json, record 3, x.json, record 2"
    everything = PackedRows(examples(["a" * 30, "b", "ccc"]), 2 * PROMPT + 8)
    assert everything.read(1)[1][joint] == -100  # no label of the example before it
    assert rows.sha256 != PackedRows(alone, 200).sha256
