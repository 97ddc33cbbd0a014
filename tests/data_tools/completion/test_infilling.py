"""Fill-in-the-middle windows: they fit, are parts of files, and end where their middle ends."""

from argparse import Namespace

import numpy as np
import pytest

from data_tools.completion.infilling import Infilling
from data_tools.preparing.flags import FIM_TOKENS
from data_tools.tokenizing.tokenizer import Tokenizer

PREFIX, MIDDLE, SUFFIX = FIM_TOKENS[:3]


def transformed(data, record):
    return record["token_ids"][0] == data.tokenizer.special_tokens[PREFIX]


def text_of(tokenizer, ids):
    """The text of a transformed window, and its order."""
    at, behind = (ids.index(tokenizer.special_tokens[token]) for token in (MIDDLE, SUFFIX))
    prefix, suffix, middle = (tokenizer.decode_bytes(part) for part in (
        ids[1:behind], ids[behind + 1:at], ids[at + 1:]))
    order = "SPM" if behind == 1 else "PSM"
    return (middle + suffix if order == "SPM" else prefix + middle + suffix).decode(), order


@pytest.mark.parametrize("eos", ["file", "every_window"])
def test_windows_are_transformed_at_the_rate(make, tree, eos):
    data = make("out", "--fim_rate", 0.5, "--eos", eos)
    sources = [path.read_text() for path in tree.rglob("*.py")]
    sources += [path.read_text() for path in tree.rglob("*.java")]
    records, end = data.train + data.dev, data.tokenizer.eos_token_id
    done = [one["token_ids"] for one in records if transformed(data, one)]
    assert 0.4 < len(done) / len(records) < 0.6
    orders = set()
    for ids in done:
        assert len(ids) <= 40 and (ids[-1] == end) == (eos == "file") and end not in ids[:-1]
        text, order = text_of(data.tokenizer, ids)
        orders.add(order)
        assert any(text in source for source in sources)
    assert orders == {"PSM", "SPM"}
    assert data.meta["source"]["fim"]["rate"] == 0.5


def test_the_others_are_as_without_it(make):
    """At any rate the windows that are not transformed are those of a run without."""
    plain = make("plain", "--eos", "every_window")
    data = make("out", "--eos", "every_window", "--fim_rate", 0.5)
    assert len(data.train) == len(plain.train)
    same = [one == before for one, before in zip(data.train, plain.train, strict=True)]
    assert same == [not transformed(data, one) for one in data.train]


def test_all_in_one_order_and_the_same_again(make):
    data = make("out", "--fim_rate", 1, "--fim_spm_rate", 1)
    assert all(transformed(data, one) for one in data.train)
    assert {text_of(data.tokenizer, one["token_ids"])[1] for one in data.train} == {"SPM"}
    assert make("again", "--fim_rate", 1, "--fim_spm_rate", 1, "--workers", 1).bytes() == (
        data.bytes())


def infilling(tokenizer, **changes):
    options = {"fim_rate": 1.0, "fim_spm_rate": 0.5, "seed": 1, "segment_len": 40, "eos": "file"}
    return Infilling(Namespace(**options | changes), tokenizer.with_added_tokens(FIM_TOKENS))


def test_a_character_that_the_window_cuts_is_left_out(tokenizer):
    ids = tokenizer.encode("\U0001f642" * 30)  # of several tokens each
    one = infilling(tokenizer)
    (row,) = one([ids[1:37]])
    text, _ = text_of(one._tokenizer, row.tolist())
    assert set(text) == {"\U0001f642"}


def test_what_does_not_fit_stays_and_is_counted():
    """A word is one token, and its parts are several: not every cut leaves room for them."""
    word = " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    words = Tokenizer.train([word * 3] * 50, 400)
    window = words.encode(word * 16)
    assert len(window) == 16
    stayed = too_long = 0
    for seed in range(60):
        one = infilling(words, segment_len=32, seed=seed)
        (row,) = one([window])
        assert len(row) <= 32
        stayed += np.array_equal(row, window)
        too_long += one.too_long
    assert 0 < stayed == too_long < 60
