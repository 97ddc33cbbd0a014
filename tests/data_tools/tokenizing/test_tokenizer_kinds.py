"""Kinds of tokenizers: bytes, trained on code, GPT-2's. A folder's files decide which is opened."""

import json
import sysconfig
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Library
from tokenizers import pre_tokenizers

from data_tools.tokenizing.any_tokenizer import AnyTokenizer
from data_tools.tokenizing.chinese_tokenizer import ChineseTokenizer
from data_tools.tokenizing.tokenizer import END_OF_TEXT, Tokenizer, load_tokenizer

SNIPPET = 'def add_numbers(a, b):\n    """Add the two numbers `a` and `b`."""\n    return a + b'
MIXED = "caf\u00e9 \u4f60\U0001f642\r\n\t\0"


@pytest.mark.parametrize("kind", [Tokenizer, ChineseTokenizer])
def test_every_kind_offers_what_any_tokenizer_does(kind):
    offered = {*vars(AnyTokenizer), *AnyTokenizer.__annotations__}
    public = {name for name in offered if not name.startswith("_")}
    assert len(public) == 21 and public <= set(dir(kind))


def test_a_byte_is_its_own_id():
    tokenizer = Tokenizer.byte_level()
    everything = bytes(range(128)) + MIXED.encode()
    assert tokenizer.vocab_size == 257 and tokenizer.eos_token_id == 256
    assert tokenizer.encode(everything.decode()).tolist() == list(everything)
    assert tokenizer.encode_flat([MIXED])[0].tolist() == list(MIXED.encode())
    assert [tokenizer.decode_bytes([i]) for i in range(257)] == [
        *(bytes([i]) for i in range(256)), b""
    ]
    assert tokenizer.encode(f"a{END_OF_TEXT}", special_tokens=True).tolist() == [97, 256]
    assert tokenizer.encode(END_OF_TEXT).tolist() == list(END_OF_TEXT.encode())
    assert sorted(tokenizer.token_byte_lengths()) == [0] + [1] * 256


def test_the_byte_tokenizer_is_written_and_read_like_any_other(tmp_path):
    tokenizer = Tokenizer.byte_level()
    tokenizer.save(tmp_path)
    vocab = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    assert len(vocab) == 257 and vocab["a"] == 97 and vocab["\u0120"] == 32
    ways = [load_tokenizer(tmp_path), Tokenizer.load(tmp_path / "tokenizer.json")]
    (tmp_path / "tokenizer.json").unlink()
    ways.append(load_tokenizer(tmp_path))  # from vocab.json and a merges.txt without merges
    for way in ways:
        assert way.fingerprint() == tokenizer.fingerprint()
        assert way.encode(MIXED).tolist() == list(MIXED.encode())


def test_transformers_reads_the_byte_tokenizer(tmp_path):
    transformers = pytest.importorskip("transformers")
    Tokenizer.byte_level().save(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert theirs(f"{MIXED}{END_OF_TEXT}")["input_ids"] == [*MIXED.encode(), 256]
    assert theirs.eos_token_id == 256 and theirs.decode(list(MIXED.encode())) == MIXED


def test_words_may_be_cut_further_where_nothing_is_dropped(tokenizer):
    library = Library.from_str(tokenizer._prompt.to_str())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    steps = [pre_tokenizers.Split("_", "isolated"), pre_tokenizers.Digits(), byte_level]
    library.pre_tokenizer = pre_tokenizers.Sequence(steps)
    cut = Tokenizer(library)
    for text in [SNIPPET, MIXED]:
        assert cut.decode(cut.encode(text)) == text


def test_the_callers_tokenizer_stays_as_it_is(tokenizer):
    library = Library.from_str(tokenizer._prompt.to_str())
    library.enable_truncation(3)
    assert Tokenizer(library).encode(SNIPPET).tolist() == tokenizer.encode(SNIPPET).tolist()
    assert library.truncation["max_length"] == 3 and not library.encode_special_tokens


def test_texts_for_training_may_come_in_lists():
    texts = [f"value_{i % 7} = {i}\n" for i in range(500)]
    single = Tokenizer.train(texts, 320).fingerprint()
    lists = (texts[i : i + 100] for i in range(0, len(texts), 100))
    assert Tokenizer.train(lists, 320).fingerprint() == single


@pytest.fixture(scope="module")
def of_python_code():
    """A vocabulary of 5,000 tokens, of 2 MB of Python's own library."""
    texts, size = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        texts.append(path.read_text(encoding="utf-8", errors="ignore"))
        size += len(texts[-1])
        if size > 2_000_000:
            break
    lists = (texts[i : i + 10] for i in range(0, len(texts), 10))
    return Tokenizer.train(lists, 5000)


def test_a_vocabulary_of_code_spells_code_shorter(of_python_code, tmp_path):
    ids = of_python_code.encode(SNIPPET).tolist()
    assert of_python_code.vocab_size == 5000 and of_python_code.eos_token_id == 0
    assert len(ids) < 36  # GPT-2's
    of_python_code.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "merges.txt", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json",
        "vocab.json",
    ]
    vocab = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    assert vocab[END_OF_TEXT] == 0
    assert vocab["\u010a\u0120\u0120\u0120"] in ids  # a newline and three spaces
    assert load_tokenizer(tmp_path).encode(SNIPPET).tolist() == ids


def test_gpt2_spells_the_snippet_in_36_tokens(gpt2_dir):
    ids, offsets = load_tokenizer(gpt2_dir).encode_flat([SNIPPET])
    assert offsets.tolist() == [0, 36]
    assert ids.tolist() == [
        4299, 751, 62, 77, 17024, 7, 64, 11, 275, 2599, 198, 220, 220, 220, 37227, 4550, 262, 734,
        3146, 4600, 64, 63, 290, 4600, 65, 63, 526, 15931, 198, 220, 220, 220, 1441, 257, 1343, 275,
    ]


def test_a_place_without_a_tokenizer_is_named(tmp_path):
    (tmp_path / "vocab.json").write_text("{}")
    for place in (tmp_path, tmp_path / "gone"):
        with pytest.raises(ValueError, match=f"no tokenizer at {place}: .* SentencePiece"):
            load_tokenizer(place)
