"""Command lines, built from the flags that a dataclass declares (see data_tools/options.py).

    python run_pretrain.py [FILE] --flag value ...

FILE is a JSON file, or a YAML file where PyYAML is installed: one object whose keys are flags. The
command line wins over the file, and the file over the defaults. --print_config writes such a file
with every flag's value, and the run that reads it is the same. `--no-flag` is short for
`--flag false`.

Standard library only, and nothing of the project: each command hands its class of flags over, so
that the commands of data_tools and those of paddle_impl parse through the same function without
importing each other.
"""

import argparse
import json
import os
import sys
import typing
import warnings
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

Config = TypeVar("Config")
_YAML = (".yaml", ".yml")
_TRUE_AND_FALSE = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def parse(
    config: type[Config], prog: str, description: str, argv: list[str] | None = None, *,
    names_prog: bool = True,
) -> Config:
    """Parse argv (default: the process's) into the class, a subclass of data_tools' Options.

    A bad value exits with code 2 and one line on standard error, which begins with prog if
    names_prog; --print_config exits with code 0.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    flags = config.flags()
    parser = _parser(prog, description, flags)
    parser.names_prog = names_prog
    try:
        values = _read(argv.pop(0), config) if _names_a_file(argv, flags) else {}
    except ValueError as error:
        parser.error(str(error))
    _add_flags(parser, flags, values)
    values |= vars(parser.parse_args(_separate_booleans(argv, flags)))
    print_config = values.pop("print_config")
    try:
        parsed = config.of(**values)
    except ValueError as error:
        parser.error(str(error))
    if print_config:
        print(json.dumps(parsed.flat(), indent=2))
        sys.exit(0)
    return parsed


def given(argv: list[str], name: str) -> str | None:
    """The value of a flag that decides which class of flags `parse` gets; None where it is neither
    on the command line nor in its FILE. What is wrong with either is left to `parse`.
    """
    try:
        value = _load(argv[0])[name] if argv and not argv[0].startswith("-") else None
    except (ValueError, TypeError, KeyError):
        value = None
    for word, after in zip(argv, [*argv[1:], None], strict=True):
        if word == f"--{name}":
            value = after
        elif word.startswith(f"--{name}="):
            value = word.partition("=")[2]
    return value if isinstance(value, str) else None


class _OneLineErrors(argparse.ArgumentParser):
    """argparse prints the whole usage before an error; with forty flags that buries the message."""

    names_prog = True

    def error(self, message: str) -> typing.NoReturn:
        self.exit(2, f"{f'{self.prog}: ' if self.names_prog else ''}error: {message}\n")


def _parser(prog: str, description: str, flags) -> argparse.ArgumentParser:
    own = [flag.name.upper() for flag in flags if flag.positional]
    needed = [f"--{flag.name} {_metavar(flag)}" for flag in flags
              if flag.required and not flag.positional]
    usage = " ".join(["%(prog)s [FILE]", *own, *needed, "[--FLAG VALUE ...]"])
    parser = _OneLineErrors(
        prog=prog, usage=usage, description=description, allow_abbrev=False,
        epilog="FILE is a JSON or YAML file whose keys are flags; the command line wins over it.")
    parser.add_argument("--print_config", action="store_true",
                        help="write every flag's value as JSON, which is such a FILE, and stop")
    return parser


def _add_flags(parser: argparse.ArgumentParser, flags, given: dict[str, Any]) -> None:
    """Add the flags, each group under its title. given: the file's values, by flag."""
    places = {(): parser}
    for flag in flags:
        group = flag.path[:-1]
        if group not in places:
            places[group] = parser.add_argument_group(" ".join(group))
        _add(places[group], flag, given)


