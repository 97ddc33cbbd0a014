"""Merging parts that several machines made gives the files that one machine would have written."""

import json

import pytest

from data_tools import merge
from data_tools.splits import SPLITS, split_bounds
from data_tools.token_files.token_file import TokenFile


def prepare(in_process, source_tree, folder, tokenizer, *more):
    tokenizer.save(folder.parent / "t")
    return in_process("--input_path", source_tree, "--tokenizer", folder.parent / "t",
                      "--output_prefix", folder / "x", "--quiet", *more)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "-of-" not in str(path.relative_to(folder))}


@pytest.mark.parametrize("count", [1, 3, 30])
def test_joined_parts_equal_one_run(source_tree, tokenizer, tmp_path, in_process, count):
    """30 parts of 24 files: some have no document."""
    assert prepare(in_process, source_tree, tmp_path / "whole", tokenizer) == 0
    for index in range(count):
        assert prepare(in_process, source_tree, tmp_path / "parts", tokenizer,
                       "--shard", f"{index}/{count}") == 0
    assert merge.main([str(tmp_path / "parts" / "x")]) == 0
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert (tmp_path / "whole" / "x_skipped.jsonl").read_text().count("\n") == 4


def test_a_large_part_is_copied_piece_by_piece(
    source_tree, tokenizer, tmp_path, in_process, monkeypatch
):
    monkeypatch.setattr(merge, "CHUNK_TOKENS", 100)
    assert prepare(in_process, source_tree, tmp_path / "whole", tokenizer) == 0
    assert prepare(in_process, source_tree, tmp_path / "parts", tokenizer, "--shard", "0/1") == 0
    assert merge.main([str(tmp_path / "parts" / "x")]) == 0
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_parts_that_are_missing_or_do_not_fit(
    source_tree, tokenizer, tmp_path, in_process, capsys
):
    folder = tmp_path / "parts"
    prefix = str(folder / "x")
    assert merge.main([prefix]) == 2 and "no parts" in capsys.readouterr().err
    assert prepare(in_process, source_tree, folder, tokenizer, "--shard", "0/2") == 0
    assert merge.main([prefix]) == 2
    assert "lacks part 1 of 2 (--shard 1/2)" in capsys.readouterr().err
    assert prepare(in_process, source_tree, folder, tokenizer, "--shard", "1/2", "--seed", 8) == 0
    assert merge.main([prefix]) == 2
    assert "x-00001-of-00002 has another seed than part 0 (8, not 1234)" in capsys.readouterr().err
    assert prepare(in_process, source_tree, folder, tokenizer, "--shard", "0/1") == 0
    assert merge.main([prefix]) == 2 and "parts of [1, 2]" in capsys.readouterr().err
    assert not (folder / "x_ids.npy").exists()


def test_a_part_says_so(source_tree, tokenizer, tmp_path, in_process):
    assert prepare(in_process, source_tree, tmp_path / "p", tokenizer, "--shard", "1/3") == 0
    part = TokenFile.open(tmp_path / "p" / "x-00001-of-00003")
    assert part.meta["shard"] == [1, 3] and 0 < len(part) < 20
    skipped = (tmp_path / "p" / "x-00001-of-00003_skipped.jsonl").read_text().splitlines()
    assert len(skipped) == sum(part.meta["source"]["skipped"].values())
    assert set(json.loads(skipped[0])) == {"name", "reason"}


