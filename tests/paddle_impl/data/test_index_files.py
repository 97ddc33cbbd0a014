"""Index files are built once, by one process, and checked whenever they are read."""

import json
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from paddle_impl.data import index_files
from paddle_impl.data.index_files import first_on_node, main_first, open_or_build
from paddle_impl.data.pretrain import PretrainDataset
from paddle_impl.parallel.ranks import Ranks, grid

KINDS = ("doc", "sample")


@pytest.fixture
def files(tmp_path):
    """open() -> (arrays, notes, whether they were built); the stem and the count of builds."""

    class Files:
        stem, built = str(tmp_path / "x_gpt_train_indexmap_3ns"), 0

        def build(self):
            self.built += 1
            return np.arange(5, dtype=np.int32), np.arange(12, dtype=np.int64).reshape(6, 2)

        def open(self, key="key"):
            before, notes = self.built, []
            arrays = open_or_build(self.stem, key, KINDS, self.build, notes)
            for found, expected in zip(arrays, Files.build(Files()), strict=True):
                assert found.dtype == expected.dtype and found.tolist() == expected.tolist()
            return arrays, notes, self.built > before

    return Files()


def test_arrays_are_built_once_and_mapped(files, tmp_path):
    assert files.open()[1:] == ([], True)
    arrays, notes, built = files.open()
    assert (notes, built) == ([], False)
    for array in arrays:
        assert type(array) is np.ndarray and not array.flags.owndata
        assert isinstance(array.base, np.memmap)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".indexmap.lock", "x_gpt_train_indexmap_3ns_doc_idx.npy",
        "x_gpt_train_indexmap_3ns_idx.json", "x_gpt_train_indexmap_3ns_sample_idx.npy",
    ]


def cut(path: Path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path):
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)


def retype(path: Path):
    np.save(path, np.load(path).astype(np.float32))


def reshape(path: Path):
    np.save(path, np.load(path).reshape(1, -1))


def longer(path: Path):
    path.write_bytes(path.read_bytes() + b"\0")


@pytest.mark.parametrize("damage", [cut, flip, retype, reshape, longer, Path.unlink])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_array_is_made_again_with_one_line(files, damage, kind):
    files.open()
    path = Path(f"{files.stem}_{kind}_idx.npy")
    damage(path)
    _, (note,), built = files.open()
    assert built and path.name in note and note.endswith("; the index files are made again")
    assert files.open()[1:] == ([], False)


@pytest.mark.parametrize("text", [
    "", "[]", "{}", "null", '{"key": "key"}', '{"key": "key", "doc": 3}', "[" * 10**5, "\x00",
])
def test_a_damaged_description_is_made_again_with_one_line(files, text):
    files.open()
    Path(f"{files.stem}_idx.json").write_text(text)
    _, (note,), built = files.open()
    assert built and "made again" in note and "\n" not in note
    assert files.open()[1:] == ([], False)


def test_files_of_something_else_are_not_used(files):
    files.open()
    _, (note,), built = files.open("another key")
    assert built and "has another key" in note


def test_an_unfinished_build_is_finished_quietly(files):
    files.open()
    Path(f"{files.stem}_idx.json").unlink()
    assert files.open()[1:] == ([], True)


def test_the_wrong_shape_in_the_description_is_noticed(files):
    files.open()
    about = Path(f"{files.stem}_idx.json")
    about.write_text(about.read_text().replace("[6, 2]", "[2, 6]"))
    _, (note,), built = files.open()
    assert built and "int64 (6, 2)" in note


def test_what_killed_builders_left_is_removed(files, tmp_path):
    left = [".x_gpt_train_indexmap_3ns_doc_idx.npy.tmp", ".y_gpt_valid_indexmap_9ns_idx.json.tmp",
            ".x_gpt_train_indexmap_3ns_doc_idx.npy.4711.tmp"]
    for name in left:
        (tmp_path / name).write_bytes(b"half of")
    (tmp_path / "mine.tmp").write_bytes(b"")
    files.open()
    assert not list(tmp_path.glob(".*.tmp")) and (tmp_path / "mine.tmp").exists()


