"""Prompts from files and standard input."""

import json
import sys
from pathlib import Path

from paddle_impl.config.options import require

DEFAULT_PROMPTS = ("from", "import", "def")  # upstream's test.txt


def read_prompts(path: str) -> list[str]:
    """One prompt a line, or of a .jsonl file the "prompt" of each; - is standard input.

    ValueError, which names the line, for what is neither.
    """
    lines = read_lines(path, "--prompt_file")
    if not path.endswith(".jsonl"):
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
    """The lines of a text file, or of standard input for -; ValueError, which names the flag,
    where it cannot be used.
    """
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        # Not splitlines: a form feed, or what else it takes for an end, may stand in a prompt.
        lines = raw.decode("utf-8").replace("\r\n", "\n").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"{flag} {path} is not UTF-8 text") from None
    except OSError as error:
        raise ValueError(f"{flag} {path} cannot be read: {error.strerror}") from None
    require(bool(raw), f"{flag} {path} has no lines: expected one prompt a line")
    return lines
