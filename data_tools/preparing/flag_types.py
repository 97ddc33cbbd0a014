"""Values that flags take, and the one-line error of a mistyped one. Standard library only."""

from __future__ import annotations

import argparse


class Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line on stderr and exits with code 2."""

    def error(self, message: str):
        self.exit(2, f"error: {message}\n")


def number(least: int):
    def parse(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    parse.__name__ = "whole number"  # argparse says "invalid whole number value"
    return parse


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def between(least: float, most: float, *, above: bool = False):
    """Numbers from `least` to `most`; with `above`, `least` itself is not one."""

    def parse(text: str) -> float:
        value = float(text)
        if not least <= value <= most or (above and value == least):
            raise argparse.ArgumentTypeError(
                f"{text} is not {'above' if above else 'from'} {least:g} to {most:g}"
            )
        return value

    parse.__name__ = "number"
    return parse


def shard(text: str) -> tuple[int, int]:
    index, slash, count = text.partition("/")
    if not (slash and index.isdigit() and count.isdigit() and int(count) > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a part like 0/4")
    if int(index) >= int(count):
        raise argparse.ArgumentTypeError(f"parts of {count} are 0/{count} to "
                                         f"{int(count) - 1}/{count}, not {text}")
    return int(index), int(count)


positive.__name__ = "number"
shard.__name__ = "part"
similarity, share = between(0.5, 1), between(0, 1, above=True)
