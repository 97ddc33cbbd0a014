"""Read text files; write a JSON object; format a short table."""

import json
import math
import os
from pathlib import Path

from data_tools.files import whole_file


def read_text(path: str, flag: str) -> str:
    """The text of a UTF-8 file; ValueError, which names the flag, if it cannot be read or is empty.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")  # without a byte order mark
    except UnicodeDecodeError as error:
        raise ValueError(f"{flag} {path} is not UTF-8 text: byte {error.start} cannot be read; a "
                         "compressed file must be unpacked first") from None
    except OSError as error:
        raise ValueError(f"{flag} {path} cannot be read: {error.strerror}") from None
    if not text.strip():
        raise ValueError(f"{flag} {path} is empty: expected a text")
    return text.replace("\r\n", "\n")


def read_passages(path: str, flag: str) -> list[tuple[int, str]]:
    """(line number, text) of JSON lines with a "text", or of plain lines; empty ones are left out.

    A file whose first line begins with a brace must be JSON lines. ValueError, which names the flag
    and the line, for a line without a text.
    """
    # Not splitlines: it also splits at characters that may occur within a passage.
    lines = [(number, line.strip()) for number, line
             in enumerate(read_text(path, flag).split("\n"), start=1) if line.strip()]
    if not lines[0][1].startswith("{"):
        return lines
    return [(number, _text_of(line, f"{flag} {path}: line {number}")) for number, line in lines]


def _text_of(line: str, place: str) -> str:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    text = record.get("text") if isinstance(record, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f'{place} holds no passage: expected a JSON object such as '
                         f'{{"text": "..."}}, got {line[:40]!r}')
    return text


def check_place(path: str | None, flag: str) -> None:
    """ValueError, before the work starts, if no file can be written at `path`."""
    if path is None:
        return
    if not Path(path).absolute().parent.is_dir():
        raise ValueError(f"{flag} {path}: its directory does not exist; make it with mkdir -p")
    if Path(path).is_dir():
        raise ValueError(f"{flag} {path} is a directory: name a file")


def check_distinct(named: dict[str, str | None]) -> None:
    """ValueError if two of {flag: path} are the same file, since one would replace the other."""
    known: dict[str, str] = {}
    for flag, path in named.items():
        if path is None:
            continue
        other = known.setdefault(os.path.realpath(path), flag)
        if other != flag:
            raise ValueError(f"{other} and {flag} name the same file, {path}: name another")


def write_json(path: str, numbers: dict) -> None:
    """Write one JSON object, atomically. Infinity and NaN become null: JSON cannot express them."""
    known = {name: None if isinstance(value, float) and not math.isfinite(value) else value
             for name, value in numbers.items()}
    text = json.dumps(known, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as file:
        file.write(text.encode() + b"\n")


def table(title: str, rows: list[tuple[str, float | int, str]]) -> str:
    """Rows (name, value, note) in columns: integers with separators, floats with 4 decimals."""
    shown = [(name, f"{value:,}" if isinstance(value, int) else f"{value:.4f}", note)
             for name, value, note in rows]
    first = max(16, *(len(name) + 2 for name, _, _ in shown))
    second = max(8, *(len(value) for _, value, _ in shown))
    lines = [f"  {name:<{first}}{value:>{second}} {note}".rstrip() for name, value, note in shown]
    return "\n".join([title, *lines])
