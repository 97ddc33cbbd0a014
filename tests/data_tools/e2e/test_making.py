import hashlib
import json

import numpy as np
import pytest

from data_tools import create_e2e_data
from data_tools.e2e.records import E2ERecords
from data_tools.tokenizing.tokenizer import Tokenizer

PAIRS = "name : A | Type : pub||A is a pub .\nname : B||B .\nname : A | Type : pub||It is A .\n"


def records(folder, name="x.jsonl"):
    return [json.loads(line) for line in (folder / "out" / name).open(encoding="utf-8")]


def test_a_record_has_the_ids_and_the_texts(make, tmp_path, tokenizer):
    assert make(PAIRS) == 0
    first, second, _ = records(tmp_path)
    end = tokenizer.eos_token_id
    assert first == {
        "context": [*tokenizer.encode("name : A | Type : pub").tolist(), end],
        "completion": [*tokenizer.encode(" A is a pub .").tolist(), end],
        "context_text": "name : A | Type : pub", "completion_text": "A is a pub ."}
    assert second["context_text"] == "name : B"
    assert records(tmp_path, "x_formatted.jsonl")[1] == {
        "context": "name : B", "completion": "B ."}
    beside = Tokenizer.load(tmp_path / "out" / "tokenizer")
    assert beside.fingerprint() == tokenizer.fingerprint()


def test_a_folder_has_the_records_of_one_tokenizer(make, tmp_path, tokenizer, capsys):
    assert make(PAIRS) == make(PAIRS) == 0
    before = (tmp_path / "out" / "x.jsonl").read_bytes()
    tokenizer.with_added_tokens(["<new>"]).save(tmp_path / "other")
    assert make(PAIRS, "--tokenizer", tmp_path / "other") == 2
    assert "is another tokenizer than" in capsys.readouterr().err
    assert (tmp_path / "out" / "x.jsonl").read_bytes() == before


def test_end_tokens_can_be_left_out(make, tmp_path, tokenizer):
    assert make(PAIRS, "--add_bos", "false", "--add_eos", "false") == 0
    for record in records(tmp_path):
        assert record["context"] == tokenizer.encode(record["context_text"]).tolist()
        assert record["completion"] == tokenizer.encode(" " + record["completion_text"]).tolist()


def test_nothing_is_written_for_what_cannot_be_used(make, tmp_path, capsys):
    assert make("a||b\nno bars\n") == 2
    assert "pairs.txt, line 2: expected" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert make("mr,ref\nname[A],A .\n", name="pairs.csv") == 0
    before = (tmp_path / "out" / "x.jsonl").read_bytes()
    assert make("a||\n") == 2
    assert (tmp_path / "out" / "x.jsonl").read_bytes() == before


def test_the_output_is_json_lines(make, tmp_path, capsys):
    with pytest.raises(SystemExit):
        make(PAIRS, "--output_file", tmp_path / "x.json")
    assert "expected a name that ends in .jsonl" in capsys.readouterr().err


def test_the_published_ids(in_process, e2e_dir, gpt2_dir, tmp_path):
    output = tmp_path / "test.jsonl"
    assert create_e2e_data.main([
        "--input_path", f"{e2e_dir}/test.txt", "--output_file", str(output),
        "--tokenizer", str(gpt2_dir)]) == 0
    found = [json.loads(line) for line in output.open(encoding="utf-8")]
    assert found[0]["context"] == [3672, 1058, 4518, 43537, 930, 5994, 1058, 6891, 6128, 930, 1989,
                                   1058, 1748, 7372, 50256]
    assert found[0]["completion"] == [317, 6891, 6128, 287, 262, 1748, 7372, 1989, 1444, 4518,
                                      43537, 764, 50256]
    ids = np.array([one for record in found for one in record["context"] + record["completion"]],
                   "<i4")
    assert len(ids) == 314_410
    assert hashlib.sha256(ids.tobytes()).hexdigest()[:16] == "8e915522ec70dfc5"
    read = E2ERecords(output)
    assert len(read) == 4693 and len(read.distinct()) == 630 and max(read.lengths) < 512
