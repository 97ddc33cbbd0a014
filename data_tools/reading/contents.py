"""The texts of one file that is no archive, on the disk or a member of an archive."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader

from data_tools.reading.arrow_records import ARROW_ENDINGS, read_rows
from data_tools.reading.compressed import PACKED_ENDINGS, unpack
from data_tools.reading.json_records import holds_records, read_json
from data_tools.reading.raw_text import TOO_LONG, RawText, Rules, read_text, read_up_to

JSON_LINES_ENDINGS = (".jsonl", ".ndjson")


def is_plain(name: str) -> bool:
    """Whether a file of that name, in small letters, is one text as it stands."""
    return not name.endswith((*JSON_LINES_ENDINGS, ".json", *ARROW_ENDINGS, *PACKED_ENDINGS))


def texts_of(name: str, file: BufferedReader, rules: Rules) -> Iterator[RawText]:
    """One text, or one of each record. The format, and how it is packed, is told by the name.

    Damaged behind the texts that come before the damage.
    """
    kind = name.lower()
    packed = next((ending for ending in PACKED_ENDINGS if kind.endswith(ending)), "")
    if packed:
        file = unpack(file, packed)
        kind = kind.removesuffix(packed)
    if kind.endswith(ARROW_ENDINGS):
        data = read_up_to(file, rules.max_bytes + 1)
        too_long = len(data) > rules.max_bytes
        yield from [RawText(name, b"", TOO_LONG)] if too_long else read_rows(name, rules, data)
    elif kind.endswith(JSON_LINES_ENDINGS) or (
        # What is called so may be something else: a program's settings, or text.
        (kind.endswith(".json") or packed == ".zst") and holds_records(file)
    ):
        yield from read_json(name, file, rules)
    else:
        yield from read_text(name, file, rules)
