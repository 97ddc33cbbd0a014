"""fastokens is used only where its ids equal those of tokenizers."""

import os
import pickle
import sys
import threading
import types
import warnings
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, pre_tokenizers
from tokenizers import Tokenizer as Library

from data_tools.tokenizing import fast_encoder
from data_tools.tokenizing.fast_encoder import TRIALS
from data_tools.tokenizing.tokenizer import END_OF_TEXT, Tokenizer

needs_fastokens = pytest.mark.skipif(
    find_spec("fastokens") is None, reason="fastokens is not installed"
)


def rows(tokenizer, texts):
    ids, offsets = tokenizer.encode_flat(texts)
    assert (ids.dtype, offsets.dtype) == (np.uint32, np.int64)
    assert offsets[0] == 0 and offsets[-1] == len(ids) and len(offsets) == len(texts) + 1
    return [ids[a:b].tolist() for a, b in zip(offsets, offsets[1:], strict=False)]


def wanted(tokenizer, texts):
    return [ids.tolist() for ids in tokenizer.encode_batch(texts)]


def fresh(tokenizer) -> Tokenizer:
    return pickle.loads(pickle.dumps(tokenizer))


@needs_fastokens
def test_the_fast_encoder_runs_without_a_word(tokenizer, gpt2_dir):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for one in (fresh(tokenizer), Tokenizer.byte_level(), Tokenizer.load(gpt2_dir)):
            one.warm_up()
            one.self_check([*TRIALS, f"{END_OF_TEXT} in a text"])
            assert one.encoder == f"fastokens {version('fastokens')}"


def added(*tokens: AddedToken, splitter=None) -> Tokenizer:
    library = Library.from_str(Tokenizer.train(["a b c ab abc  \n" * 9], 270)._prompt.to_str())
    for token in tokens:
        (library.add_special_tokens if token.special else library.add_tokens)([token])
    if splitter is not None:
        library.pre_tokenizer = splitter
    return Tokenizer(library)


def byte_level(use_regex=True):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def beside(step, use_regex=True):
    return pre_tokenizers.Sequence([step, byte_level(use_regex)])


GPT2_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


@needs_fastokens
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: added(
            splitter=beside(pre_tokenizers.Split(Regex(GPT2_WORDS), "isolated"), use_regex=False)
        ), "other pre-tokenizers"),
        (lambda: added(splitter=beside(pre_tokenizers.Digits())), "other pre-tokenizers"),
        (lambda: added(AddedToken("b", single_word=True)), "the word 'b'"),
        (lambda: added(AddedToken("ab", normalized=True), AddedToken("a", normalized=False)),
         "another order"),
    ],
)
def test_tokenizers_that_it_is_known_to_get_wrong(make, reason):
    tokenizer = make()
    texts = ["a\u180e b  \u180e c", "baab 12 a-b ab", *TRIALS]
    with pytest.warns(UserWarning, match=f"{reason}.*tokenizers 0.*encodes instead") as record:
        assert rows(tokenizer, texts) == wanted(tokenizer, texts)
        assert rows(tokenizer, texts) == wanted(tokenizer, texts)
    assert len(record) == 1
    assert tokenizer.encoder.startswith("tokenizers ")


@cache
def right(name: str) -> Tokenizer:
    return {
        "no shared letter": lambda: added(
            AddedToken("  ", normalized=True), AddedToken("<x>", normalized=False)
        ),
        "one in another": lambda: added(
            AddedToken("ab"), AddedToken("a"), AddedToken("<x>", special=True)
        ),
        "special": lambda: added(
            AddedToken("<x>", special=True, lstrip=True), AddedToken("<xx>", special=True)
        ),
        "special, normalized or not": lambda: added(
            AddedToken("<x>", special=True, normalized=True),
            AddedToken("<xx>", special=True, normalized=False)
        ),
        "no words": lambda: added(splitter=byte_level(use_regex=False)),
    }[name]()


@needs_fastokens
@pytest.mark.parametrize("name", ["no shared letter", "one in another", "special",
                                  "special, normalized or not", "no words"])
@settings(deadline=None, max_examples=50)
@given(text=st.text(st.sampled_from("ab \n<>x_\u00e9")))
def test_added_tokens_that_it_gets_right(name, text):
    for one in (text, f"<x>{text}<xx>  {text}ab{text}<x>"):
        assert rows(right(name), [one]) == wanted(right(name), [one])
    assert right(name).encoder.startswith("fastokens ")


