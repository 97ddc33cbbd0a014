"""Folders of datasets' save_to_disk are read as they were saved, or refused."""

import json
import os

import pyarrow as pa
import pytest

from data_tools.reading.corpus import CorpusReport, iter_documents
from data_tools.reading.file_list import FileList


def texts(*paths, **options):
    files = FileList.find(paths, suffixes=[".py"], **options)
    return [d.text for d in iter_documents(files, json_key="content", report=CorpusReport())]


def save(folder, shards, **state):
    """Write a folder as datasets does; `state` overrides entries of state.json."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05}-of-{len(shards):05}.arrow" for i in range(len(shards))]
    for name, rows in zip(names, shards, strict=True):
        table = pa.table({"path": ["x.py"] * len(rows), "content": rows})
        with pa.OSFile(str(folder / name), "wb") as file:
            with pa.ipc.new_stream(file, table.schema) as writer:
                writer.write_table(table)
    written = {
        "_data_files": [{"filename": name} for name in names], "_fingerprint": "0123456789abcdef",
        "_format_columns": None, "_format_kwargs": {}, "_format_type": None,
        "_output_all_columns": False, "_split": None,
    }
    (folder / "state.json").write_text(json.dumps(written | state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": {}}))
    return folder


ROWS = [["first text of all", "second text of all"], ["text of the second shard"]]


def test_a_saved_dataset_is_its_files_as_listed(tmp_path):
    folder = save(tmp_path / "d", ROWS, _indices_data_files=None)
    assert texts(folder) == ROWS[0] + ROWS[1]
    assert texts(folder, exclude=["**"]) == ROWS[0] + ROWS[1]
    state = json.loads((folder / "state.json").read_text())
    state["_data_files"].reverse()
    (folder / "state.json").write_text(json.dumps(state | {"_indices_data_files": []}))
    assert texts(folder) == ROWS[1] + ROWS[0]
    # A cache file that datasets left in the folder is none of the list's.
    os.link(folder / "data-00000-of-00002.arrow", folder / "cache-1234.arrow")
    assert len(texts(folder)) == 3


def test_splits_come_in_the_order_of_their_list(tmp_path):
    save(tmp_path / "d" / "train", ROWS)
    save(tmp_path / "elsewhere", [["text of the test split"]])
    os.symlink(tmp_path / "elsewhere", tmp_path / "d" / "test")
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert texts(tmp_path / "d") == [*ROWS[0], *ROWS[1], "text of the test split"]
    assert texts(tmp_path / "d" / "test") == ["text of the test split"]
    files = FileList.find([tmp_path / "d"], suffixes=[".py"])
    assert files[2] == f"{tmp_path}/d/test/data-00000-of-00001.arrow"


def test_a_selection_by_indices_is_refused(tmp_path):
    folder = save(tmp_path / "d", ROWS, _indices_data_files=[{"filename": "indices.arrow"}])
    with pytest.raises(ValueError, match=r"save dataset\.flatten_indices\(\) instead"):
        texts(folder)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"_data_files": [{"filename": "gone.arrow"}]}, "'gone.arrow', which is not there"),
        ({"_data_files": [{"filename": "../state.json"}]}, "expected a name inside its folder"),
        ({"_data_files": [{}]}, "lists None, expected a name"),
        ({"_data_files": None}, "has no list '_data_files'"),
    ],
)
def test_lists_that_do_not_hold_are_refused(tmp_path, state, message):
    with pytest.raises(ValueError, match=message):
        texts(save(tmp_path / "d", ROWS, **state))


def test_damaged_lists_are_refused(tmp_path):
    folder = save(tmp_path / "d" / "train", ROWS)
    for content in ("{broken", '["a list"]'):
        (folder / "state.json").write_text(content)
        with pytest.raises(ValueError, match="state.json of a saved dataset cannot be read"):
            texts(folder)
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train", "valid"]}')
    (folder / "state.json").unlink()
    with pytest.raises(ValueError, match="lists the split 'train', where no dataset is saved"):
        texts(tmp_path / "d")


def test_an_ordinary_folder_with_a_state_file_is_an_ordinary_folder(tmp_path):
    (tmp_path / "state.json").write_text("{}")
    (tmp_path / "a.py").write_text("some text of a file")
    assert texts(tmp_path) == ["some text of a file"]
