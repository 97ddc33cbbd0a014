"""Fill-in-the-middle: cuts, orders, and the documents that create_pretraining_data writes."""

import json

import numpy as np
import pytest

from data_tools import create_pretraining_data, merge
from data_tools.fim import FimEncoder, arranged, cut, draws_of
from data_tools.preparing.flags import FIM_TOKENS
from data_tools.token_files.token_file import TokenFile, find_prefixes
from data_tools.tokenizing.tokenizer import Tokenizer

TEXTS = [f"def f_{i}(x):\n    return {i} * x  # é\n" for i in range(200)] + ["a <fim_middle> b\n"]


def cuts(text="abcdef", rate=1.0, spm_rate=0.5, times=4000):
    draws = np.random.default_rng(3)
    return [cut(text, draws, rate, spm_rate) for _ in range(times)]


@pytest.fixture(scope="module")
def infilling(tokenizer):
    return tokenizer.with_added_tokens(FIM_TOKENS)


def test_the_parts_are_the_document_and_both_ends_are_places():
    found = cuts("ab\r\n")
    assert all(one.prefix + one.middle + one.suffix == "ab\r\n" for one in found)
    places = {(len(one.prefix), len(one.prefix + one.middle)) for one in found}
    assert places == {(i, j) for i in range(5) for j in range(i, 5)}


def test_the_places_are_even_and_the_rates_kept():
    found = cuts(rate=0.25, spm_rate=0.75)
    done = [one for one in found if one]
    assert 0.22 < len(done) / len(found) < 0.28
    assert 0.7 < np.mean([one.spm for one in done]) < 0.8
    counts = np.bincount([place for one in done for place in
                          (len(one.prefix), len(one.prefix + one.middle))], minlength=7)
    assert (abs(counts / counts.sum() - 1 / 7) < 0.03).all()


@pytest.mark.parametrize(("rate", "spm_rate", "expected"), [
    (0.0, 0.5, {None}), (1.0, 0.0, {False}), (1.0, 1.0, {True}), (1.0, 0.5, {False, True})])
def test_rates_of_none_and_all(rate, spm_rate, expected):
    assert {one and one.spm for one in cuts(rate=rate, spm_rate=spm_rate, times=200)} == expected


def test_a_text_has_its_own_draws_by_the_seed():
    def first(text, seed):
        return draws_of(text, seed).random()

    assert first("a", 1) == first("a", 1)
    assert len({first(text, seed) for text in "abc" for seed in range(3)}) == 9


def test_the_two_orders():
    prefix, middle, suffix = (np.array(ids, np.uint32) for ids in ([1, 2], [3], [4, 5]))
    tokens = (90, 91, 92)  # prefix, middle, suffix
    psm = arranged(prefix, middle, suffix, False, tokens)
    spm = arranged(prefix, middle, suffix, True, tokens)
    assert psm.tolist() == [90, 1, 2, 92, 4, 5, 91, 3]
    assert spm.tolist() == [90, 92, 4, 5, 91, 1, 2, 3]
    assert psm.dtype == np.uint32


def test_the_encoder_keeps_every_byte_and_the_order_of_texts(infilling):
    ids, offsets = FimEncoder(infilling, 0.6, 0.5, 7).encode_flat(TEXTS)
    prefix, middle, suffix = (infilling.special_tokens[token] for token in FIM_TOKENS[:3])
    seen = set()
    for i, text in enumerate(TEXTS):
        row = ids[offsets[i]:offsets[i + 1]].tolist()
        if prefix not in row:
            seen.add("plain")
            assert row == infilling.encode(text).tolist()
            continue
        assert row[0] == prefix and row.count(middle) == row.count(suffix) == 1
        at, behind = row.index(middle), row.index(suffix)
        before, end, last = (infilling.decode_bytes(part).decode()
                             for part in (row[1:behind], row[behind + 1:at], row[at + 1:]))
        seen.add("SPM" if behind == 1 else "PSM")
        assert (last + end if behind == 1 else before + last + end) == text
    assert seen == {"plain", "SPM", "PSM"}


def test_an_encoder_without_texts(infilling):
    ids, offsets = FimEncoder(infilling, 0.5, 0.5, 7).encode_flat([])
    assert len(ids) == 0 and offsets.tolist() == [0]


