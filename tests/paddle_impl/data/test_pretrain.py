"""Splits, and samples whose content is obvious: token i is i."""

import numpy as np
import pytest

from data_tools.token_file import TokenFile
from data_tools.token_file_writer import TokenFileWriter
from paddle_impl.data.pretrain import (
    PretrainDataset,
    check_tokenizer,
    has_samples,
    open_dataset,
    split_bounds,
)


@pytest.fixture
def counting(tmp_path):
    """Five documents of 20 tokens; token i of the corpus is i."""
    with TokenFileWriter(tmp_path / "count", 100) as writer:
        for start in range(0, 100, 20):
            writer.append(np.arange(start, start + 20))
    return TokenFile.open(tmp_path / "count")


def dataset(tokens, split="train", bounds=(0, 5, 5, 5), **options):
    options = {"seq_length": 6, "num_samples": 10, "seed": 1} | options
    return PretrainDataset(tokens, split, list(bounds), **options)


@pytest.mark.parametrize(("shares", "documents", "expected"), [
    ((949, 50, 1), 1000, [0, 949, 999, 1000]), ((949, 50, 1), 100, [0, 95, 100, 100]),
    ((949, 50, 1), 10, [0, 10, 10, 10]), ((900, 50, 50), 30, [0, 26, 28, 30]),
])
def test_split_as_paddlenlp_rounds_it(shares, documents, expected):
    assert split_bounds([share / sum(shares) for share in shares], documents) == expected


def test_every_sample_is_a_range_and_neighbours_share_one_token(counting):
    samples = dataset(counting)
    assert len(samples) == 16  # (100 - 1) // 6
    starts = []
    for i in range(len(samples)):
        np.testing.assert_array_equal(samples[i], np.arange(samples[i][0], samples[i][0] + 7))
        assert samples[i].dtype == np.int64
        starts.append(int(samples[i][0]))
    assert sorted(starts) == list(range(0, 96, 6))
    assert starts != sorted(starts)


def test_splits_do_not_share_a_document(counting):
    bounds = [0, 3, 4, 5]
    seen = {}
    for split in ("train", "valid", "test"):
        part = dataset(counting, split, bounds, num_samples=2)
        seen[split] = {int(t) // 20 for i in range(len(part)) for t in part[i]}
    assert seen == {"train": {0, 1, 2}, "valid": {3}, "test": {4}}


def test_an_empty_split_has_no_samples(counting):
    assert not has_samples(counting, "valid", [0, 5, 5, 5])
    assert has_samples(counting, "train", [0, 5, 5, 5])


def test_index_files_are_read_again_and_rebuilt_when_damaged(counting, tmp_path):
    first = dataset(counting)
    order = np.array(first.shuffle_idx)
    files = sorted(tmp_path.glob("count_gpt_train_indexmap_10ns_6sl_*_idx.npy"))
    assert len(files) == 3
    assert isinstance(dataset(counting).shuffle_idx, np.memmap)
    for file in files:
        file.write_bytes(file.read_bytes()[:-5])
    np.testing.assert_array_equal(dataset(counting).shuffle_idx, order)
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("change", [{"seed": 2}, {"seq_length": 7}, {"bounds": (0, 4, 5, 5)}])
def test_what_shapes_the_order_is_in_its_key(counting, change):
    assert dataset(counting).order_key != dataset(counting, **change).order_key


def test_epochs_are_counted_in_passes_over_the_tokens(counting):
    samples = dataset(counting, num_samples=40)
    assert [samples.epoch(n) for n in (0, 16, 17, 34)] == [0, 0, 1, 2]


def test_one_dataset_at_a_time(counting, tmp_path):
    with TokenFileWriter(tmp_path / "second", 10) as writer:
        writer.append(np.arange(5))
    with pytest.raises(ValueError, match="holds 2 datasets"):
        open_dataset(str(tmp_path))
    assert len(open_dataset(str(tmp_path / "count_ids.npy"))) == 5


def test_another_tokenizer_is_refused(tiny_data):
    from data_tools.tokenizer import Tokenizer

    tokens = open_dataset(str(tiny_data))
    check_tokenizer(tokens, Tokenizer.load(f"{tokens.prefix}_tokenizer"))
    with pytest.raises(ValueError, match="another tokenizer"):
        check_tokenizer(tokens, Tokenizer.train(iter(["abc abc abc"]), 260))