def test_without_fastokens_nothing_is_said(tokenizer, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastokens", None)  # import fastokens: ImportError
    slow = fresh(tokenizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rows(slow, TRIALS) == wanted(slow, TRIALS)
        slow.self_check(TRIALS)
    assert slow.encoder.startswith("tokenizers ")


class Fake:
    """A fastokens that encodes as `plain` does, but for what `spoil` makes of a text."""

    def __init__(self, plain, spoil):
        self.plain, self.spoil = plain, spoil

    def from_json_str(self, text):
        return self

    def encode_batch_flat(self, texts, **switches):
        assert switches == {"add_special_tokens": False, "split_special_tokens": True}
        found = [self.spoil(text, self.plain.encode(text).tolist()) for text in texts]
        ids, offsets = fast_encoder.flat([np.array(row, np.uint32) for row in found])
        return ids.tobytes(), offsets.astype(np.uint64).tobytes()


@pytest.fixture
def spoiled(tokenizer, monkeypatch):
    def make(spoil) -> Tokenizer:
        module = types.SimpleNamespace(Tokenizer=Fake(tokenizer, spoil))
        monkeypatch.setitem(sys.modules, "fastokens", module)
        monkeypatch.setattr("importlib.metadata.version", lambda package: "9.9")
        return fresh(tokenizer)

    return make


def test_a_wrong_encoder_is_found_before_it_is_used(spoiled):
    one = spoiled(lambda text, ids: ids[:-1] if "\u2167" in text else ids)
    with pytest.warns(UserWarning, match="fastokens 9.9 gives other ids.*encodes instead"):
        assert rows(one, ["\u2167"]) == wanted(one, ["\u2167"])


def test_the_callers_texts_find_what_the_trials_do_not(spoiled):
    one = spoiled(lambda text, ids: [*ids, 0] if text == "rare" else ids)
    one.self_check(["a", "b"])
    assert one.encoder == "fastokens 9.9"
    with pytest.warns(UserWarning, match="other ids for text 2 of 3 tried, 'rare'"):
        one.self_check(["a", "b", "rare"])
    assert one.encoder.startswith("tokenizers ")
    assert rows(one, ["rare"]) == wanted(one, ["rare"])
    one.self_check(["rare"])


class Panic(BaseException):
    """As the panics of compiled code are."""


def test_an_encoder_that_fails_is_replaced(spoiled):
    def panic(text, ids):
        if text == "rare":
            raise Panic("index out of range")
        return ids

    one = spoiled(panic)
    assert rows(one, ["a"]) == wanted(one, ["a"])
    with pytest.warns(UserWarning, match="failed to encode a text .index out of range"):
        assert rows(one, ["a", "rare"]) == wanted(one, ["a", "rare"])
    assert one.encoder.startswith("tokenizers ")


def test_what_is_no_fault_of_the_encoder_passes(spoiled):
    def interrupt(text, ids):
        if text == "rare":
            raise KeyboardInterrupt
        return ids

    one = spoiled(interrupt)
    with pytest.raises(KeyboardInterrupt):
        one.encode_flat(["rare"])
    with pytest.raises(TypeError):
        one.encode_flat(["half a character \ud800"])
    assert one.encoder == "fastokens 9.9"


@needs_fastokens
@pytest.mark.parametrize(("given", "passed_on"), [("3", "3"), ("0", None), ("", None)])
def test_the_threads_of_tokenizers_are_those_of_fastokens(
    tokenizer, monkeypatch, given, passed_on
):
    monkeypatch.setenv("RAYON_NUM_THREADS", given)
    monkeypatch.setenv("FASTOKENS_BPE_THREADS", "")
    monkeypatch.delenv("FASTOKENS_BPE_THREADS")
    fresh(tokenizer).encode_flat(["a"])
    assert os.environ.get("FASTOKENS_BPE_THREADS") == passed_on


def test_threads_may_share_a_tokenizer(tokenizer):
    one, found = fresh(tokenizer), [None] * 4

    def work(i):
        found[i] = rows(one, [f"text {i} {j}" for j in range(200)])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted(tokenizer, [f"text {i} {j}" for j in range(200)]) for i in range(4)]