@pytest.fixture
def prepared(in_process, source_tree, tokenizer, tmp_path):
    """Prepare the source tree into a folder with more flags; the token file."""
    tokenizer.save(tmp_path / "given")

    def prepare(name, *flags):
        assert in_process("--input_path", source_tree, "--output_prefix", tmp_path / name / "x",
                          "--tokenizer", tmp_path / "given", "--quiet", *flags) == 0
        (prefix,) = find_prefixes(tmp_path / name)[-1:]  # of a part the newest
        return TokenFile.open(prefix)

    return prepare


def test_documents_are_whole_and_end_in_the_end_token(prepared, source_tree):
    data = prepared("a", "--fim_rate", 0.5, "--fim_spm_rate", 0.25, "--seed", 9)
    told = Tokenizer.load(f"{data.prefix}_tokenizer")
    assert data.meta["source"]["fim"] == {
        "rate": 0.5, "spm_rate": 0.25, "tokens": [*FIM_TOKENS]}
    assert [told.special_tokens[token] for token in FIM_TOKENS] == list(
        range(told.vocab_size - 4, told.vocab_size))
    rows = [data.document(i).tolist() for i in range(len(data))]
    assert all(row.count(told.eos_token_id) == 1 and row[-1] == told.eos_token_id for row in rows)
    changed = [row for row in rows if told.special_tokens["<fim_prefix>"] in row]
    assert 0 < len(changed) < len(rows)
    texts = sorted(path.read_bytes() for path in source_tree.rglob("module*.py"))
    assert sorted(map(len, texts)) == sorted(len(told.decode_bytes(row)) for row in rows)


def test_the_bytes_depend_on_neither_workers_nor_the_files_order(prepared):
    flags = ("--fim_rate", 1, "--seed", 9)
    one = prepared("one", *flags, "--workers", 1)
    two = prepared("two", *flags, "--workers", 2)
    assert one.ids.tolist() == two.ids.tolist()
    in_order = prepared("three", *flags, "--no-shuffle")
    documents = [{tuple(data.document(i).tolist()) for i in range(len(data))}
                 for data in (one, in_order)]
    assert documents[0] == documents[1]
    other = prepared("four", "--fim_rate", 1, "--seed", 10)
    assert {tuple(other.document(i).tolist()) for i in range(len(other))} != documents[0]


def test_without_the_flag_there_are_no_tokens_of_it(prepared, tokenizer):
    data = prepared("a", "--fim_rate", 0)
    assert data.meta["vocab_size"] == tokenizer.vocab_size and "fim" not in data.meta["source"]


def test_a_trained_tokenizer_gets_the_tokens_too(in_process, source_tree, tmp_path):
    assert in_process("--input_path", source_tree, "--output_prefix", tmp_path / "x", "--quiet",
                      "--vocab_size", 300, "--fim_rate", 0.5) == 0
    meta = json.loads((tmp_path / "x_meta.json").read_text())
    assert meta["vocab_size"] == 304
    assert TokenFile.open(tmp_path / "x").id_range()[1] >= 300


@pytest.mark.parametrize(("flags", "said"), [
    (["--fim_rate", "1.5"], "--fim_rate: 1.5 is not from 0 to 1"),
    (["--fim_rate", "nan"], "--fim_rate: nan is not from 0 to 1"),
    (["--fim_rate", "0.5", "--fim_spm_rate", "-1"], "--fim_spm_rate: -1.0 is not from 0 to 1"),
    (["--fim_spm_rate", "0.5"], "--fim_spm_rate is for --fim_rate above 0"),
    (["--fim_rate", "0.5", "--no-append_eos"], "--fim_rate needs the end tokens"),
])
def test_refusals(flags, said, capsys):
    with pytest.raises(SystemExit, match="2"):
        create_pretraining_data.parse(flags)
    assert said in capsys.readouterr().err


def test_parts_of_several_machines_are_the_bytes_of_one(prepared, tmp_path):
    whole = prepared("whole", "--fim_rate", 0.5)
    for part in (0, 1):
        assert prepared("parts", "--fim_rate", 0.5, "--shard", f"{part}/2")
    merge.merge(str(tmp_path / "parts" / "x"))
    merged = TokenFile.open(tmp_path / "parts" / "x")
    assert merged.ids.tobytes() == whole.ids.tobytes()
    assert merged.meta["source"]["fim"] == whole.meta["source"]["fim"]
