"""Weights & Biases, in output/wandb: project WANDB_PROJECT or "gpt", mode WANDB_MODE.

A resumed run uses the id in output/wandb_run.json again. W&B cannot remove rows, so steps that a
resumed run computes again are there twice. W&B drops rows whose step is below the last one, so the
step is logged as a value and W&B's own step is not used.
"""

import json
import os
import uuid
from pathlib import Path

import wandb

from data_tools.files import whole_file
from data_tools.json_fields import optional, read_object, text

_RUN = "wandb_run.json"
_IDENTITY = dict.fromkeys(("id", "project"), optional(text()))
_OFFLINE = ("offline", "dryrun")


class WandbSink:
    def __init__(self, output_dir: Path, config: dict):
        identity = _identity(output_dir / _RUN)
        offline = os.environ.get("WANDB_MODE") in _OFFLINE
        self._run = wandb.init(
            dir=str(output_dir), config=config, **identity,
            # Offline, `resume` has no effect but a warning; `wandb sync` joins runs of one id.
            resume=None if offline else "allow",
        )
        _keep(output_dir / _RUN, identity)  # after init, so that a refused run leaves no file
        self._run.define_metric("*", step_metric="step")

    def scalars(self, step: int, values: dict[str, float]) -> None:
        self._run.log({"step": step, **values})

    def completions(self, step: int, title: str, pairs: list[tuple[str, str]]) -> None:
        table = wandb.Table(columns=["prompt", "text"], data=[list(pair) for pair in pairs])
        self._run.log({"step": step, title: table})

    def close(self) -> None:
        self._run.finish()
        wandb.teardown()  # the file of an offline run is written after finish() returns


def open_sink(output_dir: Path, start_step: int, config: dict) -> WandbSink:
    return WandbSink(output_dir, config)


def _identity(path: Path) -> dict[str, str]:
    """The run's id and project from `path`, or new ones. WANDB_PROJECT overrides the project."""
    known = read_object(path, _IDENTITY) if path.exists() else {}
    return {
        "id": known.get("id") or uuid.uuid4().hex[:8],
        "project": os.environ.get("WANDB_PROJECT") or known.get("project") or "gpt",
    }


def _keep(path: Path, identity: dict[str, str]) -> None:
    with whole_file(path) as file:
        file.write(json.dumps(identity).encode() + b"\n")
