"""Decoding gives the encoded bytes back; a tokenizer is the same from every form of its files."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Library

from data_tools.tokenizing.bpe_files import byte_of_symbol
from data_tools.tokenizing.tokenizer import END_OF_TEXT, Tokenizer

SNIPPET = 'def add_numbers(a, b):\n    """Add the two numbers `a` and `b`."""\n    return a + b'
TRICKY = [
    "  lead",
    "trail \n",
    f"a{END_OF_TEXT}b",
    "\u00e9 \U0001f642\t\u4f60",
    "\r\n\n\n    x = 1",
    "",
]


BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False)


def beside(step):
    return pre_tokenizers.Sequence([step, BYTE_LEVEL])


def test_byte_alphabet_is_the_librarys():
    assert set(byte_of_symbol()) == set(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(byte_of_symbol().values()) == list(range(256))


def test_training_puts_end_of_text_first_and_covers_all_bytes(tokenizer):
    assert tokenizer.eos_token_id == 0
    assert 257 < tokenizer.vocab_size <= 300
    assert sorted(tokenizer.token_byte_lengths())[:258] == [0] + [1] * 256 + [2]
    everything = "".join(map(chr, range(0x3000)))
    assert tokenizer.decode(tokenizer.encode(everything)) == everything


def test_training_is_deterministic():
    texts = [f"value_{i % 7} = {i}\n" for i in range(500)]
    assert (
        Tokenizer.train(iter(texts), 320).fingerprint()
        == Tokenizer.train(texts, 320).fingerprint()
        != Tokenizer.train(texts, 310).fingerprint()
    )
    with pytest.raises(ValueError, match="at least 257.*not 256"):
        Tokenizer.train(texts, 256)


@settings(deadline=None, max_examples=300)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_survives_and_lengths_add_up(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.token_byte_lengths()[ids].sum() == len(text.encode())
    for cut in range(len(ids)):
        halves = tokenizer.decode_bytes(ids[:cut]) + tokenizer.decode_bytes(ids[cut:])
        assert halves == text.encode()


def test_a_cut_character_decodes_to_its_bytes(tokenizer):
    ids = tokenizer.encode("\U0010ffff")  # not in the training text: one token per byte
    assert len(ids) == 4
    assert tokenizer.decode_bytes(ids[:3]) == "\U0010ffff".encode()[:3]
    assert tokenizer.decode(ids[:3]) == "\ufffd"


@pytest.mark.parametrize("wrong", [-1, 300])
def test_decoding_refuses_foreign_ids(tokenizer, wrong):
    with pytest.raises(ValueError, match=f"{wrong} is outside"):
        tokenizer.decode([1, wrong])


def test_end_of_text_in_a_document_is_only_text(tokenizer):
    text = f"print('{END_OF_TEXT}')"
    (ids,) = tokenizer.encode_batch([text])
    assert ids.dtype == np.int32
    assert tokenizer.eos_token_id not in ids
    assert tokenizer.decode(ids) == text
    assert ids.tolist() == tokenizer.encode(text).tolist()
    assert list(tokenizer.encode(text, special_tokens=True)).count(0) == 1
    copy = pickle.loads(pickle.dumps(tokenizer))  # to a worker process
    assert copy.encode(text).tolist() == ids.tolist()


@pytest.mark.parametrize("header", ["#version: 0.2\n", ""])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_merges_with_and_without_header_lose_nothing(tokenizer, tmp_path, header, line_end):
    tokenizer.save(tmp_path)
    body = (tmp_path / "merges.txt").read_text().split("\n", 1)[1]
    (tmp_path / "m.txt").write_bytes((header + body).replace("\n", line_end).encode())
    loaded = Tokenizer.from_vocab_and_merges(tmp_path / "vocab.json", tmp_path / "m.txt")
    assert loaded.fingerprint() == tokenizer.fingerprint()
    assert loaded.encode("    return a").tolist() == tokenizer.encode("    return a").tolist()


def test_a_missing_merge_is_noticed(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    lines = (tmp_path / "merges.txt").read_text().split("\n")
    (tmp_path / "merges.txt").write_text("\n".join(lines[2:]))
    with pytest.raises(ValueError, match="merges are missing"):
        Tokenizer.from_vocab_and_merges(tmp_path / "vocab.json", tmp_path / "merges.txt")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("merges.txt", "a b c\n", "line 1: expected two tokens"),
        ("merges.txt", "\u0120\u0120\u0120 zzz\n", "which .* lacks"),
        ("merges.txt", b"\xff\xfe", "not UTF-8"),
        ("vocab.json", "{", "is not JSON"),
        ("vocab.json", "[1, 2]", "not a vocabulary"),
        ("vocab.json", None, "cannot read"),
        ("merges.txt", None, "cannot read"),
    ],
)
def test_broken_pairs_are_refused(tokenizer, tmp_path, file, content, message):
    tokenizer.save(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        Tokenizer.from_vocab_and_merges(tmp_path / "vocab.json", tmp_path / "merges.txt")


def test_save_and_load_every_way(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "merges.txt",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
    ]
    ways = [tmp_path, tmp_path / "tokenizer.json"]
    prints = {Tokenizer.load(way).fingerprint() for way in ways}
    (tmp_path / "tokenizer.json").unlink()
    prints.add(Tokenizer.load(tmp_path).fingerprint())
    assert prints == {tokenizer.fingerprint()}
    (tmp_path / "vocab.json").unlink()
    with pytest.raises(ValueError, match="no tokenizer at"):
        Tokenizer.load(tmp_path)


def test_truncation_and_padding_in_the_file_are_switched_off(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    library = Library.from_file(str(tmp_path / "tokenizer.json"))
    library.enable_truncation(3)
    library.enable_padding(length=50)
    library.save(str(tmp_path / "tokenizer.json"))
    assert Tokenizer.load(tmp_path).encode(SNIPPET).tolist() == tokenizer.encode(SNIPPET).tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: setattr(t, "normalizer", normalizers.NFC()), "changes text.*NFC"),
        (lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.Whitespace()), "is Whitespace"),
        (lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.ByteLevel()), "adds a space"),
        (lambda t: setattr(t, "model", models.WordPiece({"a": 0}, unk_token="a")), "is WordPiece"),
        (lambda t: setattr(t, "model", models.BPE({"a": 0}, [])), "lacks 255 of the 256"),
        (lambda t: setattr(t.model, "dropout", 0.1), "at random"),
        (lambda t: setattr(t.model, "continuing_subword_prefix", "##"), "not a tokenizer.json"),
        (lambda t: setattr(t.model, "end_of_word_suffix", "##"), "adds '##'"),
        (lambda t: t.add_tokens([AddedToken("add", lstrip=True)]), "'add' swallows"),
        (lambda t: setattr(t, "pre_tokenizer", beside(pre_tokenizers.WhitespaceSplit())),
         "is WhitespaceSplit"),
        (lambda t: setattr(t, "pre_tokenizer", beside(pre_tokenizers.Split(" ", "removed"))),
         "is Split"),
        (lambda t: setattr(t, "pre_tokenizer", beside(BYTE_LEVEL)), "is ByteLevel"),
    ],
)
def test_tokenizers_that_change_text_are_refused(tokenizer, tmp_path, change, message):
    tokenizer.save(tmp_path)
    library = Library.from_file(str(tmp_path / "tokenizer.json"))
    change(library)
    library.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match=message):
        Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="is not a tokenizer.json"):
        Tokenizer.load(tmp_path)


def test_end_token_falls_back_and_may_be_absent(tmp_path):
    vocab = {symbol: i for i, symbol in enumerate(sorted(byte_of_symbol()))}
    (tmp_path / "merges.txt").write_text("")
    for extra, expected in ((["<pad>", "</s>"], 257), (["<pad>"], None)):
        tokens = vocab | {token: 256 + i for i, token in enumerate(extra)}
        (tmp_path / "vocab.json").write_text(json.dumps(tokens))
        loaded = Tokenizer.load(tmp_path)
        if expected is None:
            with pytest.raises(ValueError, match="has no end token"):
                _ = loaded.eos_token_id
        else:
            assert loaded.eos_token_id == expected


def test_transformers_reads_what_we_save(tokenizer, tmp_path):
    transformers = pytest.importorskip("transformers")
    tokenizer.save(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert theirs.eos_token_id == tokenizer.eos_token_id
    assert len(theirs) == tokenizer.vocab_size
    for text in [SNIPPET, *TRICKY]:
        ids = tokenizer.encode(text, special_tokens=True).tolist()
        assert theirs(text).input_ids == ids, text
        assert theirs.decode(ids) == text


def test_gpt2_golden_ids_from_either_form(gpt2_dir):
    one = Tokenizer.load(gpt2_dir / "tokenizer.json")
    two = Tokenizer.from_vocab_and_merges(gpt2_dir / "vocab.json", gpt2_dir / "merges.txt")
    assert one.fingerprint() == two.fingerprint()
    for tokenizer in (one, two):
        assert tokenizer.vocab_size == 50257 and tokenizer.eos_token_id == 50256
        ids = tokenizer.encode(SNIPPET).tolist()
        assert len(ids) == 36 and ids[:5] == [4299, 751, 62, 77, 17024]
        assert tokenizer.encode("\n\n").tolist() == [628]
        assert tokenizer.encode("\n\n###").tolist()[:2] == [198, 198]
        assert 50256 not in tokenizer.encode(END_OF_TEXT)
        assert tokenizer.encode(END_OF_TEXT, special_tokens=True).tolist() == [50256]


def test_gpt2_without_its_first_merges_is_refused(gpt2_dir, tmp_path):
    lines = (gpt2_dir / "merges.txt").read_text(encoding="utf-8").split("\n")
    (tmp_path / "merges.txt").write_text("\n".join(lines[2:]), encoding="utf-8")
    with pytest.raises(ValueError, match="merges are missing"):
        Tokenizer.from_vocab_and_merges(gpt2_dir / "vocab.json", tmp_path / "merges.txt")
