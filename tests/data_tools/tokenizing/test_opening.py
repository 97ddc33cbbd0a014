"""Files of a tokenizer as other people's programs leave them, whole and damaged."""

import copy
import json
import random
import shutil

import pytest

from data_tools.tokenizing.tokenizer import Tokenizer, load_tokenizer

TEXT = "def add(a, b):\n    return a + b  # \u00e9 <|endoftext|>\n"


@pytest.mark.parametrize("files", [("tokenizer.json",), ("vocab.json", "merges.txt")])
def test_a_byte_order_mark_before_any_file_is_passed_over(tokenizer, tmp_path, files):
    tokenizer.save(tmp_path / "t")
    shutil.copytree(tmp_path / "t", tmp_path / "marked")
    for path in (tmp_path / "marked").iterdir():
        if path.name in ("tokenizer.json", "vocab.json", "merges.txt") and path.name not in files:
            path.unlink()
        else:
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    marked = load_tokenizer(tmp_path / "marked")
    assert marked.fingerprint() == tokenizer.fingerprint()
    assert marked.encode(TEXT).tolist() == tokenizer.encode(TEXT).tolist()
    ids, _ = marked.encode_flat([TEXT])
    assert ids.tolist() == tokenizer.encode(TEXT).tolist()


LIES = (None, True, False, 0, -1, 2**31, 2**32, 2**63, 10**30, 1.5, float("nan"), "", "x", "\ud800",
        [], {}, [1], {"a": 1}, [[]], *({"type": name} for name in (
            "Precompiled", "Split", "Unigram", "WordPiece", "ByteLevel", "Sequence", "Metaspace")))


def places(value, at=()):
    """Where something stands inside of a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(
        value if isinstance(value, list) else ())
    for key, item in list(inside)[:6]:
        yield (*at, key)
        yield from places(item, (*at, key))


@pytest.mark.parametrize("lies", [150, pytest.param(10_000, marks=[
    pytest.mark.exhaustive, pytest.mark.timeout(1800)])])
def test_a_tokenizer_json_that_lies_is_refused_in_one_line(tokenizer, tmp_path, capfd, lies):
    """Some lies make the library panic, which is no Exception and reports to standard error."""
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    tokenizer.save(tmp_path)
    path, refused = tmp_path / "tokenizer.json", 0
    whole = json.loads(path.read_text())
    where = list(places(whole))
    for _ in range(lies):
        told = copy.deepcopy(whole)
        *way, last = draw.choice(where)
        inside = told
        for key in way:
            inside = inside[key]
        inside[last] = draw.choice(LIES)
        path.write_text(json.dumps(told))
        try:
            ids = load_tokenizer(tmp_path).encode(TEXT)
            assert ids.ndim == 1
        except ValueError as error:
            refused += 1
            assert "\n" not in str(error), (seed, error)
    assert refused > lies / 2 and capfd.readouterr().err == "", seed


def test_a_panic_becomes_one_sentence(tokenizer, tmp_path, capfd):
    tokenizer.save(tmp_path)
    told = json.loads((tmp_path / "tokenizer.json").read_text())
    told["normalizer"] = {"type": "Precompiled"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=r"tokenizer.json .*Precompiled"):
        Tokenizer.load(tmp_path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("vocab", [{"a": -1}, {"a": 2**32}, {"a": 10**30}])
def test_ids_that_no_vocabulary_has(tmp_path, vocab):
    Tokenizer.byte_level().save(tmp_path)
    path = tmp_path / "vocab.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | vocab))
    with pytest.raises(ValueError, match=r"vocab.json cannot be used"):
        Tokenizer.from_vocab_and_merges(path, tmp_path / "merges.txt")
