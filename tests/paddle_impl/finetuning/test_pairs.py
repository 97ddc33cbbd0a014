"""Batches of pairs: the published collate, and each pair once, whatever the processes."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_tools.instructions.encoding import Encoder
from data_tools.instructions.pairs import Pair, Pairs, encode_pairs
from data_tools.instructions.records import read_preferences
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.finetuning.pairs import PairExamples, PairLoader, collate

PAD = 99
MADE = [Pair(np.array([1, 2, 10 + n]), np.array([1, 2, *[20 + n] * (n + 1)]), 2)
        for n in range(5)]


def examples(made=MADE) -> PairExamples:
    return PairExamples(Pairs(list(made), [f"record {n + 1}" for n in range(len(made))]))


def test_both_sides_have_one_width_that_is_one_more_than_the_longest():
    found = collate(MADE[:2], PAD)
    assert found["chosen"].tolist() == [[1, 2, 10, 99, 99], [1, 2, 11, 99, 99]]
    assert found["rejected"].tolist() == [[1, 2, 20, 99, 99], [1, 2, 21, 21, 99]]
    assert found["chosen_mask"].astype(int).tolist() == [[0, 0, 1, 0, 0]] * 2
    assert found["rejected_mask"].astype(int).tolist() == [[0, 0, 1, 0, 0], [0, 0, 1, 1, 0]]
    assert {values.shape for values in collate(MADE[:2], PAD, 3).values()} == {(2, 3)}
    assert {values.shape for values in collate(MADE[:2], PAD, 9).values()} == {(2, 5)}


def test_rows_are_of_the_chosen_then_of_the_rejected_responses_with_labels_shifted():
    reference = np.arange(10.0).reshape(5, 2)
    (batch,) = PairLoader(examples(), 2, PAD, reference=reference).first(1)
    assert batch["input_ids"].tolist() == [
        [1, 2, 10, 99], [1, 2, 11, 99], [1, 2, 20, 99], [1, 2, 21, 21]]
    assert batch["labels"].tolist() == [
        [-100, 10, -100, -100], [-100, 11, -100, -100], [-100, 20, -100, -100],
        [-100, 21, 21, -100]]
    assert batch["reference"].tolist() == [0.0, 2.0, 1.0, 3.0]


def test_two_processes_read_each_pair_once_and_the_rest_counts_nothing():
    reference = np.arange(10.0).reshape(5, 2)
    alone = PairLoader(examples(), 2, PAD, accumulation_steps=2, seed=3, reference=reference)
    both = [replace(alone, micro_batch_size=1, rank=rank, world_size=2) for rank in (0, 1)]
    assert alone.steps_per_epoch == both[0].steps_per_epoch == 2
    for step in range(4):
        seen = [sorted(value for loader in loaders for batch in loader.step(step)
                       for value in batch["reference"].tolist() if (batch["labels"] >= 0).any())
                for loaders in ([alone], both)]
        assert seen[0] == seen[1] and len(seen[0]) == (8, 2)[step % 2]
    nothing = both[1].step(1)[0]
    assert (nothing["labels"] == -100).all() and nothing["reference"].tolist() == [0.0, 0.0]
    assert alone.tokens(0) == both[0].tokens(0)


def test_all_pairs_come_once_in_the_order_of_the_file():
    loader = PairLoader(examples(), 2, PAD, seed=3, reference=np.zeros((5, 2)))
    found = list(loader.everything())
    assert [numbers.tolist() for numbers, _ in found] == [[0, 1], [2, 3], [4]]
    assert found[2][1]["input_ids"][:, 2].tolist() == [14, 24]
    assert all("reference" not in batch for _, batch in found)


def test_the_digest_tells_pairs_apart():
    moved = [MADE[0]._replace(start=1), *MADE[1:]]
    joined = [Pair(MADE[0].chosen[:2], np.append(MADE[0].chosen[2:], MADE[0].rejected), 2)]
    digests = {examples(made).sha256 for made in (MADE, moved, MADE[:4], MADE[:1], joined)}
    assert len(digests) == 5 and examples().sha256 == examples().sha256


def test_the_published_collate():
    """The masks and ids of rasbt's custom_collate_fn for the first two shared pairs."""
    here = Path(__file__).resolve().parents[3]
    shared = Path(os.environ.get("GPT_SHARED_DATA", here.parent / "shared" / "data"))
    path = shared / "instruct" / "instruction-data-with-preference.json"
    if not path.is_file():
        pytest.skip(f"the preference data is not in {shared}; set GPT_SHARED_DATA")
    encoder = Encoder(Tokenizer.load(shared / "gpt2"), "alpaca")
    pairs = encode_pairs(read_preferences(path)[:2], encoder, 1024, legacy=True).pairs
    found = collate(pairs, encoder.tokenizer.eos_token_id, 1024)
    assert {values.shape for values in found.values()} == {(2, 81)}
    assert found["chosen_mask"].sum(1).tolist() == [24, 12]
    assert found["rejected_mask"].sum(1).tolist() == [30, 14]
    assert {name: hashlib.sha256(values.astype("<i4").tobytes()).hexdigest()[:16]
            for name, values in found.items()} == {
        "chosen": "29c3206ecc359e78", "chosen_mask": "9199377caf461751",
        "rejected": "7072553b51372504", "rejected_mask": "b05e38ab58667dee"}
