"""Records against FT_Dataset of microsoft/LoRA, written out with lists and padding."""

import json
import random

import numpy as np
import pytest

from data_tools.e2e.records import E2ERecords

SEQ_LEN, EVAL_LEN = 12, 5


def padded(ids: list[int]) -> list[int]:
    return (ids + [0] * SEQ_LEN)[:SEQ_LEN]


def ft_dataset(context: list[int], completion: list[int], joint_lm: bool):
    """(input, target, mask, query, query_len), the arrays of SEQ_LEN."""
    used = min(len(context) + len(completion), SEQ_LEN)
    if joint_lm:
        mask = [1] * (used - 1)
    else:
        mask = [0] * (len(context) - 1) + [1] * (used - len(context))
    query = context[-(SEQ_LEN - EVAL_LEN) :]
    return (padded(context + completion), padded((context + completion)[1:]), padded(mask),
            padded(query), len(query))


@pytest.fixture
def cases():
    draw = random.Random(5)
    return [([draw.randrange(1, 200) for _ in range(own)],
             [draw.randrange(1, 200) for _ in range(other)])
            for own in range(1, 15) for other in range(1, 15)]


@pytest.fixture
def opened(tmp_path):
    def run(lines, **options):
        path = tmp_path / "x.jsonl"
        path.write_text("".join(line if isinstance(line, str) else json.dumps(
            dict(zip(("context", "completion"), line, strict=True))) + "\n" for line in lines))
        return E2ERecords(path, **{"seq_len": SEQ_LEN} | options)

    return run


@pytest.mark.parametrize("joint_lm", [False, True])
def test_labels_are_the_targets_that_the_mask_lets_through(opened, cases, joint_lm):
    records = opened(cases, joint_lm=joint_lm)
    assert len(records) == len(cases)
    assert records.lengths == [len(a) + len(b) for a, b in cases]
    assert records.highest == max(max(a + b) for a, b in cases)
    for number, (context, completion) in enumerate(cases):
        ids, labels = records.read(number)
        inputs, targets, mask, query, query_len = ft_dataset(context, completion, joint_lm)
        assert ids.dtype == labels.dtype == np.int64
        assert padded(ids.tolist()) == inputs
        shifted = labels[1:].tolist() + [-100] * (SEQ_LEN - len(labels) + 1)
        assert shifted == [target if seen else -100
                           for target, seen in zip(targets, mask, strict=True)]
        asked = records.query(number, EVAL_LEN)
        assert (padded(asked.tolist()), len(asked)) == (query, query_len)


def test_the_first_record_of_each_context(opened):
    records = opened([([1, 2], [3]), ([1], [3]), ([1, 2], [4]), ([1], [5]), ([2, 1], [3])])
    assert records.distinct() == [0, 1, 4]
    assert records.describe(1).startswith("record 2 of ")


@pytest.mark.parametrize(("line", "message"), [
    ('{"context": [], "completion": [1]}\n', "line 2: context is a list of 0"),
    ('{"context": [1]}\n', "line 2: completion is missing"),
    ('{"context": [1], "completion": [true]}\n', "line 2: completion is"),
    ("[1]\n", "line 2: it holds no JSON object"),
])
def test_what_is_no_record(opened, line, message):
    with pytest.raises(ValueError, match=message):
        opened([([1], [2]), line])


def test_what_leaves_no_room(opened):
    with pytest.raises(ValueError, match="seq_len 1 leaves no room"):
        opened([([1], [2])], seq_len=1)
    with pytest.raises(ValueError, match="eval_len 12 leaves no room"):
        opened([([1], [2])]).query(0, SEQ_LEN)
    with pytest.raises(ValueError, match="holds no records"):
        opened([])