def test_a_killed_builder_frees_the_lock(files, tmp_path):
    code = ("import os, sys, numpy as np\n"
            "from paddle_impl.data.index_files import open_or_build\n"
            "open_or_build(sys.argv[1], 'key', ('doc',), lambda: os._exit(9), [])\n")
    process = subprocess.run(
        [sys.executable, "-c", code, files.stem], cwd=Path(index_files.__file__).parents[2],
        timeout=60, check=False,
    )
    assert process.returncode == 9 and (tmp_path / ".indexmap.lock").exists()
    assert files.open()[1:] == ([], True)


def test_where_nothing_can_be_written_arrays_stay_in_memory(files, tmp_path):
    (tmp_path / ".indexmap.lock").mkdir()  # root may write to any folder
    _, (note,), built = files.open()
    assert built and f"no index files can be written to {tmp_path} (Is a directory)" in note
    assert files.open()[2]


def test_a_full_disk_leaves_no_half_files(files, tmp_path, monkeypatch):
    def full(file, array):
        file.write(b"half of")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index_files.np, "save", full)
    _, (note,), _ = files.open()
    assert files.built == 1 and "No space left" in note
    assert [path.name for path in tmp_path.iterdir()] == [".indexmap.lock"]


def test_of_many_at_once_one_builds(files):
    """Threads take the lock like processes: each opens it for itself."""
    threads = [threading.Thread(target=files.open) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files.built == 1


@pytest.mark.parametrize(("rank", "number", "first"), [
    (0, None, True), (1, None, False), (0, "0", True), (1, "1", False), (2, "0", True),
])
def test_who_is_first_on_a_machine(rank, number, first, monkeypatch):
    """Paddle's launcher numbers the processes of each machine; rank 2 is here on a second one."""
    monkeypatch.delenv("PADDLE_RANK_IN_NODE", raising=False)
    if number is not None:
        monkeypatch.setenv("PADDLE_RANK_IN_NODE", number)
    assert first_on_node(grid(rank, 3)) == first
    assert first_on_node(Ranks())


@pytest.mark.parametrize("fails", [False, True])
def test_the_others_wait_for_the_first(fails, monkeypatch):
    """Where the first fails, they come as far as it did, and nobody waits for ever."""
    barrier, order = threading.Barrier(3), []
    monkeypatch.setattr(Ranks, "barrier", lambda _: barrier.wait(timeout=30))

    def process(rank):
        with suppress(ValueError), main_first(grid(rank, 3)):
            order.append(rank)
            if fails:
                raise ValueError("no document for training")

    threads = [threading.Thread(target=process, args=(rank,)) for rank in (2, 1, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order[0] == 0 and sorted(order) == [0, 1, 2]


CHANGES = [{}, {"seed": 2}, {"seq_length": 7}, {"bounds": (0, 4, 5, 5)}, {"num_samples": 11},
           {"order": "megatron"}, {"split": "valid", "bounds": (0, 0, 5, 5)}]


def test_every_order_has_files_of_its_own(counting, tmp_path):
    for _ in range(2):
        for change in CHANGES:
            options = {"split": "train", "bounds": (0, 5, 5, 5), "seq_length": 6,
                       "num_samples": 10, "seed": 1} | change
            samples = PretrainDataset(counting, **options)
            assert samples.notes == []
            assert isinstance(samples.shuffle_idx.base, np.memmap)
    assert len(list(tmp_path.glob("count_gpt_*_indexmap_*_shuffle_idx.npy"))) == len(CHANGES)
    names = {path.name for path in tmp_path.glob("count_gpt_train_indexmap_10ns_6sl_*")}
    assert len(names) == 4 * 4  # seed, bounds and order are in the key alone


@pytest.mark.parametrize("header", [
    "{'descr': '<i4', 'fortran_order': False, 'shape': (1000000000000000,), }",
    f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({10**30},), }}", "(" * 300, "0x", '"',
    "{'descr': '|O', 'fortran_order': False, 'shape': (5,), }", "{'descr': [], 'shape': 5L}",
])
def test_a_header_that_lies_under_a_right_checksum_is_noticed(files, header):
    files.open()
    path, about = Path(f"{files.stem}_doc_idx.npy"), Path(f"{files.stem}_idx.json")
    text = header.encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + bytes(20))
    size, checksum = index_files._sums(path)
    told = json.loads(about.read_text())
    about.write_text(json.dumps(told | {"doc": told["doc"] | {"bytes": size, "adler32": checksum}}))
    _, (note,), built = files.open()
    assert built and "made again" in note and "\n" not in note
