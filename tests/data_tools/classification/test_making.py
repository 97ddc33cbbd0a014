"""create_classification_data: what it writes, byte for byte, and what it says."""

import json

import pytest

from data_tools import create_classification_data
from data_tools.classification.labels import names_of, read_names


@pytest.fixture
def make(tmp_path, capsys):
    """(exit code, standard error) of the command on a file's content."""

    def run(content: str, *flags, name="texts.tsv"):
        (tmp_path / name).write_text(content, encoding="utf-8")
        code = create_classification_data.main([
            "--input_path", str(tmp_path / name), "--output_dir", str(tmp_path / "out"), *flags])
        return code, capsys.readouterr().err

    return run


def lines(path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_rows_are_balanced_split_and_numbered(make, tmp_path):
    texts = [f"ham\th{number}" for number in range(30)] + [f"spam\ts{n}" for n in range(10)]
    code, said = make("\n".join(texts))
    assert code == 0
    assert "read 40 texts (ham 30, spam 10), kept 20" in said
    assert json.loads((tmp_path / "out" / "labels.json").read_text()) == {
        "labels": ["ham", "spam"]}
    found = {name: lines(tmp_path / "out" / f"{name}.csv")
             for name in ("train", "validation", "test")}
    assert [len(rows) - 1 for rows in found.values()] == [14, 2, 4]
    rows = [row for own in found.values() for row in own[1:]]
    assert len({*rows}) == 20 and all(own[0] == "Label,Text" for own in found.values())
    assert sum(row.startswith("1,s") for row in rows) == 10
    assert sum(row.startswith("0,h") for row in rows) == 10


def test_another_seed_draws_others_and_the_same_the_same(make, tmp_path):
    texts = "\n".join(f"{'ab'[n % 3 == 0]}\t{n}" for n in range(60))
    tables = []
    for seed in ("1", "2", "1"):
        assert make(texts, "--seed", seed)[0] == 0
        tables.append((tmp_path / "out" / "train.csv").read_bytes())
    assert tables[0] == tables[2] != tables[1]


def test_without_balance_and_with_other_shares(make, tmp_path):
    code, said = make('text,label\n"a, ""b""",x\nc,y\nc,y\nc,y\n', "--balance", "none",
                      "--split", "2,1,1", name="t.csv")
    assert code == 0 and "kept 4" in said
    rows = [row for name in ("train", "validation", "test")
            for row in lines(tmp_path / "out" / f"{name}.csv")[1:]]
    assert sorted(rows) == ['0,"a, ""b"""', "1,c", "1,c", "1,c"]
    assert "1 of which stand in train.csv too" in said


@pytest.mark.parametrize(("content", "flags", "told"), [
    ("ham\tx\nham\ty\n", [], "has the label ham only"),
    ("ham\tx\nham\n", [], "texts.tsv, line 2: expected 2 columns, got 1"),
])
def test_an_input_that_cannot_be_used(make, tmp_path, content, flags, told):
    code, said = make(content, *flags)
    assert code == 2 and told in said
    assert not (tmp_path / "out" / "train.csv").exists()


@pytest.mark.parametrize("flags", [["--split", "1,2"], ["--split", "a"], ["--seed", "-1"],
                                   ["--split", "0,0,0"], ["--balance", "most"]])
def test_flags_are_checked(flags, capsys):
    with pytest.raises(SystemExit):
        create_classification_data.parse(["--input_path", "x", "--output_dir", "y", *flags])
    assert flags[0] in capsys.readouterr().err


def test_names_of_numbers_are_in_their_order():
    assert names_of(["10", "9", "9", "-1"]) == ("-1", "9", "10")
    assert names_of(["b", "10", "a"]) == ("10", "a", "b")


@pytest.mark.parametrize("content", ["[]", '{"labels": ["a"]}', '{"labels": ["a", "a"]}',
                                     '{"labels": [1, 2]}', "{}"])
def test_names_that_are_none_are_refused(tmp_path, content):
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(ValueError, match="labels"):
        read_names(tmp_path)


@pytest.mark.parametrize(("flags", "ids"), [([], 31_821), (["--legacy_quoting"], 31_779)])
def test_the_splits_of_the_sms_collection(gpt2_dir, tmp_path, flags, ids):
    """Golden numbers, made with pandas and GPT-2's tokenizer."""
    from data_tools.classification.examples import LabelledExamples
    from data_tools.tokenizing.tokenizer import Tokenizer

    collection = gpt2_dir.parent / "spam" / "SMSSpamCollection.tsv"
    if not collection.exists():
        pytest.skip(f"the SMS collection is not in {collection.parent}; set GPT_SHARED_DATA")
    assert create_classification_data.main([
        "--input_path", str(collection), "--output_dir", str(tmp_path), *flags]) == 0
    splits = [LabelledExamples(str(tmp_path / f"{name}.csv"))
              for name in ("train", "validation", "test")]
    assert [len(one) for one in splits] == [1045, 149, 300]
    assert [int(one.classes.sum()) for one in splits] == [517, 79, 151]
    assert splits[0].names == ("ham", "spam")
    splits[0].encode(Tokenizer.load(gpt2_dir))
    assert (splits[0].longest, int(splits[0].inputs.sum())) == (120, ids)
