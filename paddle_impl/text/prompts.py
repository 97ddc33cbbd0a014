"""Prompts from files and standard input."""

import json
import sys
from pathlib import Path

from paddle_impl.config.options import require

DEFAULT_PROMPTS = ("from", "import", "def")  # upstream's test.txt


def read_prompts(path: str) -> list[str]:
    """Read a prompt from each line; from each line of a .jsonl or .ndjson file its "prompt".

    path: - is standard input. ValueError for a line without a prompt, with the line's number.
    """
    lines = read_lines(path, "--prompt_file")
    if not path.lower().endswith((".jsonl", ".ndjson")):
        return lines
    prompts = []
    for number, line in enumerate(lines, start=1):
        try:
            prompt = json.loads(line)["prompt"]
        except (ValueError, TypeError, KeyError):
            prompt = None
        require(isinstance(prompt, str),
                f"--prompt_file {path}: line {number} is no object with a \"prompt\" of text")
        prompts.append(prompt)
    return prompts


def read_lines(path: str, flag: str) -> list[str]:
    """Read the lines of a text file, or of standard input for -, without a byte order mark.

    ValueError, with the name of the flag, where it cannot be read, is not UTF-8 or has no lines.
    """
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{flag} {path} is not UTF-8 text") from None
    except OSError as error:
        raise ValueError(f"{flag} {path} cannot be read: {error.strerror}") from None
    require(bool(text), f"{flag} {path} has no lines: expected one prompt a line")
    # Not splitlines, which also splits at form feeds and the like: a prompt may contain them.
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")
