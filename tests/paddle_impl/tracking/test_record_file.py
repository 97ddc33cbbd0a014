"""A record is complete or absent, also where the disk fills up while it is written."""

import resource
import signal

import pytest

from paddle_impl.tracking.record_file import RecordFile, rewrite


def test_a_record_that_does_not_fit_leaves_no_piece(tmp_path):
    path = tmp_path / "records"
    file = RecordFile(path)
    file.append(b"first ")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        with pytest.raises(OSError, match="large"):
            file.append(b"second ")  # four bytes of it fit
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    file.append(b"third")
    file.close()
    assert path.read_bytes() == b"first third"


def test_a_file_is_continued_and_read_while_it_is_rewritten(tmp_path):
    path = tmp_path / "records"
    path.write_bytes(b"a\nb\nc\n")

    def kept():
        with open(path, "rb") as lines:
            yield from (line for line in lines if line != b"b\n")

    rewrite(path, kept())
    file = RecordFile(path)
    file.append(b"d\n")
    file.close()
    assert path.read_bytes() == b"a\nc\nd\n"
    assert [each.name for each in tmp_path.iterdir()] == ["records"]
