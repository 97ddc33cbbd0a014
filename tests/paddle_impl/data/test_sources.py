"""Values of --input_dir: a folder, a prefix, a file, a blend."""

import json

import numpy as np
import pytest

from data_tools.token_files.meta import ids_dtype
from data_tools.token_files.token_file import TokenFile
from data_tools.token_files.writer import TokenFileWriter
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.data import sources
from paddle_impl.data.sources import (
    check_ids,
    check_tokenizer,
    open_dataset,
    open_datasets,
    parse_blend,
)


def test_a_folder_of_several_is_refused_with_the_form_of_a_blend(write, tmp_path):
    write("one")
    write("two", (5,))
    with pytest.raises(ValueError, match="holds 2 datasets") as refused:
        open_datasets(str(tmp_path))
    blend = str(refused.value).rpartition("--input_dir ")[2].strip("'")
    assert blend == f"0.5 {tmp_path}/one 0.5 {tmp_path}/two"
    assert [len(tokens) for tokens in open_datasets(blend).tokens] == [5, 1]
    assert len(open_dataset(str(tmp_path / "two_ids.npy"))) == 1


@pytest.mark.parametrize(("text", "expected"), [
    ("data", []), ("my data/code", []), ("0.3", []), ("it's", []), ("", []),
    ("0.3 A 0.7 B", [(0.3, "A"), (0.7, "B")]),
    (" 30  A\n70 B ", [(30.0, "A"), (70.0, "B")]),
    ("1 A", [(1.0, "A")]),
    ("1 'my data/A' 2 my\\ B", [(1.0, "my data/A"), (2.0, "my B")]),
])
def test_what_is_a_blend(text, expected):
    assert parse_blend(text) == expected


@pytest.mark.parametrize("text", ["0.3 A 0.7", "0.3 A B 0.7", "1 A -1 B", "0 A 1 B", "1 A inf B",
                                  "1 A nan B", "1 A B"])
def test_half_a_blend_is_refused(text):
    with pytest.raises(ValueError, match="expected weight path weight path"):
        parse_blend(text)


def test_a_path_that_exists_is_one_dataset_spaces_and_all(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "1 A 2 B").mkdir()
    write("1 A 2 B/code", (7,))
    write("3 C 4 D")
    for text, documents in (("1 A 2 B", 1), ("1 A 2 B/code", 1), ("3 C 4 D", 5),
                            ("3 C 4 D_ids.npy", 5)):
        (tokens,) = open_datasets(text).tokens
        assert len(tokens) == documents


def test_datasets_of_a_blend_must_be_there(write, tmp_path):
    write("one")
    with pytest.raises(ValueError, match="no data in .*two"):
        open_datasets(f"0.3 {tmp_path}/one 0.7 {tmp_path}/two")


def test_a_blend_is_not_one_dataset(write, tmp_path):
    write("one")
    with pytest.raises(ValueError, match="is a blend: name one of its datasets"):
        open_dataset(f"1 {tmp_path}/one")


def test_datasets_of_a_blend_share_a_tokenizer_or_have_none(write, tmp_path):
    def made_with(name, fingerprint):
        tokens = write(name)
        path = tmp_path / f"{name}_meta.json"
        meta = json.loads(path.read_text()) | {"tokenizer_fingerprint": fingerprint}
        path.write_text(json.dumps(meta))
        return tokens.prefix

    a, b, other = (made_with(name, digit * 64) for name, digit in zip("abc", "001", strict=True))
    none = write("none").prefix
    assert len(open_datasets(f"1 {a} 1 {none} 1 {b}").tokens) == 3
    with pytest.raises(ValueError, match="different tokenizers") as refused:
        open_datasets(f"1 {none} 1 {a} 1 {other}")
    for part in (a, other, "000000000000", "111111111111"):
        assert part in str(refused.value)


def test_datasets_tell_what_they_are(write, tmp_path):
    one, two = write("one").prefix, write("two", (5,)).prefix
    assert str(open_datasets(one)) == f"{one}, 100 tokens"
    assert str(open_datasets(f"30 {one} 70 {two}")) == f"blend 30 {one} 70 {two}, 105 tokens"


def test_another_tokenizer_is_refused(tiny_data):
    tokens = open_dataset(str(tiny_data))
    check_tokenizer(tokens, Tokenizer.load(f"{tokens.prefix}_tokenizer"))
    with pytest.raises(ValueError, match="another tokenizer"):
        check_tokenizer(tokens, Tokenizer.train(iter(["abc abc abc"]), 260))


def ending_in(path, eos):
    with TokenFileWriter(path, 300) as writer:
        writer.append(np.array([1, 2, eos]))
        writer.meta = {"eos_token_id": eos}
    return path


def test_the_end_token_comes_with_the_data(tmp_path):
    first, second = ending_in(tmp_path / "a", 7), ending_in(tmp_path / "b", 8)
    assert open_datasets(str(first)).eos_token_id == 7
    with pytest.raises(ValueError, match="documents of .*b end in token 8, those of .* in 7"):
        open_datasets(f"0.5 {first} 0.5 {second}")


@pytest.mark.parametrize("blend", ["1 {a} 1 {a}", "1e300 {a} 1e-300 {b}", "1e308 {a} 1e308 {b}",
                                   "-1 {a} 1 {b}"])
def test_blends_that_make_no_sense(tmp_path, blend):
    paths = {name: ending_in(tmp_path / name, 7) for name in "ab"}
    with pytest.raises(ValueError, match="names a dataset twice|of comparable size"):
        open_datasets(blend.format(**paths))


@pytest.fixture
def with_id(tmp_path):
    """with_id(value, vocab_size of meta or None): ids 0 to 9 and this one."""

    def build(value, told):
        with TokenFileWriter(tmp_path / "x", 2**20) as writer:
            writer.append(np.arange(11))
        ids = np.array([*range(10), value], np.int32 if told is None else ids_dtype(told))
        np.save(tmp_path / "x_ids.npy", ids)
        path = tmp_path / "x_meta.json"
        meta = json.loads(path.read_text()) | {"vocab_size": told}
        path.write_text(json.dumps(meta)) if told is not None else path.unlink()
        return TokenFile.open(tmp_path / "x")

    return build


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("told", [None, 70000])
@pytest.mark.parametrize(("value", "range_"), [
    (50, "from 0 to 50"), (50000, "from 0 to 50000"), (-1, "from -1 to 9")])
def test_ids_that_the_model_has_not_are_refused(with_id, monkeypatch, large, told, value, range_):
    """Whatever the size, where meta says nothing or more than the model has."""
    monkeypatch.setattr(sources, "READ_THROUGH", 10 if large else 11)
    with pytest.raises(ValueError, match=f"x_ids.npy holds ids {range_}, the model's vocabulary "
                                         "is 0 to 49: .* --vocab_size 50$"):
        check_ids(with_id(value, told), 50)


@pytest.mark.parametrize("told", [None, 60, 50, 40])
def test_ids_that_the_model_has_are_taken(with_id, told):
    check_ids(with_id(49, told), 50)


def test_a_small_file_is_read_whatever_its_meta_says(with_id, monkeypatch):
    monkeypatch.setattr(sources, "READ_THROUGH", 11)
    with pytest.raises(ValueError, match="from 0 to 50"):
        check_ids(with_id(50, 40), 50)


def test_a_large_file_whose_meta_fits_is_not_read(with_id, monkeypatch):
    monkeypatch.setattr(sources, "READ_THROUGH", 10)
    tokens = with_id(50, 50)
    monkeypatch.setattr(TokenFile, "id_range", None)
    check_ids(tokens, 50)
