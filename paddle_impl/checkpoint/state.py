"""training_state.json: how far a run has come, and what it was trained on.

Format 2 added data, world, precision and progress; a checkpoint of it must have a manifest.json.
Format 1 is still read.
"""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path

from data_tools.json_fields import (
    SCALAR,
    check,
    either,
    list_of,
    number,
    object_of,
    optional,
    read_object,
    shown,
    text,
    whole,
)
from paddle_impl.checkpoint.names import step_of

FILE = "training_state.json"
FORMAT_VERSION = 2
PRETRAINING = "pretraining"
BEST_VALID = "best_valid_"  # in progress, before the name of the metric that decides
_ADDED = ("data", "world", "precision", "progress")  # by format 2
_MOST = 2**63 - 1
_FIELDS = {
    **dict.fromkeys(("step", "samples"), whole(most=_MOST)),
    "seed": whole(most=2**32 - 1),
    **dict.fromkeys(("order_key", "sample_order", "task"), text()),
    **dict.fromkeys(("tokenizer", "precision"), optional(text())),
    "global_batch_size": whole(1),
    "schedule": object_of(SCALAR),
    "data": object_of(either(SCALAR, list_of(SCALAR))),
    "world": object_of(whole(1)),
    "progress": object_of(optional(number())),
}
_WORLD = dict.fromkeys(("world_size", "sharding_degree", "mp_degree"), whole(1))
_PROGRESS = {
    "loss_scale": number(0),
    **dict.fromkeys(("good_steps", "evaluations_since_best", "skipped_steps"), whole()),
}


@dataclass(frozen=True)
class TrainingState:
    """Everything that a run must know to continue. Fields that format 1 lacks are then empty.

    schedule: the settings that a continuation may change. data: of pretraining, ids_sha256, one
    digest or None per dataset, and eos_token_id; of another task what that task compares. world:
    world_size, sharding_degree, mp_degree. precision: "float32", or level and type such as
    "O1 float16". progress: numbers of the run's own, such as the loss scale. task: the name of what
    was trained; files that do not tell are pretraining's.
    """

    step: int
    samples: int  # consumed by all processes so far
    seed: int
    order_key: str  # of the data, split and window that the training samples come from
    sample_order: str  # digest of their shuffle, which also depends on how many are asked for
    tokenizer: str | None  # fingerprint
    global_batch_size: int
    schedule: dict
    data: dict = field(default_factory=dict)
    world: dict = field(default_factory=dict)
    precision: str | None = None
    progress: dict = field(default_factory=dict)
    task: str = PRETRAINING

    @property
    def best_metric(self) -> str | None:
        """The metric that decides which checkpoint is the best; None if the state does not tell."""
        named = [name.removeprefix(BEST_VALID) for name in self.progress
                 if name.startswith(BEST_VALID)]
        return named[0] if named else None

    def to_json(self) -> dict:
        """The object that `read` reads."""
        told = {"format_version": FORMAT_VERSION, **vars(self)}
        if self.task == PRETRAINING:
            del told["task"]
        return told


def format_version(directory: Path) -> int | None:
    """What training_state.json says; None where there is no such file. ValueError if it is damaged.
    """
    path = directory / FILE
    return read_object(path).get("format_version") if path.is_file() else None


def read(path: Path) -> TrainingState:
    """The state in the file.

    ValueError, which names the field, for another format, for a field that is missing, unknown or
    of another type, and for numbers that contradict each other or the name of the folder.
    """
    values = read_object(path)
    version = values.pop("format_version", None)
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise ValueError(
            f"{path} has format {shown(version)}, this version reads 1 to {FORMAT_VERSION}")
    try:
        _check(values, version)
        found = TrainingState(**values)
        _check_agreement(found, path.parent.name)
    except ValueError as error:
        raise ValueError(f"{path} is no training state of format {version}: {error}") from None
    return found


def _check(values: dict, version: int) -> None:
    known = {one.name for one in fields(TrainingState)}
    for name in values:
        if name not in known:
            raise ValueError(f"the field {shown(name)} is unknown")
    optional_ones = {"task", *(_ADDED if version == 1 else ())}
    check(values, _FIELDS, required=sorted(known - optional_ones))
    if values.get("world"):
        check(values["world"], _WORLD, required=_WORLD, inside="world")
    progress = values.get("progress", {})
    best = {name: optional(number()) for name in progress if name.startswith(BEST_VALID)}
    check(progress, _PROGRESS | best, inside="progress")


def _check_agreement(state: TrainingState, folder: str) -> None:
    if state.samples != state.step * state.global_batch_size:
        raise ValueError(f"samples is {state.samples}, but step {state.step} x global_batch_size "
                         f"{state.global_batch_size} is {state.step * state.global_batch_size}")
    if (told := step_of(folder)) not in (None, state.step):
        raise ValueError(f"step is {state.step}, but the folder is that of step {told}")
    if world := state.world:
        if world["world_size"] % (world["sharding_degree"] * world["mp_degree"]):
            raise ValueError("world.world_size is no multiple of sharding_degree x mp_degree: "
                             f"{world['world_size']}, {world['sharding_degree']} and "
                             f"{world['mp_degree']}")


def write_json(path: Path, values: dict) -> None:
    path.write_text(dump(values), encoding="utf-8")


def dump(values: dict) -> str:
    """JSON text that is the same whenever the values are."""
    return json.dumps(values, indent=2, sort_keys=True) + "\n"
