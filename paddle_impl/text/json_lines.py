"""Writes records to --output_file, as JSON lines."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from data_tools.files import whole_file


@contextmanager
def line_writer(output_file: str | None, prog: str) -> Iterator[Callable[[dict], None]]:
    """Yield a function that writes one record.

    output_file: None writes nothing, - writes to standard output. A file appears when all records
    are written, and not if there is an error; a link to a file is followed, and a pipe or a device
    is written to directly. After Ctrl-C the file has the records until then, and a message says so,
    which begins with `prog`.
    """
    if output_file is None:
        yield lambda record: None
        return
    if output_file == "-":
        yield lambda record: print(_line(record), end="", flush=True)
        return
    if Path(output_file).exists() and not Path(output_file).is_file():
        with open(output_file, "w", encoding="utf-8") as file:
            yield lambda record: print(_line(record), end="", flush=True, file=file)
        return
    stopped = None
    with whole_file(os.path.realpath(output_file)) as file:
        try:
            yield lambda record: file.write(_line(record).encode())
        except KeyboardInterrupt as error:
            stopped = error
    if stopped is not None:
        print(f"{prog}: stopped; {output_file} holds what was done", file=sys.stderr)
        raise stopped


def _line(record: dict) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"
