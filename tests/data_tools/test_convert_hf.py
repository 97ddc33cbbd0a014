"""Hugging Face's data sets of ids, written here by pyarrow as datasets lays them out."""

import json

import numpy as np
import pytest

from data_tools.convert import main
from data_tools.formats import documents
from data_tools.token_files.token_file import TokenFile
from data_tools.token_files.writer import TokenFileWriter

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

ROWS = [[5, 6, 7], [1], [], [9, 9]]
READ = [[5, 6, 7], [1], [9, 9]]


def table(rows=ROWS, kind=None, name="input_ids"):
    kind = kind or arrow.list_(arrow.int32())
    return arrow.table({"id": list(range(len(rows))), name: arrow.array(rows, kind)})


@pytest.fixture
def convert(capsys, tmp_path):
    def convert(path, *flags, code=0):
        assert main(["from-hf", str(path), str(tmp_path / "y"), *flags]) == code
        shown = capsys.readouterr()
        if code:
            assert shown.err.count("\n") == 1
            return shown.err
        data = TokenFile.open(tmp_path / "y")
        return [data.document(i).tolist() for i in range(len(data))]

    return convert


def save_to_disk(folder, *tables, **state):
    folder.mkdir(parents=True)
    names = [f"data-{i:05}-of-{len(tables):05}.arrow" for i in range(len(tables))]
    for name, one in zip(names, tables, strict=True):
        with arrow.ipc.new_stream(str(folder / name), one.schema) as stream:
            stream.write_table(one, max_chunksize=2)
    content = {"_data_files": [{"filename": name} for name in names]} | state
    (folder / "state.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    "kind",
    [
        arrow.list_(arrow.int32()),
        arrow.list_(arrow.int64()),
        arrow.list_(arrow.uint16()),
        arrow.large_list(arrow.uint8()),
    ],
    ids=str,
)
def test_parquet_and_saved_folders_with_every_kind_of_list(tmp_path, convert, kind):
    parquet.write_table(table(kind=kind), tmp_path / "a.parquet", row_group_size=3)
    assert convert(tmp_path / "a.parquet") == READ
    saved = save_to_disk(tmp_path / "s", table(kind=kind), table([[4]], kind))
    assert convert(saved) == READ + [[4]]
    assert convert(saved / "data-00001-of-00002.arrow") == [[4]]
    fixed = arrow.list_(arrow.int16(), 2)
    parquet.write_table(table([[1, 2], [3, 4]], fixed), tmp_path / "f.parquet")
    assert convert(tmp_path / "f.parquet") == [[1, 2], [3, 4]]


def test_a_folder_of_parquet_in_the_order_of_names(tmp_path, convert):
    (tmp_path / "set" / "data").mkdir(parents=True)
    for name, rows in (("train-1", [[3]]), ("train-0", [[1], [2]])):
        parquet.write_table(table(rows), tmp_path / "set" / "data" / f"{name}.parquet")
    assert convert(tmp_path / "set") == [[1], [2], [3]]


def test_parquet_and_back(tmp_path, convert, monkeypatch):
    monkeypatch.setattr(documents, "BLOCK_TOKENS", 4)
    with TokenFileWriter(tmp_path / "x", 70_000) as writer:
        for ids in READ + [[69_999] * 9, [0]]:
            writer.append(np.array(ids))
    assert main(["to-hf", str(tmp_path / "x"), str(tmp_path / "a.parquet")]) == 0
    written = parquet.read_table(tmp_path / "a.parquet")
    assert written.schema.field("input_ids").type == arrow.list_(arrow.int32())
    assert written.column("input_ids").to_pylist() == READ + [[69_999] * 9, [0]]
    convert(tmp_path / "a.parquet", "--vocab_size", "70000")
    for name in ("ids.npy", "idx.npz"):
        assert (tmp_path / f"y_{name}").read_bytes() == (tmp_path / f"x_{name}").read_bytes()


def test_another_column(tmp_path, convert):
    parquet.write_table(table(name="ids"), tmp_path / "a.parquet")
    assert convert(tmp_path / "a.parquet", "--column", "ids") == READ
    error = convert(tmp_path / "a.parquet", code=2)
    assert "has no column 'input_ids', only id, ids: --column names another" in error
    error = convert(tmp_path / "a.parquet", "--column", "id", code=2)
    assert "id holds int64, expected lists of integers" in error


@pytest.mark.parametrize(
    ("rows", "kind", "message"),
    [
        ([[1], None, [2]], arrow.list_(arrow.int32()), "row 1 of input_ids is null"),
        ([[1], [2, None]], arrow.list_(arrow.int32()), "a list in rows 0 to 1 of input_ids holds"),
        ([[1.5]], arrow.list_(arrow.float32()), "holds list<element: float>, expected lists of"),
        ([[-3]], arrow.list_(arrow.int32()), "token id -3 is outside the vocabulary"),
        ([[1, 2**63]], arrow.list_(arrow.uint64()), ""),
    ],
)
def test_rows_that_are_no_ids(tmp_path, convert, rows, kind, message):
    parquet.write_table(table(rows, kind), tmp_path / "a.parquet")
    assert message in convert(tmp_path / "a.parquet", "--vocab_size", "50", code=2)
    assert not list(tmp_path.glob("y*"))


def test_an_indices_mapping_is_refused(tmp_path, convert):
    saved = save_to_disk(tmp_path / "s", table(), _indices_data_files=[{"filename": "i.arrow"}])
    error = convert(saved, code=2)
    assert "through an indices mapping (_indices_data_files)" in error
    assert "flatten_indices()" in error


def test_a_folder_of_splits_names_them(tmp_path, convert):
    for split in ("train", "test"):
        save_to_disk(tmp_path / "s" / split, table())
    (tmp_path / "s" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert "holds the splits test, train: name one" in convert(tmp_path / "s", code=2)
    assert convert(tmp_path / "s" / "train") == READ


@pytest.mark.parametrize("state", ["{", "[]", "{}", '{"_data_files": [{"filename": "../a"}]}'])
def test_a_broken_state_file_is_named(tmp_path, convert, state):
    saved = save_to_disk(tmp_path / "s", table())
    (saved / "state.json").write_text(state)
    assert "state.json does not name the data files" in convert(saved, code=2)


def test_missing_cut_and_foreign_files_are_named(tmp_path, convert):
    saved = save_to_disk(tmp_path / "s", table())
    data = saved / "data-00000-of-00001.arrow"
    whole = data.read_bytes()
    for content in (b"", b"not arrow at all", whole[:100], whole[: len(whole) // 2]):
        data.write_bytes(content)
        assert str(data) in convert(saved, code=2)
    data.unlink()
    assert "is missing, " in convert(saved, code=2)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing else")
    assert "a.parquet cannot be read" in convert(tmp_path / "a.parquet", code=2)
    (tmp_path / "a.csv").write_bytes(b"1,2")
    assert "is no data set" in convert(tmp_path / "a.csv", code=2)
