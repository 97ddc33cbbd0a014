"""Show the --minitest answers of several checkpoints side by side. Needs no Paddle."""

import json
import shutil
import textwrap
from pathlib import Path

from data_tools.files import whole_files
from paddle_impl.evaluation.files import read_text

_WIDTH = 120  # of the text beside a page


def read(path: str) -> dict:
    """Read an --output_file of --minitest; ValueError for any other file."""
    text = read_text(path, "--compare")
    try:
        told = json.loads(text)
        known = told["mode"] == "minitest" and all(
            isinstance(name, str) and name for record in told["answers"]
            for name in (told["checkpoint"], record["prompt"])
        ) and all(isinstance(record[name]["text"], str)
                  for record in told["answers"] for name in told["settings"])
    except (KeyError, TypeError, ValueError, RecursionError):
        known = False
    if not known or not told["answers"] or not told["settings"]:
        raise ValueError(f"--compare {path} was not written by --minitest with --output_file")
    return told


def read_all(paths: list[str]) -> list[dict]:
    """What `read` reads of each; ValueError if they differ in prompts, settings or seed."""
    files = [read(path) for path in paths]
    for path, other in zip(paths, files, strict=True):
        for name in ("prompts", "settings", "seed"):
            if _inputs_of(other, name) != _inputs_of(files[0], name):
                raise ValueError(f"{paths[0]} and {path} were made with different {name}: run "
                                 "--minitest again for one of them")
    return files


def show(paths: list[str], files: list[dict], html: str | None) -> None:
    """Print the answers side by side; html: also write them there as a page, and as text beside it.

    paths, files: as for `side_by_side`.
    """
    if html is not None:
        from paddle_impl.evaluation.page import page

        with whole_files(html, Path(html).with_suffix(".txt")) as (one, other):
            one.write(page(paths, files).encode())
            other.write(side_by_side(paths, files, _WIDTH).encode() + b"\n")
    print(side_by_side(paths, files, shutil.get_terminal_size((_WIDTH, 24)).columns), flush=True)


def side_by_side(paths: list[str], files: list[dict], width: int) -> str:
    """The answers with a column for each file, `width` characters in all.

    files: what `read_all` gives, or the same of models that were measured now. paths: their names.
    """
    column = max(16, (width + 2) // len(files) - 2)
    rows = [f"[{number}] {path}: {told['checkpoint']}"
            for number, (path, told) in enumerate(zip(paths, files, strict=True), start=1)]
    for number, record in enumerate(files[0]["answers"]):
        rows.append(f"=== {number + 1} ".ljust(width, "=") + "\n" + record["prompt"].rstrip("\n"))
        for name in files[0]["settings"]:
            rows.append("  ".join(f"--- [{at}] {name} ".ljust(column, "-")
                                  for at in range(1, len(files) + 1)))
            rows.append(_row([told["answers"][number][name]["text"] for told in files], column))
    return "\n".join(rows)


def _inputs_of(told: dict, name: str):
    return [one["prompt"] for one in told["answers"]] if name == "prompts" else told.get(name)


def _row(texts: list[str], column: int) -> str:
    """Texts in columns; lines longer than a column are broken, other line breaks are kept."""
    cells = [[piece for line in text.expandtabs(4).splitlines()
              for piece in textwrap.wrap(printable(line), column, drop_whitespace=False,
                                         replace_whitespace=False) or [""]] for text in texts]
    height = max(map(len, cells))
    return "\n".join(
        "  ".join(cell[line].ljust(column) if line < len(cell) else " " * column
                  for cell in cells).rstrip()
        for line in range(height)
    )


def printable(line: str) -> str:
    """The line with unprintable characters replaced, since these could move the cursor."""
    return "".join(character if character.isprintable() else "\ufffd" for character in line)
