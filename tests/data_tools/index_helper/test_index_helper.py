"""The sample index against golden values, its numpy specification, and plain slicing."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools import index_helper
from data_tools.index_helper import (
    build_doc_idx,
    build_indices,
    build_sample_idx,
    copy_sample,
    num_epochs,
    separate_last_epoch,
)
from data_tools.index_helper.reference import build_sample_idx as specified_sample_idx
from data_tools.index_helper.reference import sample as specified_sample

SEVEN = [[0, 0], [0, 4], [2, 0], [2, 4], [3, 1], [4, 0], [5, 1], [5, 5]]


def row(*values):
    return np.array(values, dtype=np.int32)


@pytest.mark.parametrize(
    ("num_samples", "epochs", "sample_idx", "shuffled"),
    [
        (3, 1, SEVEN[:4], [0, 1, 2]),
        (4, 2, SEVEN, [0, 1, 2, 4, 5, 6, 3]),  # the last epoch by itself
        (5, 2, SEVEN, [2, 1, 6, 0, 4, 5, 3]),
        (7, 2, SEVEN, [2, 1, 6, 0, 4, 5, 3]),  # upstream's assertion fails here
    ],
)
def test_golden_values(num_samples, epochs, sample_idx, shuffled):
    doc_idx, samples, order = build_indices(row(5, 3, 7), row(0, 1, 2), 4, num_samples, 1234)
    assert doc_idx.dtype == np.int32 and doc_idx.tolist() == [0, 1, 2] * epochs
    assert samples.dtype == np.int32 and samples.tolist() == sample_idx
    assert order.dtype == np.uint32 and order.tolist() == shuffled
    assert num_epochs(15, 4, num_samples) == epochs


@pytest.mark.parametrize(
    ("sizes", "seq_length", "expected"),
    [
        ([9], 4, [[0, 0], [0, 4], [0, 8]]),  # longer than a sample; the end is exactly reached
        ([8], 4, [[0, 0], [0, 4]]),  # the last 3 tokens do not fill a sample
        ([1, 1, 1, 1, 1], 2, [[0, 0], [2, 0], [4, 0]]),
        ([0, 0, 3, 0, 2, 0], 2, [[0, 0], [2, 2], [4, 1]]),  # empty ones: only row 0 points at one
        ([5], 5, [[0, 0]]),  # one token short of a sample
    ],
)
def test_samples_by_hand(sizes, seq_length, expected):
    documents = np.arange(len(sizes), dtype=np.int32)
    arguments = row(*sizes), documents, seq_length, 1, sum(sizes)
    assert build_sample_idx(*arguments).tolist() == expected
    assert specified_sample_idx(*arguments).tolist() == expected


def random_case(random):
    """Sizes with empty, one-token and long documents; a subset of them, in any order."""
    sizes = random.choice([0, 1, 2, 3, 17, 120], size=random.randint(1, 12)).astype(np.int32)
    count = random.randint(1, len(sizes) + 1)
    return sizes, random.permutation(len(sizes))[:count].astype(np.int32), random.randint(1, 30)


def test_thousands_of_cases_equal_the_specification_bit_for_bit():
    random, compared = np.random.RandomState(0), 0
    while compared < 5000:
        sizes, documents, seq_length = random_case(random)
        epochs, tokens = random.randint(1, 5), int(sizes[documents].sum())
        if tokens == 0:
            continue
        arguments = sizes, np.tile(documents, epochs), seq_length, epochs, tokens
        ours, theirs = build_sample_idx(*arguments), specified_sample_idx(*arguments)
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        assert ours.tobytes() == theirs.tobytes(), arguments
        compared += 1


def test_samples_are_slices_of_the_documents_laid_end_to_end():
    random, compared = np.random.RandomState(1), 0
    while compared < 1000:
        sizes, documents, seq_length = random_case(random)
        if sizes[documents].sum() == 0:
            continue
        offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        ids = random.randint(0, 60000, offsets[-1]).astype(np.uint16)
        count = random.randint(0, 40)
        doc_idx, sample_idx, order = build_indices(sizes, documents, seq_length, count, 1)
        row_of_tokens = np.concatenate([ids[offsets[d] : offsets[d + 1]] for d in doc_idx])
        assert len(order) == len(sample_idx) - 1 >= count
        assert sorted(order.tolist()) == list(range(len(order)))
        for i in range(len(order)):
            tokens = specified_sample(ids, offsets, doc_idx, sample_idx, i, seq_length)
            read = np.full(seq_length + 1, -1, np.int64)
            copy_sample(ids, offsets, doc_idx, sample_idx, i, read)
            assert read.tolist() == tokens.tolist()
            begin = i * seq_length
            expected = row_of_tokens[begin : begin + seq_length + 1]
            assert tokens.dtype == np.int64 and tokens.tolist() == expected.tolist()
        compared += 1


def test_with_token_i_equal_to_i_every_sample_is_a_range():
    sizes = row(5, 0, 3, 1, 7, 100)
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    doc_idx, sample_idx, order = build_indices(sizes, np.arange(6, dtype=np.int32), 8, 14, 0)
    assert len(order) == 14
    for i in range(14):
        tokens = np.zeros(9, np.int64)
        copy_sample(np.arange(116, dtype=np.int32), offsets, doc_idx, sample_idx, i, tokens)
        assert tokens.tolist() == list(range(8 * i, 8 * i + 9))


def test_an_index_of_other_documents_reads_nothing_beyond_them():
    """If the data was replaced after the index was built, an error is raised."""
    ids, offsets = np.arange(10, dtype=np.uint16), np.array([0, 4, 10])
    documents, places, out = row(0, 1), np.array([[0, 0], [1, 2]], np.int32), np.zeros(7, np.int64)
    copy_sample(ids, offsets, documents, places, 0, out)
    assert out.tolist() == [0, 1, 2, 3, 4, 5, 6]
    bad = np.array([[0, 0], [2, 2]], np.int32), np.array([[0, 0], [1, 90]], np.int32)
    back, beyond = np.array([[0, 9], [1, 2]], np.int32), np.array([0, 4, 40])
    for arguments, message in [
        ((ids, offsets, documents, places, 1, out), "sample 1 of 1"),
        ((ids, offsets, documents, places, -1, out), "sample -1 of 1"),
        ((ids, offsets, documents, bad[0], 0, out), "beyond doc_idx"),
        ((ids, offsets, documents, bad[1], 0, out), "not of these documents"),
        ((ids, offsets, documents, back, 0, out), "not of these documents"),
        ((ids, beyond, documents, places, 0, out[:2]), "not of these documents"),
        ((ids, offsets, row(0, 5), places, 0, out), "names document 5 of 2"),
        ((ids, offsets, row(0, -1), places, 0, out), "names document -1 of 2"),
        ((ids, offsets, documents, places, 0, np.zeros(8, np.int64)), "has 7 tokens, wanted are 8"),
        ((ids.astype(np.int64), offsets, documents, places, 0, out), "ids must be"),
        ((ids, offsets.astype(np.int32), documents, places, 0, out), "offsets must be"),
        ((ids, offsets, documents, places[0], 0, out), "offsets must be"),
        ((ids, offsets, documents, places, 0, out.astype(np.int32)), "out must be"),
        ((ids[::2], offsets, documents, places, 0, out), "ids must be"),
    ]:
        with pytest.raises(ValueError, match=message):
            copy_sample(*arguments)


def test_past_two_to_the_31_tokens():
    largest = 2**31 - 1
    sizes, doc_idx = row(largest, 10, largest, largest), np.tile(row(0, 1, 2, 3), 2)
    tokens, length = 3 * largest + 10, 2**20 + 1
    found = build_sample_idx(sizes, doc_idx, length, 2, tokens)
    assert len(found) == (2 * tokens - 1) // length + 1
    assert found.tobytes() == specified_sample_idx(sizes, doc_idx, length, 2, tokens).tobytes()
    # By hand: the last sample's end, counted in unlimited integers.
    position, offset = map(int, found[-1])
    before = sum(int(sizes[d]) for d in doc_idx[:position])
    assert before + offset == (len(found) - 1) * length > 2**33


@settings(max_examples=500, deadline=None)
@given(tokens=st.integers(1, 50), length=st.integers(1, 20), samples=st.integers(0, 60))
def test_number_of_epochs_is_the_smallest_that_suffices(tokens, length, samples):
    epochs = num_epochs(tokens, length, samples)
    assert epochs >= 1 and (epochs * tokens - 1) // length >= samples
    assert epochs == 1 or ((epochs - 1) * tokens - 1) // length < samples
    separate, before = separate_last_epoch(epochs, tokens, length, samples)
    assert before < max(samples, 1)
    if not separate and epochs > 1:
        assert samples - before >= int(0.80 * ((tokens - 1) // length))


def test_an_empty_split_is_an_error_and_no_endless_loop():
    for documents in (row(), row(1)):
        with pytest.raises(ValueError, match="a split without tokens"):
            build_indices(row(5, 0), documents, 4, 1, 0)
    for length, samples in ((0, 1), (4, -1)):
        with pytest.raises(ValueError, match="at least"):
            num_epochs(10, length, samples)


GOOD = {
    "sizes": row(5, 3, 7),
    "doc_idx": row(0, 1, 2),
    "seq_length": 4,
    "num_epochs": 1,
    "tokens_per_epoch": 15,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": np.array([5, 3, 7])}, "sizes must be a contiguous int32"),
        ({"sizes": [5, 3, 7]}, "sizes must be a contiguous int32"),
        ({"sizes": None}, "sizes must be a contiguous int32"),
        ({"sizes": row(5, 3, 7).astype(">i4")}, "sizes must be a contiguous int32"),
        ({"sizes": row(5, 3, 7).astype(np.uint32)}, "sizes must be a contiguous int32"),
        ({"sizes": row(5, 0, 3, 0, 7, 0)[::2]}, "sizes must be a contiguous int32"),
        ({"sizes": row(5, 3, 7).reshape(1, 3)}, "sizes must have 1 dimension, not 2"),
        ({"doc_idx": np.array(0, np.int32)}, "doc_idx must have 1 dimension, not 0"),
        ({"doc_idx": np.array([0.0])}, "doc_idx must be a contiguous int32"),
        ({"doc_idx": row(0, 1, 3)}, r"doc_idx\[2\] is 3, but sizes has 3"),
        ({"doc_idx": row(0, -1, 2)}, r"doc_idx\[1\] is -1"),
        ({"doc_idx": row(0, 1)}, "doc_idx holds 8 tokens, .* is 15"),
        ({"doc_idx": row()}, "doc_idx holds 0 tokens"),
        ({"sizes": row()}, "sizes has 0 documents"),
        ({"sizes": row(5, -3, 7)}, r"sizes\[1\] is negative: -3"),
        ({"seq_length": 0}, "seq_length must be at least 1, not 0"),
        ({"seq_length": -4}, "seq_length must be at least 1, not -4"),
        ({"num_epochs": 0}, "num_epochs must be at least 1"),
        ({"num_epochs": 2}, "holds 15 tokens, .* is 30"),
        ({"num_epochs": 2**62}, "does not fit 64 bits"),
        ({"tokens_per_epoch": 0}, "tokens_per_epoch must be at least 1"),
        ({"tokens_per_epoch": 14}, "holds 15 tokens, .* is 14"),
    ],
)
def test_the_compiled_code_refuses_what_it_cannot_read_safely(change, message):
    assert build_sample_idx(**GOOD).tolist() == SEVEN[:4]
    with pytest.raises(ValueError, match=message):
        build_sample_idx(**(GOOD | change))


def test_documents_are_checked_before_use():
    for documents, message in [
        (row(0, 3), "documents go from 0 to 3, but there are only 3"),
        (row(-1), "documents go from -1"),
        (np.array([0, 1]), "one row of int32, not int64"),
    ]:
        with pytest.raises(ValueError, match=message):
            build_indices(row(5, 3, 7), documents, 4, 1, 0)
    with pytest.raises(ValueError, match="more than int32 can number"):
        build_doc_idx(row(0, 1, 2), 2**30)


def test_without_the_compiled_module_the_message_names_the_script():
    code = "import sys; sys.modules['data_tools.index_helper._core'] = None\n"
    code += "import data_tools.index_helper"
    repo = Path(index_helper.__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, text=True)
    assert "ImportError: the compiled index helper is missing" in run.stderr
    assert "run bash scripts/setup.sh" in run.stderr
