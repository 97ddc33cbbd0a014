"""metrics.jsonl: one JSON object a line. Every other log shows the same records."""

import json
import math
from collections.abc import Iterator
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from data_tools.json_fields import check, parsed, whole
from paddle_impl.tracking.record_file import RecordFile, rewrite


class MetricsFile:
    """Appends to the file at `path`, after removing records later than `start_step`: a resumed run
    computes those steps again.
    """

    def __init__(self, path: Path, start_step: int):
        if path.exists():
            rewrite(path, _until(path, start_step))
        self._file = RecordFile(path)

    def write(self, record: dict) -> None:
        """Append the record. NaN and infinity become null, since JSON cannot express them."""
        self._file.append(json.dumps(plain(record), allow_nan=False).encode() + b"\n")

    def close(self) -> None:
        self._file.close()


def _until(path: Path, last_step: int) -> Iterator[bytes]:
    """Lines of records up to `last_step`; what is no record, as a line cut short by a crash, is
    dropped.
    """
    with open(path, "rb") as lines:
        for line in lines:
            try:
                check(parsed(line), {"step": whole(0, last_step)}, required=["step"])
            except ValueError:
                continue
            yield line.rstrip(b"\n") + b"\n"


def plain(value: Any) -> Any:
    """The value as JSON types; numpy's numbers become Python's."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if math.isfinite(value) else None
