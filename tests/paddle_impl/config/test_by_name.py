"""Flags by name: the command's defaults, and one sentence for what is wrong."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from paddle_impl.config.by_name import by_name
from paddle_impl.config.decoding import Decoding
from paddle_impl.config.options import flag
from paddle_impl.config.pretrain import PretrainConfig

REQUIRED = {"model_type": "gpt", "model_name_or_path": "code-mini", "input_dir": "data",
            "output_dir": "out"}


@dataclass(frozen=True)
class Schedule:
    max_steps: int = flag(10, "steps")
    style: str = flag("cosine", "of the rate", choices=("cosine", "none"))


@dataclass(frozen=True)
class Command:
    input_dir: str = flag(help="where the data is")
    rate: float = flag(0.5, "learning rate")
    resume: bool = flag(False, "go on")
    never: bool | str = flag(False, "or never", choices=("never",))
    prompts: list[str] | None = flag(None, "texts")
    schedule: Schedule = field(default_factory=Schedule)


def test_flags_of_groups_are_given_by_their_own_names():
    command = by_name(Command, {"input_dir": Path("a/b"), "rate": 1, "max_steps": 3})
    assert command == Command("a/b", rate=1, schedule=Schedule(max_steps=3))
    assert isinstance(command.input_dir, str)


def test_the_defaults_are_the_commands():
    assert by_name(PretrainConfig, REQUIRED) == PretrainConfig(**REQUIRED)


def test_values_of_every_kind():
    command = by_name(Command, {"input_dir": "d", "never": "never", "prompts": ["a", "b"]})
    assert command.never == "never" and command.prompts == ["a", "b"]
    assert by_name(Command, {"input_dir": "d", "never": True, "prompts": None}).never is True
    assert by_name(Decoding, {"max_new_tokens": 2, "stop": ["\n"]}).stop == ("\n",)


@pytest.mark.parametrize(("flags", "told"), [
    ({}, "input_dir is required: where the data is"),
    ({"input_dir": "d", "max_stepps": 3}, "there is no flag max_stepps; did you mean max_steps?"),
    ({"input_dir": "d", "zzz": 3}, "there is no flag zzz$"),
    ({"input_dir": "d", "max_steps": "3"}, "max_steps takes int, got '3'"),
    ({"input_dir": "d", "max_steps": True}, "max_steps takes int, got True"),
    ({"input_dir": "d", "max_steps": 1.5}, "max_steps takes int, got 1.5"),
    ({"input_dir": 3}, "input_dir takes str, got 3"),
    ({"input_dir": "d", "rate": False}, "rate takes float, got False"),
    ({"input_dir": "d", "resume": 1}, "resume takes bool, got 1"),
    ({"input_dir": "d", "never": "ever"}, "never takes one of never, got 'ever'"),
    ({"input_dir": "d", "style": "linear"}, "style takes one of cosine, none, got 'linear'"),
    ({"input_dir": "d", "prompts": "a"}, "prompts takes a list of str or None, got 'a'"),
])
def test_what_is_wrong_is_named(flags, told):
    with pytest.raises(ValueError, match=told):
        by_name(Command, flags)
