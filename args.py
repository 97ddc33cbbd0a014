"""Command lines, built from the dataclasses in paddle_impl.config."""

import argparse
import os
import sys
import types
import typing
import warnings
from dataclasses import MISSING, fields
from functools import partial
from typing import Any, TypeVar

from paddle_impl.config.evaluation import EvaluationConfig
from paddle_impl.config.generation import GenerationConfig
from paddle_impl.config.pretrain import PretrainConfig

Config = TypeVar("Config")


def parse_pretrain(argv: list[str] | None = None) -> PretrainConfig:
    return parse(PretrainConfig, "run_pretrain.py", "Pretrain a GPT on token files.", argv)


def parse_generation(argv: list[str] | None = None) -> GenerationConfig:
    return parse(GenerationConfig, "run_generation.py", "Write text with a trained GPT.", argv)


def parse_evaluation(argv: list[str] | None = None) -> EvaluationConfig:
    return parse(EvaluationConfig, "run_evaluation.py", "Measure a GPT on held-out text.", argv)


def parse(config: type[Config], prog: str, description: str, argv: list[str] | None) -> Config:
    """Parse argv (default: the process's) into the dataclass; a bad value exits with one line."""
    parser = _OneLineErrors(
        prog=prog, description=description, allow_abbrev=False,
        formatter_class=_HelpWithDefaults,
    )
    hints = typing.get_type_hints(config)
    # A dataclass's own flags come before those it inherits.
    for item in sorted(fields(config), key=lambda item: item.name not in config.__annotations__):
        _add(parser, item, hints[item.name])
    values = vars(parser.parse_args(argv))
    try:
        return config(**values)
    except ValueError as error:
        parser.error(str(error))


class _OneLineErrors(argparse.ArgumentParser):
    """argparse prints the whole usage before an error; with forty flags that buries the message."""

    def error(self, message: str) -> typing.NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


class _HelpWithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """Shows a flag's default where it has one: "(default: None)" tells nobody anything."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def _add(parser: argparse.ArgumentParser, item, hint: Any) -> None:
    meta = item.metadata
    names = [f"--{item.name}"] + ([meta["short"]] if meta["short"] else [])
    options: dict[str, Any] = {"help": meta["help"].replace("%", "%%"), "dest": item.name}
    if item.default is MISSING:
        options["required"] = True
    else:
        options["default"] = item.default
    inner, many = _inner_type(hint)
    if inner is bool:
        words = meta["choices"] or ()
        # `--flag`, `--flag true` and `--flag false` all mean what they say; upstream's bare
        # `--use_amp` turned the option off.
        options |= {"type": partial(_boolean, words), "nargs": "?", "const": True,
                    "metavar": "|".join(("true", "false", *words))}
    else:
        options |= {"type": inner, "metavar": inner.__name__.upper()}
        if many:
            options["nargs"] = "+"
        if meta["choices"]:
            options |= {"choices": meta["choices"], "metavar": None}
    parser.add_argument(*names, **options)


def _inner_type(hint: Any) -> tuple[type, bool]:
    """`int | None` -> (int, False); `list[str] | None` -> (str, True); `bool | str` is a bool
    beside which the choices stand.
    """
    if isinstance(hint, types.UnionType):
        hint = next(arm for arm in typing.get_args(hint) if arm is not type(None))
    if typing.get_origin(hint) is list:
        return typing.get_args(hint)[0], True
    return hint, False


def _boolean(words: tuple[str, ...], text: str) -> bool | str:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    known |= {word: word for word in words}
    if text.lower() not in known:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither {' nor '.join(('true', 'false', *words))}")
    return known[text.lower()]


def plain_warnings() -> None:
    """A warning is a sentence for the user; where in the code it was raised is not."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"


def fail(prog: str, error: Exception) -> typing.NoReturn:
    """The user's mistake in one line on standard error, exit code 2.

    A reader that went away, as head does, is no mistake: nothing is said, exit code 141.
    """
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        sys.exit(141)
    sys.exit(_print_error(prog, error))


def _print_error(prog: str, error: Exception) -> int:
    print(f"{prog}: error: {' '.join(str(error).split())}", file=sys.stderr)
    return 2
