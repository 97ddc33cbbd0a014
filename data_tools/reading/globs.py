"""Patterns for paths: `*` and `?` stay within one folder's name, `**/` crosses folders.

Python's own translation of `**` (glob.translate) came with 3.13; this agrees with it, hidden files
included, where both accept a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Sequence


class Globs:
    """Patterns for paths with "/" between folders and none in front; ValueError for a bad one.

    `src/*.py` is in src, `**/*.py` anywhere, `docs/**` all below docs. A name matches by case and
    as a whole. `[a-c]`, `[!a-c]`, and `[*]` for a star itself.
    """

    def __init__(self, patterns: Sequence[str]):
        self._paths = _compiled([_regex(pattern) for pattern in patterns])
        whole = [pattern[:-3] for pattern in patterns if pattern.endswith("/**")]
        self._folders = _compiled([_regex(pattern) for pattern in whole])

    def __bool__(self) -> bool:
        return self._paths is not None

    def match(self, path: str) -> bool:
        return self._paths is not None and self._paths.fullmatch(path) is not None

    def match_all_below(self, folder: str) -> bool:
        """Whether a pattern matches everything below the folder, which then need not be walked."""
        return self._folders is not None and self._folders.fullmatch(folder) is not None


def _compiled(regexes: list[str]) -> re.Pattern | None:
    return re.compile("|".join(regexes), re.DOTALL) if regexes else None


def _regex(pattern: str) -> str:
    parts = pattern.split("/")
    if "" in parts:
        raise ValueError(
            f"glob {pattern!r} has an empty part: it is for paths inside of an input folder, "
            "such as src/*.py, and docs/** is everything below docs"
        )
    regex = ""
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        if part == "**":
            regex += ".+" if last else "(?:.+/)?"
        elif "**" in part:
            raise ValueError(f"glob {pattern!r}: ** is a whole folder's name, as in **/*.py")
        else:
            regex += _part(part) + ("" if last else "/")
    return regex


def _part(part: str) -> str:
    """One name's pattern. fnmatch's own translation would let * cross a slash."""
    regex, i = "", 0
    while i < len(part):
        char, i = part[i], i + 1
        if char in "*?":
            regex += "[^/]*" if char == "*" else "[^/]"
            continue
        # A ] right behind [ or [! is one of the characters; without an end, [ is itself one.
        start = i + (part[i : i + 1] == "!")
        end = part.find("]", start + 1) if char == "[" else -1
        if end < 0:
            regex += re.escape(char)
            continue
        regex += _class(part[start:end], negated=start > i)
        i = end + 1
    return regex


def _class(body: str, negated: bool) -> str:
    ranges, i = "", 0
    while i < len(body):
        if body[i + 1 : i + 2] == "-" and i + 2 < len(body):
            if body[i] <= body[i + 2]:
                ranges += f"{re.escape(body[i])}-{re.escape(body[i + 2])}"
            i += 3
        else:
            ranges += re.escape(body[i])
            i += 1
    if negated:
        return f"[^/{ranges}]"
    return f"(?!/)[{ranges}]" if ranges else "(?!)"  # [z-a] is no character at all
