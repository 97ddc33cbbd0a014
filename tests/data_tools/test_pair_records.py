"""Pairs of token ids, read from JSON lines."""

import hashlib
import json

import pytest

from data_tools.pair_records import PairRecords


def test_pairs_are_read_in_their_order(tmp_path):
    path = tmp_path / "train.jsonl"
    lines = [json.dumps({"context": [5, 1, 0], "completion": [7, 0], "text": "Blue Spice"}), "",
             json.dumps({"completion": [9], "context": [2]})]
    path.write_text("\n".join(lines) + "\n")
    records = PairRecords(path)
    assert [[ids.tolist() for ids in pair] for pair in records.pairs] == [
        [[5, 1, 0], [7, 0]], [[2], [9]]]
    assert len(records) == 2 and records.highest == 9
    assert records.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert records.describe(1) == f"{path}, line 3"


@pytest.mark.parametrize("line, message", [
    ('{"context": [1]}', "line 2: completion is missing, expected a list of one or more whole"),
    ('{"context": [], "completion": [1]}', "line 2: context is a list of 0, expected"),
    ('{"context": [1.5], "completion": [1]}', "line 2: context is a list of 1, expected"),
    ('{"context": [1], "completion": [-1]}', "line 2: completion is a list of 1, expected"),
    ('{"context": "name : X", "completion": [1]}', "line 2: context is 'name : X', expected"),
    ("name : X||text", "line 2: "),
])
def test_what_is_no_pair_is_named(tmp_path, line, message):
    path = tmp_path / "train.jsonl"
    path.write_text(f'{{"context": [1], "completion": [1]}}\n{line}\n')
    with pytest.raises(ValueError, match=message):
        PairRecords(path)


def test_a_file_without_pairs_is_refused(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(ValueError, match="empty.jsonl holds no pairs"):
        PairRecords(tmp_path / "empty.jsonl")
    with pytest.raises(ValueError, match="other.jsonl cannot be read: No such file"):
        PairRecords(tmp_path / "other.jsonl")
