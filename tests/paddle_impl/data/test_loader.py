"""Every sample is read once, however the batch is split into ranks and micro batches."""

import re

import numpy as np
import pytest

from data_tools.splits import split_bounds
from paddle_impl.data.blend import BlendedDataset
from paddle_impl.data.loader import PretrainLoader
from paddle_impl.data.origin import origin
from paddle_impl.data.packed import PackedDataset
from paddle_impl.data.pretrain import PretrainDataset

SAMPLES = np.arange(48 * 5).reshape(48, 5)


def rows(batches):
    return [int(row[0]) // 5 for batch in batches for row in batch["input_ids"]]


def test_labels_are_the_inputs_one_later():
    batch = PretrainLoader(SAMPLES, 2, None).micro_batch(3)
    np.testing.assert_array_equal(batch["input_ids"], SAMPLES[6:8, :4])
    np.testing.assert_array_equal(batch["labels"], SAMPLES[6:8, 1:])
    assert (batch["labels"] != -100).all()


def test_what_follows_an_end_token_is_not_predicted():
    batch = PretrainLoader(np.array([[7, 0, 3, 0, 9]]), 1, eos_token_id=0).micro_batch(0)
    np.testing.assert_array_equal(batch["labels"], [[0, -100, 0, -100]])
    np.testing.assert_array_equal(batch["input_ids"], [[7, 0, 3, 0]])


@pytest.mark.parametrize(
    ("micro", "accumulation", "world"), [(4, 1, 1), (1, 4, 1), (2, 1, 2), (1, 2, 2)]
)
def test_a_step_sees_the_same_samples_however_it_is_cut(micro, accumulation, world):
    for step in range(12):
        seen = []
        for rank in range(world):
            loader = PretrainLoader(SAMPLES, micro, None, accumulation, rank, world)
            assert len(loader.step(step)) == accumulation
            seen += rows(loader.step(step))
        assert sorted(seen) == list(range(4 * step, 4 * step + 4))


def test_ranks_take_blocks_as_paddles_sampler_does():
    first, second = (PretrainLoader(SAMPLES, 3, None, 1, rank, 2) for rank in (0, 1))
    assert rows(first.step(1)) == [6, 7, 8]
    assert rows(second.step(1)) == [9, 10, 11]


def test_evaluation_takes_what_is_there_and_no_more():
    assert len(list(PretrainLoader(SAMPLES, 10, None).first(3))) == 3
    assert len(list(PretrainLoader(SAMPLES, 10, None).first(100))) == 4
    assert list(PretrainLoader(SAMPLES[:3], 2, None, 1, 0, 2).first(1)) == []


@pytest.mark.parametrize("bad", [-1, 240, 60000])
@pytest.mark.parametrize(("row", "column"), [(5, 0), (6, 4)])
def test_an_id_that_the_model_has_not_is_refused(bad, row, column):
    samples = SAMPLES.copy()
    samples[row, column] = bad
    loader = PretrainLoader(samples, 2, None, 2, 0, 1, vocab_size=240)
    loader.step(0)
    with pytest.raises(ValueError, match=f"token {column} of sample {row} is id {bad}, the model's "
                                         "vocabulary is 0 to 239: .*--verify"):
        loader.step(1)
    PretrainLoader(samples, 2, None, 2, 0, 1).step(1)


def test_a_rank_names_its_own_sample(write):
    """Of two processes the second reads samples 3 to 5 first; the ids begin at 7."""
    tokens = write("count", (20,) * 5, first=7)
    dataset = windows(tokens, 4)
    first, second = (PretrainLoader(dataset, 3, None, 1, rank, 2, vocab_size=5) for rank in (0, 1))
    for loader, sample in ((first, 0), (second, 3)):
        document = min(origin(dataset, sample)[1])
        with pytest.raises(ValueError, match=f"token 0 of sample {sample} "
                                             f"\\(documents? {document}.* of {tokens.prefix}\\)"):
            loader.micro_batch(0)


def windows(tokens, length, order="paddlenlp", split="train", share=(1, 0, 0)):
    return PretrainDataset(tokens, split, split_bounds(list(share), len(tokens)), order=order,
                           seq_length=length, num_samples=40, seed=1)


def blocks(tokens, length):
    return PackedDataset(tokens, "train", split_bounds([1, 0, 0], len(tokens)), tail="keep",
                         pad_id=0, seq_length=length, num_samples=40, seed=1)


def own_documents(dataset, sample, first=0):
    """Documents of 20 tokens each, token i is first + i: read off the sample's own tokens."""
    row = np.empty(dataset.seq_length + 1, np.int64)
    length = dataset.read(sample, row)
    return {(token - first) // 20 for token in row[:length].tolist()}


def test_samples_know_their_documents(counting):
    """Windows within a document and across several, of every order, epoch and split; blocks."""
    datasets = [windows(counting, length, order) for length in (3, 16, 50)
                for order in ("paddlenlp", "megatron")]
    datasets += [windows(counting, 16, split="valid", share=(0.4, 0.6, 0)), blocks(counting, 16)]
    for dataset in datasets:
        for sample in range(len(dataset)):
            prefix, documents = origin(dataset, sample)
            assert prefix == counting.prefix
            assert set(documents) == own_documents(dataset, sample)


def test_samples_of_a_blend_know_their_dataset(write):
    parts = [windows(write("small"), 16), windows(write("large", first=100), 16)]
    dataset = BlendedDataset(parts, np.array([0.5, 0.5]), 40)
    seen = set()
    for sample in range(40):
        row = np.empty(17, np.int64)
        dataset.read(sample, row)
        which = int(row[0] >= 100)
        prefix, documents = origin(dataset, sample)
        assert prefix == parts[which].tokens.prefix
        assert set(documents) == own_documents(dataset, sample, 100 * which)
        seen.add(which)
    assert seen == {0, 1}


def test_a_batch_is_described_by_samples_and_documents(counting):
    dataset = windows(counting, 16)
    loader = PretrainLoader(dataset, 2, None, 2, 1, 2)
    read = range(14, 16)  # of step 1, micro batch 1: 8 in step 0, 4 in micro batch 0, 2 of rank 0
    assert [int(row[0]) for row in loader.step(1)[1]["input_ids"]] == [dataset[i][0] for i in read]
    documents = sorted(set().union(*(own_documents(dataset, i) for i in read)))
    said = loader.describe(1, 1)
    assert said.startswith("samples 14 to 15 (document") and said.endswith(counting.prefix + ")")
    assert told(said) == (documents, 0)


def told(said):
    """(document numbers, how many more) of "samples 3 to 4 (documents 3, 5-6 and 2 more of x)"."""
    numbers, _, more = re.search(r"\(documents? ([-\d, ]+)( and (\d+) more)? of ", said).groups()
    ranges = [part.partition("-") for part in numbers.split(", ")]
    return ([n for first, _, last in ranges for n in range(int(first), int(last or first) + 1)],
            int(more or 0))


def test_descriptions_stay_short(write):
    """Of twenty documents, shuffled: the first eight runs, the others are counted."""
    dataset = blocks(write("many", (3,) * 60), 3)
    documents = sorted(origin(dataset, sample)[1][0] for sample in range(20))
    said = PretrainLoader(dataset, 20, None).describe(0)
    shown, more = told(said)
    assert shown == documents[: len(shown)] and len(shown) + more == 20
    assert said.count(",") == 7 and more > 0


def test_a_long_row_of_documents_is_a_range(write):
    """Every window holds ten documents of five, two epochs and more one after the other."""
    tokens = write("few", (2,) * 5)
    assert PretrainLoader(windows(tokens, 19), 1, None).describe(0) == (
        f"sample 0 (documents 0-4 of {tokens.prefix})")


def test_samples_of_an_array_have_no_documents():
    assert PretrainLoader(SAMPLES, 2, None).describe(3) == "samples 6 to 7"