def _add(place, flag, given: dict[str, Any]) -> None:
    required = flag.required and flag.name not in given
    # SUPPRESS: a flag that is not given must not replace the file's value by a default.
    options: dict[str, Any] = {"help": _help(flag), "default": argparse.SUPPRESS}
    if not flag.positional:
        options |= {"dest": flag.name, "required": required}
    elif not required:  # argparse would look for SUPPRESS among the choices
        options |= {"nargs": "?", "default": given.get(flag.name, flag.default)}
    if flag.type is bool:
        words = flag.choices or ()
        # `--flag` means `--flag true`. In PaddleNLP a bare `--use_amp` turned the option off.
        options |= {"type": partial(_boolean, words), "nargs": "?", "const": True,
                    "metavar": "|".join(("true", "false", *words))}
    else:
        options |= {"type": flag.type}
        if flag.many:
            options["nargs"] = "+"
        if flag.choices:
            options["choices"] = flag.choices
        else:
            options["metavar"] = _metavar(flag)
    names = [flag.name] if flag.positional else [f"--{flag.name}", *flag.aliases]
    place.add_argument(*names, **options)
    if flag.type is bool:
        place.add_argument(
            f"--no-{flag.name}", dest=flag.name, action="store_false", default=argparse.SUPPRESS,
            help=f"the same as --{flag.name} false" if flag.default else argparse.SUPPRESS)


def _metavar(flag) -> str:
    return (flag.name if flag.positional else flag.type.__name__).upper()


def _help(flag) -> str:
    """The help text with the default, unless that is None."""
    text = flag.help
    if not flag.required and flag.default is not None:
        text += f" (default: {flag.default})"
    return text.replace("%", "%%")


def _boolean(words: tuple[str, ...], text: str) -> bool | str:
    known = _TRUE_AND_FALSE | {word: word for word in words}
    if text.lower() not in known:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither {' nor '.join(('true', 'false', *words))}")
    return known[text.lower()]


def _separate_booleans(argv: list[str], flags) -> list[str]:
    """argv with `--json=true X` in place of `--json X`, so that X is not taken for its value.

    Only for a command that has positional arguments of its own.
    """
    if not any(flag.positional for flag in flags):
        return argv
    words = {f"--{flag.name}": {*_TRUE_AND_FALSE, *(flag.choices or ())}
             for flag in flags if flag.type is bool}
    return [f"{word}=true" if word in words and after.lower() not in words[word] else word
            for word, after in zip(argv, [*argv[1:], ""], strict=False)]


def _names_a_file(argv: list[str], flags) -> bool:
    """Whether the first argument is the file of flags.

    For a command that has positional arguments of its own, it is if it ends in .json or .yaml.
    """
    if not argv or argv[0].startswith("-"):
        return False
    return argv[0].lower().endswith((".json", *_YAML)) or not any(flag.positional for flag in flags)


def _read(path: str, config: type[Config]) -> dict[str, Any]:
    """The file's values by flag. ValueError, with the file and the key, if one is not valid."""
    found = _load(path)
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds {json.dumps(found, default=str)}, expected an object whose "
                         "keys are flags")
    return config.checked(found, f"{path}: ")


def _load(path: str) -> Any:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise ValueError(f"the file of flags {path} cannot be read: {error.strerror}") from None
    if path.lower().endswith(_YAML):
        return _load_yaml(path, text)
    try:
        return json.loads(text, object_pairs_hook=partial(_object, path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None


def _load_yaml(path: str, text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise ValueError(f"{path} is YAML, which needs PyYAML: pip install pyyaml, or write it as "
                         "JSON") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None


def _object(path: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{path}: {name} is there twice")
    return dict(pairs)


def plain_warnings() -> None:
    """Print warnings as one line, without the place in the code that raised them."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"


def fail(prog: str, error: Exception) -> typing.NoReturn:
    """Print the error in one line on standard error and exit with code 2.

    If the reader of standard output has ended, as `head` does, exit with code 141 and no message.
    """
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        sys.exit(141)
    sys.exit(_print_error(prog, error))


def _print_error(prog: str, error: Exception) -> int:
    print(f"{prog}: error: {' '.join(str(error).split())}", file=sys.stderr)
    return 2
