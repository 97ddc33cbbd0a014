"""Text files in; a JSON object and a short table out."""

import json
import math
import os
from pathlib import Path

from data_tools.files import whole_file


def read_text(path: str, flag: str) -> str:
    """The whole file; ValueError, which names the flag, where it is no text or has none."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")  # a mark at the start is no text
    except UnicodeDecodeError as error:
        raise ValueError(f"{flag} {path} is not UTF-8 text: byte {error.start} cannot be read; a "
                         "compressed file must be unpacked first") from None
    except OSError as error:
        raise ValueError(f"{flag} {path} cannot be read: {error.strerror}") from None
    if not text.strip():
        raise ValueError(f"{flag} {path} is empty: expected a text")
    return text.replace("\r\n", "\n")


def read_passages(path: str, flag: str) -> list[tuple[int, str]]:
    """(line number, text) of JSON lines with a "text", or of plain lines; empty ones left out.

    A file whose first line begins with a brace is JSON lines throughout.
    """
    # Not splitlines: what it takes for the end of a line may stand in a passage.
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
    """ValueError where no file can be written: known before the work, not after it."""
    if path is None:
        return
    if not Path(path).absolute().parent.is_dir():
        raise ValueError(f"{flag} {path}: its directory does not exist; make it with mkdir -p")
    if Path(path).is_dir():
        raise ValueError(f"{flag} {path} is a directory: name a file")


def check_distinct(named: dict[str, str | None]) -> None:
    """ValueError where two of {flag: path} are one file: the later would replace the earlier."""
    known: dict[str, str] = {}
    for flag, path in named.items():
        if path is None:
            continue
        other = known.setdefault(os.path.realpath(path), flag)
        if other != flag:
            raise ValueError(f"{other} and {flag} name the same file, {path}: name another")


def write_json(path: str, numbers: dict) -> None:
    """One object, in place when it is whole. What is infinite becomes null: JSON has no such."""
    known = {name: None if isinstance(value, float) and not math.isfinite(value) else value
             for name, value in numbers.items()}
    text = json.dumps(known, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as file:
        file.write(text.encode() + b"\n")


def table(title: str, rows: list[tuple[str, float | int, str]]) -> str:
    """(name, value, what it is) in columns: counts with separators, other numbers to 4 places."""
    shown = [(name, f"{value:,}" if isinstance(value, int) else f"{value:.4f}", note)
             for name, value, note in rows]
    first = max(16, *(len(name) + 2 for name, _, _ in shown))
    second = max(8, *(len(value) for _, value, _ in shown))
    lines = [f"  {name:<{first}}{value:>{second}} {note}".rstrip() for name, value, note in shown]
    return "\n".join([title, *lines])
