"""Records are read by number, as a model is controlled them, and checked line by line."""

import json

import numpy as np
import pytest

from data_tools.completion.languages import control_tokens
from data_tools.completion.records import CompletionRecords
from data_tools.preparing.flags import FIM_TOKENS

PYTHON, JAVA = 301, 302  # behind 300 tokens and <pad>


@pytest.fixture(scope="module")
def controlled(tokenizer):
    filled = [f"<filler{i}>" for i in range(300 - tokenizer.vocab_size)]
    return tokenizer.with_added_tokens([*filled, *control_tokens(()), *FIM_TOKENS])


def write(path, *records):
    path.write_text("".join(
        (one if isinstance(one, str) else json.dumps(one)) + "\n" for one in records))
    return path


def record(ids, label="Python"):
    return {"token_ids": ids, "label": label}


def meta(folder, tokenizer, eos):
    (folder / "meta.json").write_text(json.dumps({
        "format_version": 1, "eos": eos, "tokenizer_fingerprint": tokenizer.fingerprint()}))


def test_records_of_another_program_get_an_end_token(controlled, tmp_path):
    eos = controlled.eos_token_id
    file = write(tmp_path / "train.jsonl", record([5, 6, 7]), record([8], "JAVA"),
                 record([9, eos], "java"))
    with CompletionRecords(file, controlled, 256) as records:
        found = [records.input_ids(i).tolist() for i in (2, 0, 1)]
        assert found == [[JAVA, 9, eos], [PYTHON, 5, 6, 7, eos], [JAVA, 8, eos]]
        assert records.lengths.tolist() == [5, 3, 3] and len(records) == 3
        assert records.labels == {"Python", "Java"}
        assert records.input_ids(0).dtype == np.int64
        with pytest.raises(IndexError):
            records.input_ids(3)


def test_of_our_own_the_end_token_is_where_the_record_has_it(controlled, tmp_path):
    eos = controlled.eos_token_id
    file = write(tmp_path / "dev.jsonl", record([5, 6]), record([7, eos]))
    meta(tmp_path, controlled, "file")
    with CompletionRecords(file, controlled, 256) as records:
        assert [records.input_ids(i).tolist() for i in (0, 1)] == [[PYTHON, 5, 6], [PYTHON, 7, eos]]
    meta(tmp_path, controlled, "every_window")
    with CompletionRecords(file, controlled, 256) as records:
        assert records.input_ids(0).tolist() == [PYTHON, 5, 6, eos]


@pytest.mark.parametrize(("eos", "ids", "kept"), [
    ("every_window", [1, 2, 3, 4], [1, 2, 3, "end"]),
    ("every_window", [1, 2, 3, 4, 5, 6], [1, 2, 3, "end"]),
    ("every_window", [1, 2, 3], [1, 2, 3, "end"]),
    ("file", [1, 2, 3, 4, 5, 6], [1, 2, 3, 4]),
    ("file", [1, 2, 3, 4, 5, "end"], [3, 4, 5, "end"]),
    ("file", [1, 2, 3, "end"], [1, 2, 3, "end"]),
])
def test_what_is_too_long_keeps_its_end_token(controlled, tmp_path, eos, ids, kept):
    def filled(row):
        return [controlled.eos_token_id if i == "end" else i for i in row]

    file = write(tmp_path / "train.jsonl", record(filled(ids)))
    meta(tmp_path, controlled, eos)
    with CompletionRecords(file, controlled, 5) as records:
        assert records.input_ids(0).tolist() == [PYTHON, *filled(kept)]
        assert records.lengths.tolist() == [5]


@pytest.mark.parametrize(("bad", "said"), [
    ("{", "line 2: "),
    ("[1]", "it holds no JSON object"),
    ({"label": "Python"}, "token_ids is missing"),
    ({"token_ids": [1]}, "label is missing"),
    (record([]), "token_ids is a list of 0, expected a list of one or more whole numbers"),
    (record([1, True]), "token_ids is a list of 2, expected"),
    (record([1, 2.0]), "token_ids is a list of 2, expected"),
    (record([1, "2"]), "token_ids is a list of 2, expected"),
    (record([[1]]), "token_ids is a list of 1, expected"),
    (record([1, -1]), "token_ids is a list of 2, expected"),
    (record("12"), "token_ids is '12', expected"),
    (record([1, 307]), "token id 307 is outside the vocabulary of 307"),
    (record([1], 3), "label is 3, expected a text"),
    (record([1], "Rust"), "label is 'Rust', but the tokenizer has no token <rust>"),
    (record([1], "pad"), "label is 'pad'"),
    (record([1], "fim_prefix"), "label is 'fim_prefix'"),
    ('{"token_ids": [1], "token_ids": [2], "label": "Python"}', "'token_ids' is there twice"),
    ('{"token_ids": [NaN], "label": "Python"}', "NaN is no JSON"),
])
def test_a_bad_record_is_named_with_its_line(controlled, tmp_path, bad, said):
    file = write(tmp_path / "train.jsonl", record([1]), bad, record([2]))
    with pytest.raises(ValueError) as error:
        CompletionRecords(file, controlled, 256)
    assert str(error.value).startswith(f"{file}, line 2: ") and said in str(error.value)


def test_an_infilling_record_is_not_cut(controlled, tmp_path):
    ids = [controlled.special_tokens["<fim_prefix>"], 1, 2, 3, 4]
    file = write(tmp_path / "train.jsonl", record([1, 2, 3, 4, 5, 6]), record(ids))
    meta(tmp_path, controlled, "file")
    with CompletionRecords(file, controlled, 6) as records:
        assert records.input_ids(1).tolist() == [PYTHON, *ids]
    with pytest.raises(ValueError, match="line 2: .* record cannot be cut"):
        CompletionRecords(file, controlled, 5)


def test_files_that_are_no_dataset(controlled, tokenizer, tmp_path):
    with pytest.raises(ValueError, match=r"nothing.jsonl cannot be read: No such file"):
        CompletionRecords(tmp_path / "nothing.jsonl", controlled, 256)
    with pytest.raises(ValueError, match="holds no records"):
        CompletionRecords(write(tmp_path / "train.jsonl"), controlled, 256)
    meta(tmp_path, tokenizer, "file")
    with pytest.raises(ValueError, match="made with another tokenizer than the model's"):
        CompletionRecords(write(tmp_path / "train.jsonl", record([1])), controlled, 256)
    (tmp_path / "meta.json").write_text('{"format_version": 1, "eos": "never"}')
    with pytest.raises(ValueError, match="meta.json: "):
        CompletionRecords(tmp_path / "train.jsonl", controlled, 256)


def test_what_the_command_writes_is_read(make):
    data = make("out", "--fim_rate", 0.5)
    with CompletionRecords(data.folder / "train.jsonl", data.tokenizer, 41) as records:
        assert len(records) == len(data.train) == data.meta["records"]["train"]
        tokens = data.tokenizer.special_tokens
        for number in np.random.default_rng(0).permutation(len(records)).tolist():
            row, wanted = records.input_ids(number), data.train[number]
            assert row.tolist() == [tokens[f"<{wanted['label'].lower()}>"], *wanted["token_ids"]]
            assert len(row) == records.lengths[number]
        assert records.sha256 == data.meta["sha256"]["train"]
