"""TensorBoard's events, in output/tensorboard: `tensorboard --logdir output/tensorboard`.

Each start writes a new file that begins with TensorBoard's START event. TensorBoard then hides
later steps in earlier files. A reader that does not know this event sees those steps twice.
Messages and checksum come from tensorboardX, which needs neither TensorFlow nor torch.
Format: a uint64 length, its checksum, the message, its checksum (TensorFlow's record_writer.h).
"""

import struct
import time
from pathlib import Path

from tensorboardX import summary
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import masked_crc32c

from paddle_impl.tracking.record_file import RecordFile

_DIRECTORY = "tensorboard"
_FILE = "events.out.tfevents."  # and a number: files are read in the order of their names


class TensorBoardSink:
    def __init__(self, directory: Path, start_step: int):
        directory.mkdir(exist_ok=True)
        numbers = [path.name.removeprefix(_FILE) for path in directory.iterdir()]
        last = max((int(number) for number in numbers if number.isdigit()), default=0)
        self._file = RecordFile(directory / f"{_FILE}{last + 1:010d}")
        self._append(Event(file_version="brain.Event:2"))
        self._append(Event(
            step=start_step + 1, session_log=SessionLog(status=SessionLog.SessionStatus.START)
        ))

    def scalars(self, step: int, values: dict[str, float]) -> None:
        self._append(*(
            Event(step=step, summary=summary.scalar(tag, float(value)))
            for tag, value in values.items()
        ))

    def completions(self, step: int, title: str, pairs: list[tuple[str, str]]) -> None:
        self._append(*(
            Event(step=step, summary=summary.text(f"{title}/{index}", _as_code(prompt + text)))
            for index, (prompt, text) in enumerate(pairs)
        ))

    def close(self) -> None:
        self._file.close()

    def _append(self, *events: Event) -> None:
        for event in events:
            event.wall_time = time.time()
        self._file.append(b"".join(_frame(event.SerializeToString()) for event in events))


def open_sink(output_dir: Path, start_step: int, config: dict) -> TensorBoardSink:
    return TensorBoardSink(output_dir / _DIRECTORY, start_step)


def _frame(message: bytes) -> bytes:
    header = struct.pack("<Q", len(message))
    return b"".join((
        header, struct.pack("<I", masked_crc32c(header)),
        message, struct.pack("<I", masked_crc32c(message)),
    ))


def _as_code(text: str) -> str:
    """The text indented by four spaces, which TensorBoard's Markdown shows unchanged."""
    return "\n".join("    " + line for line in text.split("\n"))
