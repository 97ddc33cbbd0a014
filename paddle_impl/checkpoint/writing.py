"""`save` writes a checkpoint that gets its name only when all of it is on the disk."""

import errno
import math
import os
import re
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from data_tools.files import whole_folder
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.checkpoint import contents, directory, manifest
from paddle_impl.checkpoint.directory import ONE_PROCESS
from paddle_impl.checkpoint.state import FILE, TrainingState, write_json
from paddle_impl.parallel.ranks import Ranks

_FULL = (errno.ENOSPC, errno.EDQUOT)


class NoRoom(OSError):
    """A checkpoint could not be written because the disk is full, over its quota, or failing.

    Earlier checkpoints are complete.
    """


def save(
    output_dir: Path,
    model,
    optimizer,
    state: TrainingState,
    tokenizer: Tokenizer | None,
    keep: int = 0,
    ranks: Ranks = ONE_PROCESS,
) -> Path:
    """Write `output_dir/model_<step>`, under a temporary name until every file is on the disk.

    Every process of the job calls it, and all return together; the main one writes. keep: how many
    of the newest checkpoints remain, 0 for all. NoRoom in every process where the disk cannot take
    it: earlier checkpoints are as they were, and training can go on.
    """
    # All processes gather, tensor by tensor and in this order; only the main one keeps the tensors.
    weights = optimizer.weights(keep=ranks.is_main)
    moments = optimizer.state(keep=ranks.is_main)
    failure = None
    if ranks.is_main:
        try:
            _write(output_dir, contents.files(model, weights), moments, state, tokenizer)
            directory.drop_older(output_dir, state.step, keep)
        except BaseException as error:
            failure = error
    ranks.barrier()  # writing may take longer than a collective call waits
    _share(failure, state.step, ranks)
    return directory.place(output_dir, state.step)


def check_room(
    output_dir: Path, model, shapes: dict[str, tuple[int, ...]], rule, resumed: bool
) -> list[str]:
    """ValueError if the disk cannot take the checkpoints' tensors of a new run, counted in float32.

    A resumed run gets a warning instead: nobody may be there to make room, and it can train on.
    shapes: of the model's entire parameters. rule: the optimizer's UpdateRule.
    """
    trained = contents.trainable(model)
    stored = shapes if contents.adapter_config(model) is None else trained
    needed = 4 * sum(math.prod(shapes[name]) for name in stored) + 4 * sum(
        math.prod(rule.slot_shape(slot, list(shapes[name])))
        for name in trained for slot in rule.slots)
    free = _free(output_dir)
    if free >= needed:
        return []
    lack = (f"a checkpoint needs about {_size(needed)}, {_size(free)} free on {output_dir}: make "
            "room, or name another --output_dir")
    if not resumed:
        raise ValueError(lack)
    return [lack]


def _share(failure: BaseException | None, step: int, ranks: Ranks) -> None:
    """Raise in every process what failed in the main one, or the others would wait for it later."""
    disk, other = isinstance(failure, NoRoom), failure is not None
    disk, other = ranks.world.total(float(disk), float(other))
    if failure is not None:
        raise failure
    if other:
        kind = NoRoom if disk else RuntimeError
        raise kind(f"the main process could not save step {step}, and says why")


def _write(
    output_dir: Path, files: contents.Files, moments: dict[str, np.ndarray],
    state: TrainingState, tokenizer: Tokenizer | None,
) -> None:
    place = directory.place(output_dir, state.step)
    needed = sum(array.nbytes for tensors in (*files.tensors.values(), moments)
                 for array in tensors.values())
    try:
        directory.sweep(output_dir)
        if _free(output_dir) < needed:
            raise OSError(errno.ENOSPC, "seen before writing")
        with whole_folder(place) as temporary:
            _fill(temporary, files, moments, state, tokenizer)
            if place.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place))
    except BaseException as error:
        if (cause := _of_the_disk(error)) is None:
            raise
        raise NoRoom(_message(output_dir, state.step, needed, cause)) from error


def _fill(
    place: Path, files: contents.Files, moments: dict[str, np.ndarray],
    state: TrainingState, tokenizer: Tokenizer | None,
) -> None:
    """Write all files, the manifest last."""
    if tokenizer is not None:
        tokenizer.save(place, model_max_length=files.json[manifest.CONFIG]["n_positions"])
    for name, values in files.json.items():
        write_json(place / name, values)
    for name, tensors in files.tensors.items():
        # transformers refuses a file without this note on the layout of its tensors.
        save_file(tensors, place / name, metadata={"format": "pt"})
    save_file(moments, place / manifest.OPTIMIZER)
    write_json(place / FILE, state.to_json())
    manifest.write(place)
    for file in place.iterdir():
        file.chmod(0o644)  # safetensors leaves its files unreadable to others


def _of_the_disk(error: BaseException) -> OSError | None:
    """The error as an OSError, or None. Rust libraries give its number only in their message."""
    if isinstance(error, OSError):
        return error
    number = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else None


def _message(output_dir: Path, step: int, needed: int, cause: OSError) -> str:
    last = max(directory.checkpoints(output_dir), default=None)
    before = f"the last checkpoint is model_{last}" if last is not None else "there is none before"
    if cause.errno not in _FULL:
        return f"cannot save step {step} in {output_dir}: {cause}; {before}"
    return (f"cannot save step {step}: needs {_size(needed)}, {_size(_free(output_dir))} free on "
            f"{output_dir} ({cause.strerror}); {before}")


def _free(output_dir: Path) -> float:
    """Bytes that are free; infinity where the file system does not say."""
    usage = shutil.disk_usage(next(p for p in (output_dir, *output_dir.parents) if p.exists()))
    return usage.free if usage.total else math.inf


def _size(count: float) -> str:
    for unit, shift in (("GiB", 30), ("MiB", 20)):
        if count >= 0.1 * (1 << shift):
            return f"{count / (1 << shift):.1f} {unit}"
    return f"{count / 1024:.1f} KiB"
