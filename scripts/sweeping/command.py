"""A training command of the project: its flags, and the identity of a run of it."""

import hashlib
import importlib.util
import json
import typing
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from data_tools.options import Options

ROOT = Path(__file__).resolve().parents[2]
_OWN = ("output_dir", "resume")  # what the sweep gives to each run


class Command:
    """A command such as run_pretrain.py: a file whose parse() returns a class of flags.

    name: a file at the root of the project, or the path of another one. task: the --task of a
    command whose flags depend on it; FLAGS in its file has a class for each, the default one first.
    ValueError where there is no such file, or it is no command that trains.
    """

    def __init__(self, name: str, task: str | None = None):
        self.path = next((path for path in (ROOT / name, Path(name)) if path.is_file()), None)
        if self.path is None or self.path.suffix != ".py":
            known = ", ".join(sorted(path.name for path in ROOT.glob("run_*.py")))
            raise ValueError(f"there is no command {name}; the project has {known}")
        self.path = self.path.resolve()
        self.name = self.path.name
        config = _class_of_flags(self.path, task)
        self.flags = {flag.name: flag for flag in config.flags()} if config else {}
        if "output_dir" not in self.flags:
            raise ValueError(f"{self.name} has no flag --output_dir: it trains nothing")
        self._config = config
        self._names = {alias.lstrip("-"): name for name, flag in self.flags.items()
                       for alias in flag.aliases}

    def name_of(self, name: str) -> str:
        """The flag's own name, where the name is another one of it."""
        return self._names.get(name, name)

    def check_names(self, names: Iterable[str], place: str) -> None:
        """ValueError that tells each name that is no flag, with the nearest one."""
        unknown = []
        for name in names:
            if name in _OWN:
                raise ValueError(f"{place}{name} is given by the sweep itself, leave it out")
            if name not in self.flags:
                known = [*self.flags, *self._names]
                (nearest,) = get_close_matches(name, known, n=1, cutoff=0.0)
                unknown.append(f"{name} (the nearest one is {nearest})")
        if unknown:
            raise ValueError(f"{place}{self.name} has no flag {', '.join(unknown)}; "
                             "--without NAME leaves a parameter out")

    def checked(self, values: Mapping[str, Any], place: str) -> dict[str, Any]:
        """The values as the command takes them; ValueError for one of another type."""
        return self._config.checked(values, place)

    def read(self, name: str, word: str) -> Any:
        """A value from the command line: text for a flag that takes text, else JSON."""
        self.check_names([name], "--set: ")
        if self.flags[name].type is str and not self.flags[name].many:
            return word
        try:
            return json.loads(word)
        except ValueError:
            return word

    def refusal(self, settings: Mapping[str, Any]) -> str | None:
        """Why the command refuses the flags as they are; None where it takes them."""
        try:
            self._config.from_python(**settings, output_dir="output")
        except ValueError as error:
            return str(error)
        return None

    def hash_of(self, settings: Mapping[str, Any]) -> str:
        """The name of the run with these flags, the same on every machine: 12 digits."""
        whole = json.dumps({"command": self.name, "flags": settings}, sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()[:12]


def _class_of_flags(path: Path, task: str | None) -> type[Options] | None:
    """The class that the command's parse() returns; None where it has no such function."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "parse"):
        return None
    if of_tasks := getattr(module, "FLAGS", None):
        return of_tasks.get(task, next(iter(of_tasks.values())))
    found = typing.get_type_hints(module.parse).get("return")
    return found if isinstance(found, type) and issubclass(found, Options) else None
