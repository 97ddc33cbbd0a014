"""Token files are written completely or not at all, and opened only where all counts agree."""

import json

import numpy as np
import pytest

from data_tools.token_files import token_file
from data_tools.token_files.meta import ids_dtype
from data_tools.token_files.token_file import TokenFile, find_prefixes
from data_tools.token_files.writer import TokenFileWriter
from data_tools.tokenizing.tokenizer import Tokenizer

DOCUMENTS = [[5, 6, 7], [1], [9, 9]]


def write(prefix, documents=DOCUMENTS, vocab_size=10, tokenizer=None):
    with TokenFileWriter(prefix, vocab_size, tokenizer) as writer:
        for ids in documents:
            writer.append(np.array(ids))
    return str(prefix)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("vocab_size", "dtype"), [(65534, np.uint16), (65535, np.int32)])
def test_what_is_written_is_paddlenlps_format(tmp_path, vocab_size, dtype):
    write(tmp_path / "x", vocab_size=vocab_size)
    ids = np.load(tmp_path / "x_ids.npy", allow_pickle=False)
    index = np.load(tmp_path / "x_idx.npz", allow_pickle=False)
    assert ids.dtype == dtype and ids.tolist() == [5, 6, 7, 1, 9, 9]
    assert index["lens"].dtype == np.int32 and index["lens"].tolist() == [3, 1, 2]
    assert index["docs"].dtype == np.int64 and index["docs"].tolist() == [0, 1, 2, 3]
    assert names(tmp_path) == ["x_ids.npy", "x_idx.npz", "x_meta.json"]


def test_reading_back(tmp_path, tokenizer):
    data = TokenFile.open(write(tmp_path / "x", vocab_size=300, tokenizer=tokenizer))
    assert [data.document(i).tolist() for i in range(len(data))] == DOCUMENTS
    assert data.document_offsets.tolist() == [0, 3, 4, 6]
    assert data.document_offsets.dtype == np.int64
    assert data.document_sizes.dtype == np.int32 and data.document_sizes.tolist() == [3, 1, 2]
    assert isinstance(data.ids, np.memmap)
    stored = Tokenizer.load(tmp_path / data.meta["tokenizer"])
    assert stored.fingerprint() == data.meta["tokenizer_fingerprint"] == tokenizer.fingerprint()
    with pytest.raises(ValueError, match="document 3 of"):
        data.document(3)


def test_id_range_looks_at_every_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(token_file, "SCAN_CHUNK", 4)
    for place in range(6):
        ids = [1] * 6
        ids[place] = 8
        assert TokenFile.open(write(tmp_path / "x", [ids])).id_range() == (0, 8)


def test_the_header_grows_in_place(tmp_path):
    # numpy would write the same bytes, had it known the length beforehand.
    ids = np.arange(123_457) % 60_000
    write(tmp_path / "x", [ids], vocab_size=60_000)
    np.save(tmp_path / "y.npy", ids.astype(np.uint16))
    assert (tmp_path / "x_ids.npy").read_bytes() == (tmp_path / "y.npy").read_bytes()


@pytest.mark.parametrize("ids", [[3, 10], [-1], [], [[1, 2]], [1.5]])
def test_a_bad_document_leaves_the_earlier_run_untouched(tmp_path, ids):
    write(tmp_path / "x")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=r"outside the vocabulary of 10|one row of 1 to"):
        write(tmp_path / "x", [[1, 2], ids])
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_exception_or_nothing_at_all_leaves_no_files(tmp_path):
    with pytest.raises(KeyError), TokenFileWriter(tmp_path / "x", 10) as writer:
        writer.append(np.array([1]))
        raise KeyError
    with pytest.raises(ValueError, match="no documents"):
        write(tmp_path / "x", [])
    assert names(tmp_path) == []


