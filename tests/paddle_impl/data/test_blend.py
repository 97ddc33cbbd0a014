"""Blends: which dataset each sample comes from, and that a resumed run continues in place."""

import numpy as np
import pytest

from data_tools.index_helper import build_blending_indices
from paddle_impl.data.blend import BlendedDataset, split_dataset
from paddle_impl.data.pretrain import PretrainDataset
from paddle_impl.data.sources import Datasets, open_datasets

SHARES = [0.8, 0.2, 0.0]


def dataset(data, split="train", notes=None, **options):
    options = {"seq_length": 6, "num_samples": 20, "seed": 1, "order": "paddlenlp",
               "packing": "windows", "pad_id": 0} | options
    return split_dataset(data, split, SHARES, notes=[] if notes is None else notes, **options)


@pytest.fixture
def two(write):
    """Tokens 0 to 99 with weight 30, tokens 500 to 599 with weight 70; five documents each."""
    return open_datasets(f"30 {write('low').prefix} 70 {write('high', first=500).prefix}")


def test_samples_come_from_each_dataset_in_its_own_order(two):
    blend = dataset(two)
    assert len(blend) == 20
    which, own = build_blending_indices(np.array([0.3, 0.7]), 20)
    parts = [
        PretrainDataset(tokens, "train", [0, 4, 5, 5], seq_length=6, num_samples=samples, seed=1)
        for tokens, samples in zip(two.tokens, (7, 15), strict=True)  # ceil(20 w 1.005)
    ]
    for i in range(20):
        expected = parts[which[i]][own[i]]
        assert blend[i].tolist() == expected.tolist() and blend[i].dtype == np.int64
        assert (blend[i][0] >= 500) == which[i]
    assert [len(part) for part in blend.datasets] == [len(part) for part in parts]
    assert sum(blend[i][0] >= 500 for i in range(20)) == 14


def test_the_split_applies_to_each_dataset(two):
    held_out = {int(token) for i in range(20) for token in dataset(two, "valid")[i]}
    assert held_out == {*range(80, 100), *range(580, 600)}
    trained = {int(token) for i in range(20) for token in dataset(two)[i]}
    assert not trained & held_out
    assert dataset(two, "test") is None


def test_order_options_reach_the_datasets(two):
    plain, megatron = dataset(two), dataset(two, order="megatron")
    assert plain.order_key != megatron.order_key
    assert [part.doc_idx.tolist() for part in plain.datasets] != [
        part.doc_idx.tolist() for part in megatron.datasets]
    blocks = dataset(two, packing="keep", pad_id=9)
    row = np.zeros(7, np.int64)
    lengths = [blocks.read(i, row) for i in range(20)]
    assert set(lengths) == {6, 2} and row[lengths[-1]:].tolist() == [9] * (7 - lengths[-1])


def test_what_shapes_the_order_is_in_its_key(two, write):
    key = dataset(two).order_key
    assert dataset(two).order_key == dataset(two, num_samples=21).order_key == key
    more = (two.tokens[0], write("more", (30,) * 5))
    others = [dataset(two, seed=2), dataset(two, seq_length=5), dataset(Datasets(more, (30, 70))),
              dataset(Datasets(more[::-1], (30, 70))), dataset(Datasets(two.tokens, (31.0, 69.0)))]
    assert len({key, *(other.order_key for other in others)}) == 6
    assert dataset(Datasets(two.tokens, (3.0, 7.0))).order_key == key


def test_the_index_files_of_a_blend_are_of_its_weights_and_its_size(two):
    """Blends of the same datasets in one folder, each made anew and read again from its files."""
    made = {}
    for _ in ("made", "read again"):
        for weights, size in (((3, 7), 20), ((7, 3), 20), ((1, 1), 20), ((3, 7), 40)):
            blend = dataset(Datasets(two.tokens, weights), num_samples=size)
            shares = np.array(weights) / sum(weights)
            which, own = build_blending_indices(shares, size)
            assert blend.dataset_index.tolist() == which.tolist()
            assert blend.dataset_sample_index.tolist() == own.tolist()
            samples = [blend[i].tolist() for i in range(size)]
            assert made.setdefault((weights, size), samples) == samples
    assert len({str(samples) for (_, size), samples in made.items() if size == 20}) == 3


def test_a_run_that_asks_for_more_of_the_same_epochs_continues(two):
    """More samples leave the first ones as they are, until a dataset needs another epoch."""
    short, longer, longest = (dataset(two, num_samples=n) for n in (12, 16, 60))
    assert [short[i].tolist() for i in range(12)] == [longer[i].tolist() for i in range(12)]
    assert short.sample_order() == longer.sample_order() != longest.sample_order()


def test_epochs_are_those_of_the_dataset_that_is_repeated_most(two):
    blend = dataset(two, num_samples=60)  # 80 tokens each, 6 a sample: 13.3 samples an epoch
    assert [blend.epoch(n) for n in (0, 19, 20, 39)] == [0, 0, 1, 2]


def test_a_dataset_without_a_split_leaves_its_share_to_the_others(write):
    data = open_datasets(f"1 {write('low').prefix} 3 {write('high', (50,) * 2, 500).prefix}")
    notes = []
    valid = dataset(data, "valid", notes)
    assert notes == [f"the valid split of {data.tokens[1].prefix} is empty, the others take its "
                     "share"]
    assert {int(token) for i in range(20) for token in valid[i]} <= set(range(80, 100))


def test_index_files_of_the_blend_are_mapped_and_notes_reach_the_run(two, tmp_path):
    dataset(two)
    assert isinstance(dataset(two).dataset_index.base, np.memmap)
    for path in tmp_path.glob("*_idx.npy"):
        path.write_bytes(path.read_bytes()[:-1])
    notes = []
    dataset(two, notes=notes)
    assert len(notes) == 3 and all("made again" in note for note in notes)


def test_one_dataset_is_no_blend(write):
    single = dataset(open_datasets(write("low").prefix))
    assert isinstance(single, PretrainDataset) and not isinstance(single, BlendedDataset)


def test_a_megabyte_of_samples_keeps_the_weights(write):
    """The bound that the half percent is for, over weights that do not fit binary fractions."""
    paths = [write(f"d{i}", first=100 * i).prefix for i in range(3)]
    weights = [1, 2, 4]
    pairs = zip(weights, paths, strict=True)
    blend = dataset(open_datasets(" ".join(f"{weight} {path}" for weight, path in pairs)),
                    num_samples=7000)
    counts = np.bincount(blend.dataset_index)
    assert counts.tolist() == [1000, 2000, 4000]
    assert all(count <= len(part) for count, part in zip(counts, blend.datasets, strict=True))
