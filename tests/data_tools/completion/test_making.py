"""The command from files to records: splits, ends, languages, and what it refuses."""

import json
import os
import shutil

import pytest

from data_tools.tokenizing.tokenizer import Tokenizer


def texts(dataset, records, label):
    """The text of each window, with <end> where the end token is."""
    eos = dataset.tokenizer.eos_token_id
    return [dataset.tokenizer.decode([i for i in one["token_ids"] if i != eos])
            + "<end>" * (one["token_ids"][-1] == eos)
            for one in records if one["label"] == label]


def test_windows_of_every_file_with_its_language_and_one_end(make, tree):
    data = make("out")
    eos = data.tokenizer.eos_token_id
    for record in data.train + data.dev:
        assert list(record) == ["token_ids", "label"]
        assert 8 <= len(record["token_ids"]) <= 40 and eos not in record["token_ids"][:-1]
    for label, pattern, files in (("Python", "m*.py", 20), ("Java", "M*.java", 6)):
        windows = texts(data, data.train, label) + texts(data, data.dev, label)
        assert sum(text.endswith("<end>") for text in windows) == files
        assert data.meta["languages"][label.lower()]["files"] == files
        sources = [path.read_text() + "<end>" for path in tree.rglob(pattern)]
        assert all(any(text.replace("\ufffd", "") in source for source in sources)
                   for text in windows)
    first = tree / "src" / "m1.py"
    tokens = [*data.tokenizer.encode(first.read_text()).tolist(), eos]
    rows = [one["token_ids"] for one in data.train + data.dev]
    for start in (0, 15, 30):
        assert tokens[start:start + 40] in rows


def test_the_split_is_by_file(make, tree):
    data = make("out", "--dev_size", 0.25)

    def numbers(records, label, name):
        return {i for text in texts(data, records, label) for i in range(20)
                if name.format(i) in text}

    for label, name, files, dev in (("Python", "def add_{}(", 20, 5), ("Java", "M{} {{", 6, 2)):
        here, there = numbers(data.train, label, name), numbers(data.dev, label, name)
        assert not here & there and len(here | there) == files and len(there) == dev


def test_the_split_by_window_leaks_and_says_so(make, capsys):
    data = make("out", "--split", "window", "--dev_size", 0.25)
    assert "results on dev are too good" in capsys.readouterr().out
    total = len(data.train) + len(data.dev)
    assert abs(len(data.dev) - total / 4) <= 1
    starts = [{text.split("(")[0] for text in texts(data, records, "Python") if "add_1" in text}
              for records in (data.train, data.dev)]
    assert starts[0] & starts[1]


def test_equal_bytes_for_a_seed_whatever_the_folders_and_workers(make, tree):
    first = make("one", "--seed", 5).bytes()
    assert make("two", "--seed", 5, "--workers", 1).bytes() == first
    # The same files, made anew in another order: the file system lists them otherwise.
    for path in sorted((tree / "src").iterdir(), reverse=True):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    assert make("three", "--seed", 5).bytes() == first
    other = make("four", "--seed", 6)
    assert other.bytes()["dev.jsonl"] != first["dev.jsonl"]


def test_files_go_to_dev_by_their_text_not_their_place(make, tree):
    before = {json.dumps(one) for one in make("one").dev}
    shutil.move(tree / "src", tree / "renamed")
    after = make("two", inputs=("jv", "renamed", "cve"))
    assert {json.dumps(one) for one in after.dev} == before


def test_legacy_ends_are_for_training_to_add(make):
    data = make("out", "--eos", "every_window")
    eos = data.tokenizer.eos_token_id
    assert all(eos not in one["token_ids"] for one in data.train + data.dev)
    assert data.meta["eos"] == "every_window" and not data.meta["append_eos"]


def test_equal_files_are_kept_once_if_asked(make, tree):
    (tree / "cve" / "copy.py").write_bytes((tree / "src" / "m1.py").read_bytes())
    assert make("all").meta["languages"]["python"]["files"] == 21
    data = make("once", "--deduplicate")
    assert data.meta["languages"]["python"]["files"] == 20
    skipped = (data.folder / "skipped.jsonl").read_text()
    assert json.loads(skipped)["reason"] == "duplicate"


def test_the_smallest_file_is_kept(make, tree):
    (tree / "tiny").mkdir()
    (tree / "tiny" / "a.py").write_text("x\n")
    data = make("out", inputs=("tiny", "src"))
    assert any(text == "x\n<end>" for text in texts(data, data.train + data.dev, "Python"))


