"""Documents cut into blocks of their own: padding is never a label, whatever its token."""

import numpy as np
import pytest

from data_tools.token_files.token_file import TokenFile
from paddle_impl.data.loader import PretrainLoader
from paddle_impl.data.packed import PackedDataset
from paddle_impl.data.pretrain import has_samples

PAD = 999


@pytest.fixture
def tokens(write) -> TokenFile:
    """Documents of 10, 4, 1 and 9 tokens: 1 to 10, 11 to 14, 15, 16 to 24."""
    return write("docs", (10, 4, 1, 9), first=1)


def dataset(tokens, split="train", bounds=(0, 4, 4, 4), **options):
    options = {"seq_length": 4, "num_samples": 5, "seed": 1, "tail": "keep",
               "pad_id": PAD} | options
    return PackedDataset(tokens, split, list(bounds), **options)


KEPT = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10], [11, 12, 13, 14], [15], [16, 17, 18, 19],
        [20, 21, 22, 23], [24]]


@pytest.mark.parametrize("tail", ["keep", "drop"])
def test_blocks_of_each_document(tokens, tail):
    blocks = dataset(tokens, tail=tail)
    expected = [block for block in KEPT if tail == "keep" or len(block) == 4]
    row, found = np.zeros(5, np.int64), []
    for i in range(len(expected)):
        own = blocks.read(i, row)
        assert blocks[i].tolist() == row.tolist() and row[own:].tolist() == [PAD] * (5 - own)
        found.append(row[:own].tolist())
    assert sorted(found) == expected != found
    assert len(blocks) == len(expected)


def test_splits_do_not_share_a_document(tokens):
    valid = dataset(tokens, "valid", (0, 1, 3, 4))
    assert {tuple(valid[i].tolist()) for i in range(len(valid))} == {
        (11, 12, 13, 14, PAD), (15, PAD, PAD, PAD, PAD)}


def test_each_epoch_has_every_block_and_an_order_of_its_own(tokens):
    blocks = dataset(tokens, num_samples=17)
    assert len(blocks) == 24
    epochs = [blocks.shuffle_idx[start : start + 8].tolist() for start in (0, 8, 16)]
    assert all(sorted(epoch) == list(range(8)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert [blocks.epoch(n) for n in (0, 7, 8, 17)] == [0, 0, 1, 2]


def test_more_epochs_leave_the_earlier_ones_as_they_were(tokens):
    first, more = dataset(tokens, num_samples=8), dataset(tokens, num_samples=80)
    assert more.shuffle_idx[:8].tolist() == first.shuffle_idx.tolist()


def test_what_shapes_the_order_is_in_its_key(tokens):
    keys = [dataset(tokens, **change).order_key
            for change in ({}, {"seed": 2}, {"tail": "drop"}, {"seq_length": 5},
                           {"bounds": (0, 3, 4, 4)})]
    assert len(set(keys)) == 5
    assert dataset(tokens, num_samples=30).order_key == keys[0]


@pytest.mark.parametrize("eos", [PAD, 10, None])
def test_no_label_is_padding(tokens, eos):
    """With an end token behind each document, with one inside, and without any."""
    blocks = dataset(tokens)
    batch = PretrainLoader(blocks, 8, eos).micro_batch(0)
    assert batch["input_ids"].shape == batch["labels"].shape == (8, 4)
    for inputs, labels in zip(*batch.values(), strict=True):
        own = [token for token in inputs.tolist() if token != PAD]
        assert own in KEPT
        expected = [later if token != eos else -100
                    for token, later in zip(own[:-1], own[1:], strict=True)]
        assert labels.tolist() == expected + [-100] * (4 - len(expected))


def test_padding_that_looks_like_text_is_masked_too(tokens):
    """Without a tokenizer the padding is token 0; here it is a token of the documents."""
    batch = PretrainLoader(dataset(tokens, pad_id=17), 8, None).micro_batch(0)
    assert (batch["labels"] != -100).sum() == sum(len(block) - 1 for block in KEPT)


def test_index_files_serve_one_policy(tokens, tmp_path):
    for _ in range(2):
        for tail, blocks in (("keep", 8), ("drop", 5)):
            assert len(dataset(tokens, tail=tail).blocks) == blocks
    assert len(list(tmp_path.glob("*_block_idx.npy"))) == 2


@pytest.mark.parametrize(("packing", "length", "bounds", "filled"), [
    ("windows", 100, (0, 3, 4, 4), True), ("windows", 4, (0, 2, 3, 4), False),
    ("keep", 100, (0, 1, 2, 4), True), ("keep", 4, (0, 2, 3, 4), False),
    ("drop", 4, (0, 1, 2, 4), True), ("drop", 5, (0, 1, 2, 4), False),
    ("drop", 4, (0, 0, 0, 4), False),
])
def test_which_splits_hold_a_sample(tokens, packing, length, bounds, filled):
    assert has_samples(tokens, "valid", list(bounds), packing, length) == filled


def test_a_split_without_blocks_is_an_error_and_no_endless_loop(tokens):
    with pytest.raises(ValueError, match="a split without blocks"):
        dataset(tokens, tail="drop", seq_length=11)


def test_more_epochs_are_the_same_run(tokens):
    """Earlier epochs keep their order, so a resume for longer is told nothing."""
    one, three = dataset(tokens), dataset(tokens, num_samples=20)
    assert three.shuffle_idx[: len(one)].tolist() == one.shuffle_idx.tolist()
    assert three.sample_order() == one.sample_order()
    assert dataset(tokens, seed=2).sample_order() != one.sample_order()