@pytest.mark.parametrize(("key", "value"), [
    ("source", None), ("source", {}), ("source", []), ("source", {"skipped": {"binary": "many"}}),
    ("utf8_bytes", None), ("tokenizer", None), ("vocab_size", None), ("seed", None), ("shard", {}),
])
def test_a_part_that_lies_is_refused_in_one_line(
    source_tree, tokenizer, tmp_path, in_process, capsys, key, value
):
    """None: the key is missing."""
    assert prepare(in_process, source_tree, tmp_path / "p", tokenizer, "--shard", "0/1") == 0
    capsys.readouterr()
    path = tmp_path / "p" / "x-00000-of-00001_meta.json"
    meta = json.loads(path.read_text())
    del meta[key]
    path.write_text(json.dumps(meta if value is None else meta | {key: value}))
    assert merge.main([str(tmp_path / "p" / "x")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "x-00000-of-00001" in told


def test_a_name_that_tells_of_many_parts(tmp_path, capsys):
    (tmp_path / "x-00000-of-99999999999999_meta.json").write_text("{}")
    assert merge.main([str(tmp_path / "x")]) == 2
    assert "lacks part 1 of 99999999999999" in capsys.readouterr().err


@pytest.fixture
def datasets(source_tree, tokenizer, tmp_path, in_process):
    """Two datasets of one tokenizer: 10 and 3 documents."""
    (tmp_path / "held").mkdir()
    for number in range(3):
        (tmp_path / "held" / f"{number}.py").write_text(f"held_out = {number} * {number}\n")
    for name, root in (("train", source_tree / "app"), ("valid", tmp_path / "held")):
        assert prepare(in_process, root, tmp_path / name, tokenizer) == 0
    return [str(tmp_path / name / "x") for name in ("train", "valid")]


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 1)])
def test_datasets_are_joined_with_a_split_between_them(datasets, tmp_path, capsys, order):
    prefix, sources = str(tmp_path / "whole"), [datasets[index] for index in order]
    assert merge.main([prefix, "--datasets", *sources]) == 0
    split = capsys.readouterr().out.split("--split ")[1].split()[0]
    data, shares = TokenFile.open(prefix), list(map(float, split.split(",")))
    bounds = split_bounds([share / sum(shares) for share in shares], len(data))
    assert len(bounds) == len(SPLITS) + 1
    for number, source in enumerate(map(TokenFile.open, sources)):
        own = [data.document(index).tolist() for index in range(*bounds[number : number + 2])]
        assert own == [source.document(index).tolist() for index in range(len(source))]
    opened = [TokenFile.open(source) for source in sources]
    assert len(data) == sum(map(len, opened)) == bounds[len(order)]
    assert data.meta["utf8_bytes"] == sum(one.meta["utf8_bytes"] for one in opened)
    told = [(one["prefix"], one["documents"]) for one in data.meta["source"]["datasets"]]
    assert told == [(one.prefix, len(one)) for one in opened]
    assert data.verify(data.meta["vocab_size"]) == []


def test_any_number_of_documents_is_split_where_the_datasets_meet():
    for documents in (1, 3, 7, 606_720, 10**7 + 3, 3 * 10**9 + 1):
        for held_out in (1, 2, 3_322):
            shares = [documents / (documents + held_out), held_out / (documents + held_out), 0.0]
            bounds = split_bounds(shares, documents + held_out)
            assert bounds == [0, documents, documents + held_out, documents + held_out]


def test_datasets_that_do_not_fit(datasets, source_tree, tmp_path, in_process, capsys):
    train, valid = datasets
    other = str(tmp_path / "other")
    assert in_process("--input_path", source_tree, "--tokenizer", "bytes", "--output_prefix",
                      other, "--quiet") == 0
    for words, said in (
        ([train, other], f"has another vocab_size than {train}: make it again with --tokenizer "),
        ([train, str(tmp_path / "nowhere")], "nowhere"),
    ):
        capsys.readouterr()
        assert merge.main([str(tmp_path / "w"), "--datasets", *words]) == 2
        told = capsys.readouterr().err
        assert said in told and told.count("\n") == 1 and not list(tmp_path.glob("w_*"))
    for words, said in (([train], "two or three, got 1"), ([train, valid, train, valid], "got 4"),
                        ([train, str(tmp_path / "w")], "is one of --datasets")):
        with pytest.raises(SystemExit):
            merge.main([str(tmp_path / "w"), "--datasets", *words])
        assert said in capsys.readouterr().err
