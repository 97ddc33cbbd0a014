import json

import pytest

from data_tools.e2e.decoding import first_part

PAIRS = [("a", "A1 ."), ("b", "B1 ."), ("a", "A2 ."), ("c", "C1 .")]


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


def formatted(pairs):
    return lines(*({"context": context, "completion": text} for context, text in pairs))


def files(folder, stem="beam"):
    return tuple((folder / f"{stem}_{what}.txt").read_text(encoding="utf-8")
                 for what in ("ref", "pred"))


@pytest.mark.parametrize(("text", "part"), [
    (" one . <|endoftext|> two", "one ."), ("one .\n\ntwo", "one ."), ("\n\none", ""),
    (" one\ntwo \n\n three", "one two"), ("", ""),
])
def test_texts_end_at_the_end_token_and_at_a_blank_line(text, part):
    assert first_part(text) == part


def test_references_are_grouped_and_outputs_are_in_their_order(decode, tmp_path):
    told = lines({"id": 3, "predict": " Cé .\n\n more"}, {"id": 0, "predict": "old"},
                 {"context": "b", "predict": "B <|endoftext|>!!"}, {"id": 2, "predict": "A ."})
    assert decode(told, formatted(PAIRS)) == 0
    assert files(tmp_path) == ("A1 .\nA2 .\n\nB1 .\n\nC1 .\n\n", "A .\nB\nCé .\n")


def test_ids_end_at_the_end_token(decode, tmp_path, tokenizer, capsys):
    tokenizer.save(tmp_path / "tok")
    ids = tokenizer.encode(" one two").tolist()
    told = lines({"id": 0, "predict": [*ids, tokenizer.eos_token_id, 0, 0]},
                 {"id": 1, "predict": [*ids, *tokenizer.encode("\n\n").tolist(), 0]},
                 {"id": 3, "predict": ids})
    assert decode(told, formatted(PAIRS), "--tokenizer", tmp_path / "tok") == 0
    assert files(tmp_path)[1] == "one two\n" * 3
    assert decode(told, formatted(PAIRS), "--overwrite") == 2
    assert "name their tokenizer with --tokenizer" in capsys.readouterr().err


def test_missing_and_unknown_predictions_are_told(decode, tmp_path, capsys):
    told = lines({"id": 1, "predict": "B"}, {"id": 9, "predict": "x"},
                 {"context": "z", "predict": "y"})
    assert decode(told, formatted(PAIRS)) == 0
    err = capsys.readouterr().err
    assert "2 meaning representations have no prediction" in err and "numbers 0, 3\n" in err
    assert "2 predictions belong to no pair: ids 9, z\n" in err
    assert files(tmp_path)[1] == "\nB\n\n"
    assert decode("", formatted([(str(i), "t") for i in range(7)]), "--overwrite") == 0
    assert "numbers 0, 1, 2, 3, 4 ..." in capsys.readouterr().err


def test_an_empty_reference_does_not_break_the_groups(decode, tmp_path, capsys):
    pairs = [("a", "A1"), ("a", ""), ("a", "<|endoftext|>x"), ("a", "A2"), ("b", "B1")]
    assert decode(lines({"id": 0, "predict": "A"}), formatted(pairs)) == 0
    assert files(tmp_path)[0] == "A1\nA2\n\nB1\n\n"
    assert "2 empty references are left out" in capsys.readouterr().err
    assert decode("", formatted([("a", "")]), "--overwrite") == 2
    assert "are empty" in capsys.readouterr().err


def test_files_are_not_replaced_unasked(decode, tmp_path, capsys):
    told = lines({"id": 0, "predict": "A"})
    assert decode(told, formatted(PAIRS)) == 0
    before = files(tmp_path)
    assert decode(lines({"id": 0, "predict": "other"}), formatted(PAIRS)) == 2
    assert "is there already: name another, or pass --overwrite" in capsys.readouterr().err
    assert files(tmp_path) == before
    assert decode(told, formatted(PAIRS), "--output_ref_file", tmp_path / "s_ref.txt",
                  "--output_pred_file", tmp_path / "s_pred.txt") == 0
    assert files(tmp_path, "s") == before
    assert decode(told, formatted(PAIRS), "--output_ref_file", tmp_path / "x",
                  "--output_pred_file", tmp_path / "x") == 2
    assert "would both go to" in capsys.readouterr().err


def test_style(decode, tmp_path):
    told = lines({"id": 0, "predict": "It's A."})
    assert decode(told, formatted([("a", "A-B.")]), "--tokenize", "--lower") == 0
    assert files(tmp_path) == ("a - b .\n\n", "it ' s a .\n")


@pytest.mark.parametrize("line", [
    "{", '{"predict": "a"}', '{"id": -1, "predict": "a"}', '{"id": 0}',
    '{"id": 0, "predict": [-1]}'])
def test_what_is_no_prediction(decode, capsys, line):
    assert decode(lines({"id": 0, "predict": "a"}) + line, formatted(PAIRS)) == 2
    assert "beam.jsonl, line 2: " in capsys.readouterr().err
