"""training_state.json: how far a run has come, and what it was trained on.

Format 2 added data, world, precision and progress; a checkpoint of it must have a manifest.json.
Format 1 is still read.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

FILE = "training_state.json"
FORMAT_VERSION = 2
PRETRAINING = "pretraining"


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
    return read_json(path).get("format_version") if path.is_file() else None


def read(path: Path) -> TrainingState:
    """The state in the file; ValueError for another format, and where a field is missing."""
    values = read_json(path)
    version = values.pop("format_version", None)
    if version not in (1, FORMAT_VERSION):
        raise ValueError(f"{path} has format {version}, this version reads 1 to {FORMAT_VERSION}")
    try:
        return TrainingState(**values)
    except TypeError as error:
        raise ValueError(f"{path} is no training state of format {version}: {error}") from None


def read_json(path: Path) -> dict:
    """The object in the file; ValueError names the file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds no JSON object")
    return values


def write_json(path: Path, values: dict) -> None:
    path.write_text(dump(values), encoding="utf-8")


def dump(values: dict) -> str:
    """JSON text that is the same whenever the values are."""
    return json.dumps(values, indent=2, sort_keys=True) + "\n"
