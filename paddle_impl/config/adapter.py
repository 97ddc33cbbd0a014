"""The flag of the adapters that a command puts into the weights of its model."""

import os
from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, require


@dataclass(frozen=True, kw_only=True)
class AdapterOptions(Options):
    adapter: list[str] | None = flag(
        None, "directory of a LoRA adapter, of this project or of peft, which is put into the "
        "weights; without --model_name_or_path into those of the base that it names")

    def __post_init__(self):
        words = self.adapter or []
        names = [_split(word)[0] for word in words]
        require(len(words) < 2 or None not in names, "one --adapter DIR goes into the weights; "
                "several are served under names of their own: --serve --adapter NAME=DIR NAME=DIR")
        for word, name in zip(words, names, strict=True):
            require(name is None or "" not in _split(word),
                    f"--adapter {word}: expected DIR, or NAME=DIR with --serve")
            require(names.count(name) == 1, f"--adapter names two adapters {name}")

    @property
    def alone(self) -> str | None:
        """The directory of the one adapter that has no name."""
        return next((place for name, place in map(_split, self.adapter or ()) if name is None),
                    None)

    @property
    def named(self) -> dict[str, str]:
        """Directories by the names under which they are served."""
        return {name: place for name, place in map(_split, self.adapter or ()) if name is not None}

    def check_alone(self) -> None:
        for name, place in self.named.items():
            raise ValueError(f"--adapter {name}={place}: there is no such directory, and a name is "
                             "for --serve, where several adapters are served")


def _split(word: str) -> tuple[str | None, str]:
    """NAME=DIR -> (NAME, DIR); DIR -> (None, DIR), also where its own name has such a mark."""
    name, mark, place = word.partition("=")
    return (None, word) if not mark or os.path.isdir(word) else (name, place)
