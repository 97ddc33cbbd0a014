"""encode_flat gives the ids of tokenizers, and of transformers' GPT-2, for any text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tools.tokenizing.fast_encoder import TRIALS
from data_tools.tokenizing.tokenizer import END_OF_TEXT, Tokenizer

WHITE = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u180e\u2003\u2028\u2029\u202f\u3000\u200b"
PIECES = [
    END_OF_TEXT, "<|", "|>", "'s", "'S", "'ll", "\u2019t", "''", "def f(x):\n", "    ", "\r\n",
    "_", "__init__", "0x1F", "1e-5", "a" * 20, "\u00e9\u0301", "\u4f60\u597d", "\U0001f642\u200d",
]
TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        st.text(st.sampled_from(WHITE), max_size=6),
        st.sampled_from(PIECES),
    ),
    max_size=12,
).map("".join)


def rows(tokenizer, texts):
    ids, offsets = tokenizer.encode_flat(texts)
    assert (ids.dtype, offsets.dtype) == (np.uint32, np.int64)
    assert offsets[0] == 0 and offsets[-1] == len(ids) and len(offsets) == len(texts) + 1
    return [ids[a:b].tolist() for a, b in zip(offsets, offsets[1:], strict=False)]


def wanted(tokenizer, texts):
    return [ids.tolist() for ids in tokenizer.encode_batch(texts)]


@pytest.fixture(scope="module")
def gpt2(gpt2_dir):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(str(gpt2_dir), split_special_tokens=True)
    return Tokenizer.load(gpt2_dir), theirs


@settings(deadline=None, max_examples=100)
@given(texts=st.lists(TEXTS, max_size=6))
def test_any_texts_encode_alike(tokenizer, texts):
    assert rows(tokenizer, texts) == wanted(tokenizer, texts)
    assert [tokenizer.decode(ids) for ids in rows(tokenizer, texts)] == texts


@settings(deadline=None, max_examples=100)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6))
def test_any_texts_encode_as_transformers_gpt2_does(gpt2, texts):
    ours, theirs = gpt2
    assert rows(ours, texts) == theirs(texts, add_special_tokens=False)["input_ids"]


def test_characters_from_all_of_unicode_encode_alike(gpt2):
    points = [*range(0x3100), *range(0x3100, 0xD800, 61), *range(0xE000, 0x110000, 61)]
    texts = [f"{chr(i)} {chr(i)}a{chr(i)}'s" for i in points]
    assert rows(gpt2[0], texts) == wanted(gpt2[0], texts)


def test_texts_chosen_to_break_encoders(tokenizer):
    long = [
        " " * 50_000, "a" * 50_000, "\n" * 50_000, "=" * 50_000, "\u4f60" * 20_000, "\0" * 9,
        " ".join(f"w{i * 7919 % 99_991}" for i in range(20_000)),
        "".join(chr(97 + i * i % 26) for i in range(50_000)),
    ]
    for texts in ([*TRIALS, *long], [], [""], ["", "a", "", ""]):
        assert rows(tokenizer, texts) == wanted(tokenizer, texts)
