"""Prompts from flags, files and standard input."""

import json
import sys
from pathlib import Path
from typing import NamedTuple

from data_tools.tokenizing.any_tokenizer import AnyTokenizer
from paddle_impl.config.options import require
from paddle_impl.config.prompts import PromptOptions

DEFAULT_PROMPTS = ("from", "import", "def")  # upstream's test.txt


class Prompt(NamedTuple):
    """A text to continue; with a suffix, the text before a gap, and what stands behind it."""

    text: str
    suffix: str | None = None


def chat_prompt(tokenizer: AnyTokenizer, messages: list[dict]) -> str:
    """The text that the model is given for an answer; its control tokens become their ids.

    ValueError where the tokenizer has no chat template, or the template refuses the messages.
    """
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True)


def prompts_of(options: PromptOptions) -> list[Prompt]:
    """The prompts that the flags name or hold, else DEFAULT_PROMPTS."""
    if options.prompt_file is not None:
        return read_prompts(options.prompt_file)
    texts, suffixes = options.prompt or DEFAULT_PROMPTS, options.suffix or [None]
    return list(map(Prompt, texts, suffixes * (len(texts) // len(suffixes))))


def read_prompts(path: str) -> list[Prompt]:
    """Read a prompt from each line; of a .jsonl or .ndjson file its "prompt" and "suffix".

    path: - is standard input. ValueError for a line without a prompt, with the line's number.
    """
    lines = read_lines(path, "--prompt_file")
    if not path.lower().endswith((".jsonl", ".ndjson")):
        return list(map(Prompt, lines))
    prompts = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            prompt = Prompt(record["prompt"], record.get("suffix"))
        except (ValueError, TypeError, KeyError, RecursionError):
            prompt = Prompt(None)
        where = f"--prompt_file {path}: line {number}"
        require(isinstance(prompt.text, str), f"{where} is no object with a \"prompt\" of text")
        require(prompt.suffix is None or isinstance(prompt.suffix, str),
                f"{where} has a \"suffix\" that is no text")
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
