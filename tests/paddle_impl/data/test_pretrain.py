"""Splits, and samples whose content is obvious: token i is i."""

import numpy as np
import pytest

from data_tools.index_helper import build_indices
from data_tools.splits import split_bounds
from data_tools.token_files.token_file import TokenFile
from paddle_impl.data.pretrain import PretrainDataset, has_samples


def dataset(tokens, split="train", bounds=(0, 5, 5, 5), **options):
    options = {"seq_length": 6, "num_samples": 10, "seed": 1} | options
    return PretrainDataset(tokens, split, list(bounds), **options)


@pytest.mark.parametrize("documents", [3, 7, 11])
def test_a_split_without_training_documents_begins_at_the_first(documents):
    """PaddleNLP's rounding would begin at -1 here."""
    bounds = split_bounds([0, 0.5, 0.5], documents)
    assert bounds[:2] == [0, 0] and bounds == sorted(bounds) and bounds[-1] == documents


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


@pytest.mark.parametrize("change", [{"seed": 2}, {"seq_length": 7}, {"bounds": (0, 4, 5, 5)}])
def test_what_shapes_the_order_is_in_its_key(counting, change):
    assert dataset(counting).order_key != dataset(counting, **change).order_key


def test_epochs_are_counted_in_passes_over_the_tokens(counting):
    samples = dataset(counting, num_samples=40)
    assert [samples.epoch(n) for n in (0, 16, 17, 34)] == [0, 0, 1, 2]


def test_samples_are_written_to_the_row_they_are_read_into(counting):
    samples = dataset(counting)
    rows = np.full((2, 7), -1, np.int64)
    assert samples.read(3, rows[1]) == 7
    assert rows[0].tolist() == [-1] * 7 and rows[1].tolist() == samples[3].tolist()


def test_megatrons_order_reads_shuffled_documents(counting):
    samples, theirs = dataset(counting), dataset(counting, order="megatron")
    expected = build_indices(
        counting.document_sizes, np.arange(5, dtype=np.int32), 6, 10, 1, "megatron"
    )
    for found, array in zip((theirs.doc_idx, theirs.sample_idx, theirs.shuffle_idx), expected,
                            strict=True):
        assert found.tolist() == array.tolist()
    assert theirs.doc_idx.tolist() != samples.doc_idx.tolist()
    assert theirs.order_key != samples.order_key
    # Every token of an epoch is still there, but for the last ones, which fill no sample.
    seen = [int(token) for i in range(16) for token in theirs[i][:-1]]
    assert len(set(seen)) == len(seen) == 96


def test_keys_of_the_first_checkpoints_stay(counting):
    """A run that was begun before there were other orders resumes."""
    assert dataset(counting).order_key == "b0d7118feb32"


def test_past_two_to_the_32_tokens(tmp_path):
    """Three sparse documents of 2^31 - 1 tokens, all 0 but for the ends of the last sample."""
    largest, length = 2**31 - 1, 2**16
    count = (3 * largest - 1) // length
    begin, end = (count - 1) * length, count * length
    assert begin > 2**32
    path = tmp_path / "sparse_ids.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<u2", "fortran_order": False, "shape": (3 * largest,)}
        )
        start = file.tell()
        try:
            file.truncate(start + 2**26)
            if path.stat().st_blocks * 512 > 2**20:
                pytest.skip("this file system has no sparse files")
            file.truncate(start + 2 * 3 * largest)
        except OSError as error:
            pytest.skip(f"no file of 13 GB here: {error}")
        for token, value in ((begin, 7), (begin + 1, 8), (end, 9)):
            file.seek(start + 2 * token)
            file.write(np.uint16(value).tobytes())
    np.savez(tmp_path / "sparse_idx.npz", lens=np.full(3, largest, np.int32), docs=np.arange(4))
    tokens = TokenFile.open(tmp_path / "sparse")
    samples = dataset(tokens, bounds=(0, 3, 3, 3), seq_length=length, num_samples=1)
    assert len(samples) == count
    (index,) = np.flatnonzero(samples.shuffle_idx == count - 1)
    found = samples[index]
    assert [found[0], found[1], found[-1]] == [7, 8, 9] and found.sum() == 24
