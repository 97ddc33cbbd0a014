"""Files of training data, and flags, that inspect refuses."""

import pytest

from data_tools.inspect import main


def test_records_that_a_run_refuses_are_all_named(look, tmp_path):
    rows = [{"instruction": "I", "output": ""}, {"instruction": "I"},
            {"instruction": "J", "output": ""}, {"instruction": "", "output": "O"}]
    found = look("x.json", rows, "--json", code=1)
    assert found["records"] == 2 and found["left_out"] == {"output is empty": [0, 2]}
    place = f"{tmp_path / 'x.json'}, record"
    told = [f"{place} 2: output is missing, expected a text",
            f"{place} 4: instruction is '', expected a text that is not blank"]
    assert found["refused"] == told
    out = look("x.json", rows, code=1)
    assert out[3:6] == ["a run refuses the file for 2 more records:", *(f"  {one}" for one in told)]


@pytest.mark.parametrize(("name", "content", "told"), [
    ("x.jsonl", '{"instruction": "I"}\n', "x.jsonl, line 1: output is missing, expected a text"),
    ("x.jsonl", '{"question": "I"}\n', "x.jsonl, line 1: expected the fields of an instruction"),
    ("x.json", "[]", "x.json holds no records"),
    ("x.json", '[{"text": "a", "label": "b"}]', "x.json: expected a name that ends in .csv"),
    ("x.json", '[{"instruction": "I", "output": "O"}, 5]', "x.json, record 2: it holds no JSON"),
    ("x.tsv", "ham\tx\nham\n", "x.tsv, line 2: expected 2 columns, got 1"),
    ("x.tsv", "ham\t \n", "x.tsv, line 1: the text is empty"),
])
def test_what_cannot_be_read_is_one_line(look, name, content, told):
    error = look(name, content, code=2)
    assert told in error and error.startswith("error: ") and error.count("\n") == 1


@pytest.mark.parametrize(("flags", "told"), [
    ("x.json --verify", "--verify is for token files, and x.json is none"),
    ("x.csv --document 3", "--document is for token files, and x.csv is none"),
    ("x.parquet --seq_length 9", "--seq_length needs --tokenizer"),
    ("x --text_column a", "--text_column is for a file of texts with labels"),
    ("x_skipped.jsonl --label_column a", "--label_column is for a file of texts with labels"),
    ("x.csv --plot x.pdf", "expected a name that ends in .png or .svg"),
    ("x.csv --seed 3", "--seed shuffles the samples"),
])
def test_flags_that_do_not_go_together(flags, told, capsys):
    with pytest.raises(SystemExit, match="2"):
        first, *rest = flags.split()
        main([*rest, first])
    assert told in capsys.readouterr().err