def test_a_failure_while_finishing_leaves_no_files(tmp_path, tokenizer, monkeypatch):
    def full_disk(self, directory):
        raise OSError("no space left on device")

    monkeypatch.setattr(Tokenizer, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        write(tmp_path / "x", vocab_size=300, tokenizer=tokenizer)
    assert names(tmp_path) == []


def test_a_new_run_replaces_everything_of_the_old_one(tmp_path, tokenizer):
    write(tmp_path / "x", vocab_size=300, tokenizer=tokenizer)
    (tmp_path / "x_tokenizer" / "stale.txt").write_text("old")
    write(tmp_path / "x", [[4, 4]], vocab_size=300, tokenizer=tokenizer)
    assert "stale.txt" not in names(tmp_path / "x_tokenizer")
    assert TokenFile.open(tmp_path / "x").ids.tolist() == [4, 4]
    write(tmp_path / "x", [[4, 4]])
    assert names(tmp_path) == ["x_ids.npy", "x_idx.npz", "x_meta.json"]


def save(prefix, ids=(5, 6, 7, 1), lens=(3, 1), docs=(0, 1, 2), dtypes="u2 i4 i8", **extra):
    types = dtypes.split()
    np.save(f"{prefix}_ids.npy", np.array(ids, types[0]))
    arrays = {"lens": np.array(lens, types[1]), "docs": np.array(docs, types[2])} | extra
    np.savez(f"{prefix}_idx.npz", **{k: v for k, v in arrays.items() if v is not None})


def test_files_made_by_paddlenlp_open(tmp_path):
    save(tmp_path / "x", (1, 2, 3, 4, 5), (2, 0, 2, 1), (0, 2, 2, 4))
    data = TokenFile.open(tmp_path / "x")
    assert data.meta is None
    assert [data.document(i).tolist() for i in range(3)] == [[1, 2], [], [3, 4, 5]]


@pytest.mark.parametrize("extra", [{}, {"docs": np.array([0, 2], np.int64)}])
def test_the_legacy_single_file_opens(tmp_path, extra):
    ids, lens = np.array([1, 2, 3], np.int32), np.array([2, 1], np.int32)
    np.savez(tmp_path / "x_ids.npz", ids=ids, lens=lens, **extra)
    data = TokenFile.open(tmp_path / "x")
    assert data.document(0).tolist() == ([1, 2, 3] if extra else [1, 2])
    assert find_prefixes(tmp_path) == [str(tmp_path / "x")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lens": (3, 2)}, "counts 5 tokens but the ids file holds 4"),
        ({"lens": (5, -1)}, "negative length -1"),
        ({"docs": (0, 1)}, "docs does not rise"),
        ({"docs": (1, 2)}, "docs does not rise"),
        ({"docs": (0, 2, 1, 2)}, "docs does not rise"),
        ({"docs": ()}, "docs does not rise"),
        ({"dtypes": "i8 i4 i8"}, "expected one row of uint16 or int32"),
        ({"dtypes": "u2 i8 i8"}, "lens holds int64"),
        ({"dtypes": "u2 i4 i4"}, "docs holds int32"),
        ({"ids": ((1, 2), (3, 4))}, r"uint16 \(2, 2\), expected one row"),
        ({"ids": 5}, r"uint16 \(\), expected one row"),
        ({"dtypes": ">u2 i4 i8"}, "holds big-endian uint16"),
        ({"dtypes": "u2 >i4 i8"}, "lens holds big-endian int32"),
        ({"dtypes": "f4 i4 i8"}, "holds float32"),
        ({"dtypes": "S2 i4 i8"}, r"holds values of type '\|S2'"),
        ({"dtypes": "u2 O i8"}, "lens holds Python objects"),
        ({"docs": (0, 1, 2), "lens": (3, 1), "ids": ()}, "counts 4 tokens .* holds 0"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(tmp_path, arguments, message):
    save(tmp_path / "x", **arguments)
    with pytest.raises(ValueError, match=message):
        TokenFile.open(tmp_path / "x")


def test_missing_arrays_and_files_are_named(tmp_path):
    for name in ("lens", "docs"):
        save(tmp_path / "x")
        arrays = dict(np.load(tmp_path / "x_idx.npz"))
        del arrays[name]
        np.savez(tmp_path / "x_idx.npz", **arrays)
        with pytest.raises(ValueError, match=f"x_idx.npz has no array '{name}'"):
            TokenFile.open(tmp_path / "x")
    for name in ("x_idx.npz", "x_ids.npy"):
        save(tmp_path / "x")
        (tmp_path / name).unlink()
        with pytest.raises(ValueError, match=f"{name} is missing"):
            TokenFile.open(tmp_path / "x")


@pytest.mark.parametrize("name", ["x_ids.npy", "x_idx.npz"])
def test_cut_and_foreign_files_are_named(tmp_path, name):
    save(tmp_path / "x")
    whole = (tmp_path / name).read_bytes()
    for content in (b"", b"no array", whole[:20], whole[:-3]):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name) as caught:
            TokenFile.open(tmp_path / "x")
        assert "\n" not in str(caught.value)


def test_a_cut_ids_file_tells_both_lengths(tmp_path):
    save(tmp_path / "x")
    whole = (tmp_path / "x_ids.npy").read_bytes()
    (tmp_path / "x_ids.npy").write_bytes(whole[:-3])
    with pytest.raises(ValueError, match="is 133 bytes long but its header announces 136"):
        TokenFile.open(tmp_path / "x")


def test_meta_of_another_run_or_version_is_refused(tmp_path):
    prefix = write(tmp_path / "x")
    path = tmp_path / "x_meta.json"
    meta = json.loads(path.read_text())
    for change, message in [
        ({"tokens": 7}, "counts 7 tokens in 3 documents but the data holds 6 in 3"),
        ({"format_version": 2}, "format version 2, this code reads 1"),
    ]:
        path.write_text(json.dumps(meta | change))
        with pytest.raises(ValueError, match=message):
            TokenFile.open(prefix)
    for broken in ("{", "[]", "{}"):
        path.write_text(broken)
        with pytest.raises(ValueError, match="meta.json cannot be read|format_version is missing"):
            TokenFile.open(prefix)


def test_prefixes_are_found_sorted_and_by_any_of_their_names(tmp_path):
    prefixes = [write(tmp_path / name) for name in ("b", "a")]
    (tmp_path / "other.npy").write_bytes(b"")
    assert find_prefixes(tmp_path) == sorted(prefixes)
    for name in ("a", "a_ids.npy", "a_idx.npz"):
        assert find_prefixes(tmp_path / name) == [prefixes[1]]
    for wrong in (tmp_path / "gone", tmp_path / "other.npy"):
        with pytest.raises(ValueError, match="no data in .*bash scripts/process_data.sh"):
            find_prefixes(wrong)


def test_prefix_and_vocabulary_are_checked():
    with pytest.raises(ValueError, match="must end in a name"):
        TokenFileWriter("folder/", 10)
    with pytest.raises(ValueError, match="must be positive"):
        TokenFileWriter("x", 0)
    assert ids_dtype(1) == np.uint16


def test_a_vocabulary_that_no_type_holds():
    with pytest.raises(ValueError, match="3000000000 tokens does not fit"):
        ids_dtype(3_000_000_000)


def test_what_a_killed_process_left_is_removed_and_not_taken(tmp_path, tokenizer):
    left = tmp_path / ".x.0123abcd.tmp"
    (left / "tokenizer").mkdir(parents=True)
    (left / "tokenizer" / "tokenizer.json").write_text("of another run")
    write(tmp_path / "x", vocab_size=300, tokenizer=tokenizer)
    assert Tokenizer.load(tmp_path / "x_tokenizer").fingerprint() == tokenizer.fingerprint()
    assert names(tmp_path) == ["x_ids.npy", "x_idx.npz", "x_meta.json", "x_tokenizer"]
