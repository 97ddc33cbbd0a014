"""VisualDL's log, train_log/vdlrecords.log: `visualdl --logdir output/train_log`.

VisualDL shows only the newest file of a directory. So a resumed run appends to the file that is
there, after removing the steps that it computes again. Records are visualdl's own messages.
Format: visualdl/writer/record_writer.py, a uint64 length and the message, without a checksum.
"""

import struct
import time
from collections.abc import Iterator
from pathlib import Path

from visualdl.component import base_component
from visualdl.proto.record_pb2 import Record

from paddle_impl.tracking.record_file import RecordFile, rewrite

_DIRECTORY = "train_log"
_FILE = "vdlrecords.log"
_LENGTH = struct.Struct("<Q")


class VisualDLSink:
    def __init__(self, path: Path, start_step: int):
        path.parent.mkdir(exist_ok=True)
        if path.exists():
            rewrite(path, _until(path, start_step))
        self._file = RecordFile(path)
        if not path.stat().st_size:
            self._append(base_component.meta_data(walltime=_now()))  # readers expect it first

    def scalars(self, step: int, values: dict[str, float]) -> None:
        self._append(*(
            base_component.scalar(tag, value, step, _now()) for tag, value in values.items()
        ))

    def completions(self, step: int, title: str, pairs: list[tuple[str, str]]) -> None:
        self._append(*(
            base_component.text(f"{title}/{index}", prompt + text, step, _now())
            for index, (prompt, text) in enumerate(pairs)
        ))

    def close(self) -> None:
        self._file.close()

    def _append(self, *records: Record) -> None:
        messages = [record.SerializeToString() for record in records]
        self._file.append(b"".join(_LENGTH.pack(len(each)) + each for each in messages))


def open_sink(output_dir: Path, start_step: int, config: dict) -> VisualDLSink:
    return VisualDLSink(output_dir / _DIRECTORY / _FILE, start_step)


def _until(path: Path, last_step: int) -> Iterator[bytes]:
    """Framed records up to `last_step`; one cut short by a crash ends the file."""
    with open(path, "rb") as file:
        while len(header := file.read(_LENGTH.size)) == _LENGTH.size:
            message = file.read(_LENGTH.unpack(header)[0])
            if len(message) != _LENGTH.unpack(header)[0]:
                return
            if Record.FromString(message).values[0].id <= last_step:
                yield header + message


def _now() -> int:
    """The time in milliseconds, as VisualDL expects it."""
    return round(time.time() * 1000)