def test_control_tokens_follow_the_vocabulary(make, tokenizer):
    data = make("out")
    size = tokenizer.vocab_size
    assert [data.tokenizer.special_tokens[token] for token in ("<pad>", "<python>", "<java>")] == [
        size, size + 1, size + 2]
    assert data.tokenizer.special_tokens_map["pad_token"] == "<pad>"
    assert data.meta["vocab_size"] == size + 3 == data.tokenizer.vocab_size
    assert data.meta["tokenizer_fingerprint"] == data.tokenizer.fingerprint()


def test_the_ids_of_the_source_project(make, gpt2_dir, tree):
    data = make("out", "--tokenizer", gpt2_dir)
    assert [data.tokenizer.special_tokens[token] for token in ("<pad>", "<python>", "<java>")] == [
        50257, 50258, 50259]
    assert data.meta["vocab_size"] == 50260
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(data.folder / "tokenizer")
    assert (len(theirs), theirs.pad_token_id, theirs.eos_token_id) == (50260, 50257, 50256)
    assert theirs.encode("<python>") == [50258]


def test_a_language_of_ones_own_and_records_of_one_language(make, tree):
    (tree / "zig").mkdir()
    (tree / "zig" / "a.zig").write_text("const x = 1;\n" * 9)
    (tree / "fixes.jsonl").write_text(json.dumps({"text": "int fixed() { return 1; }\n"}) + "\n")
    data = make("out", "--languages", "zig", "--language_suffixes", "zig=.zig",
                inputs=("zig", "fixes.jsonl"))
    assert {one["label"] for one in data.train + data.dev} == {"Zig"}
    assert data.meta["languages"]["zig"]["files"] == 2
    mixed = make("mixed", inputs=("src", "jv", "fixes.jsonl"))
    assert mixed.meta["source"]["skipped"] == {"of none of the languages": 1}


def test_one_file_leaves_dev_empty_with_a_warning(make, tree, capsys):
    data = make("out", "--languages", "python", inputs=("src/m1.py",))
    assert data.dev == [] and data.train
    assert "of python there is only one different file" in capsys.readouterr().err


@pytest.mark.parametrize(("inputs", "flags", "said"), [
    (("nowhere",), (), "nowhere' does not exist"),
    (("empty",), (), "(--languages changes that)"),
    (("src",), ("--languages", "python,go"), "no go files in"),
])
def test_what_is_not_there_is_one_line_and_nothing_is_written(
        make, tree, capsys, inputs, flags, said):
    (tree / "empty").mkdir()
    assert make("out", *flags, inputs=inputs) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
    assert not (tree / "out" / "json").exists()


@pytest.mark.parametrize(("flags", "said"), [
    (("--languages", "pyhton"), "the nearest one is 'python'"),
    (("--stride", 41), "--stride 41 is more than --segment_len 40"),
    (("--stride", 0), "--stride must be at least 1"),
    (("--dev_size", 1), "--dev_size: 1.0 is not between 0 and 1"),
    (("--fim_rate", 0.5, "--segment_len", 31), "--fim_rate needs windows of at least 32 tokens"),
    (("--split", "line"), "invalid choice"),
])
def test_flags_that_make_no_sense(make, capsys, flags, said):
    with pytest.raises(SystemExit, match="2"):
        make("out", *flags)
    assert said in capsys.readouterr().err


def test_an_earlier_dataset_is_replaced_and_other_files_are_not(make, tree, capsys):
    make("out")
    make("out", "--seed", 8)
    (tree / "out" / "json" / "mine.txt").write_text("keep\n")
    assert make("out") == 2
    assert "mine.txt, which this command did not make" in capsys.readouterr().err
    assert (tree / "out" / "json" / "mine.txt").exists()


def test_a_failure_leaves_the_earlier_dataset(make, tree, monkeypatch):
    before = make("out").bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    assert make("out", "--seed", 8) == 2
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in (tree / "out" / "json").iterdir()
            if path.is_file()} == before


def test_a_tokenizer_is_trained_where_none_is_given(in_process, tree, make):
    from data_tools import create_completion_data

    assert create_completion_data.main([
        "--input_path", str(tree / "src"), "--vocab_size", "300", "--quiet", "--output_dir",
        str(tree / "out")]) == 0
    assert Tokenizer.load(tree / "out" / "json" / "tokenizer").special_tokens["<python>"] >= 257
