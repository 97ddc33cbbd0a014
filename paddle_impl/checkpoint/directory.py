"""The checkpoints of one output_dir: find the newest, remove old ones, set damaged ones aside."""

import os
import re
import shutil
import warnings
from pathlib import Path

from data_tools.files import target_of
from paddle_impl.checkpoint import manifest, state
from paddle_impl.checkpoint.names import step_of
from paddle_impl.parallel.ranks import Ranks

BEST = "best"  # folder of the checkpoint of the best evaluation
ONE_PROCESS = Ranks()
_TEMPORARY = re.compile(r"\.model_[0-9]+\.tmp")


def place(output_dir: Path, step: int) -> Path:
    return output_dir / f"model_{step}"


def temporary_place(output_dir: Path, step: int) -> Path:
    """Where a checkpoint goes that is about to be removed."""
    return output_dir / f".model_{step}.tmp"


def checkpoints(output_dir: Path) -> dict[int, Path]:
    """Step -> directory, of complete and of damaged checkpoints but not of unfinished ones."""
    if not output_dir.is_dir():
        return {}
    return {
        step: path for path in output_dir.iterdir()
        if (step := step_of(path.name)) is not None and path.is_dir()
    }


def newest(
    output_dir: Path, notes: list[str] | None = None, ranks: Ranks = ONE_PROCESS
) -> Path | None:
    """The checkpoint of the highest step that can be resumed; None where there is none at all.

    A note for each of a higher step, which is damaged or written over by another program, is
    appended to `notes`; left out, it is a warning of Python's. ValueError where all are so. Every
    process calls it; the main one reads and decides, so that all continue from the same one.
    """
    step, failure = 0, None
    if ranks.is_main:
        try:
            found, passed_over = _newest(output_dir)
            step = -1 if found is None else found
            for note in passed_over:
                _tell(note, notes)
        except (ValueError, OSError) as error:
            failure = error
    ranks.barrier()
    step, failed = ranks.world.total(step, failure is not None)
    if failure is not None:
        raise failure
    if failed:
        raise ValueError(f"the main process found no checkpoint to resume in {output_dir}")
    return None if step < 0 else place(output_dir, int(step))


def _newest(output_dir: Path) -> tuple[int | None, list[str]]:
    """The step, and a note for each checkpoint after it that cannot be resumed."""
    found, passed_over = checkpoints(output_dir), []
    for step in sorted(found, reverse=True):
        if wrong := _damage(found[step]):
            passed_over.append(f"{found[step]} is damaged ({wrong})")
            continue
        if wrong := manifest.rewritten_since(found[step]):
            passed_over.append(wrong)
            continue
        state.read(found[step] / state.FILE)  # ValueError for a later format, which is not damage
        return step, [f"{wrong}: continuing from {found[step].name}" for wrong in passed_over]
    if passed_over:
        raise ValueError(f"no checkpoint of {output_dir} can be resumed: {'; '.join(passed_over)}; "
                         "put a copy back, or begin anew in an empty --output_dir")
    return None, []


def make_way(output_dir: Path, step: int) -> list[str]:
    """Prepare output_dir for a run that continues after `step`; returns a note for each change.

    Temporary folders of killed runs are removed. Checkpoints of later steps, from which no run can
    continue, are renamed; in `best` they are removed, since the run writes them again. Only the
    main process calls it, when no other reads output_dir any more.
    """
    sweep(output_dir)
    sweep(output_dir / BEST)
    drop_later(output_dir / BEST, step)
    notes = []
    for late, path in sorted(checkpoints(output_dir).items()):
        if late > step:
            why = "rewritten" if manifest.rewritten_since(path) else "damaged"
            aside = _free_name(path.with_name(f"{why}_{path.name}"))
            os.rename(path, aside)
            notes.append(f"{path} is set aside as {aside.name}")
    return notes


def sweep(output_dir: Path) -> None:
    """Remove the temporary folders of killed runs."""
    for path in output_dir.iterdir() if output_dir.is_dir() else ():
        if _TEMPORARY.fullmatch(path.name) or step_of(target_of(path.name) or "") is not None:
            shutil.rmtree(path, ignore_errors=True)


def drop_older(output_dir: Path, step: int, keep: int) -> None:
    """Remove all but the `keep` newest checkpoints up to `step`, oldest first; 0 keeps all."""
    found = checkpoints(output_dir)
    for old in sorted(number for number in found if number <= step)[: -keep if keep else 0]:
        _drop(found[old], temporary_place(output_dir, old))


def drop_later(output_dir: Path, step: int) -> None:
    """Remove the checkpoints after `step`, which a run that continues from there writes again."""
    for late, path in checkpoints(output_dir).items():
        if late > step:
            _drop(path, temporary_place(output_dir, late))


def _drop(path: Path, temporary: Path) -> None:
    """Rename, then remove: a process killed in between leaves no half checkpoint."""
    if path.is_symlink():
        return  # the checkpoint it points to belongs to somebody else
    try:
        os.rename(path, temporary)
        shutil.rmtree(temporary)
    except OSError as error:
        # The run goes on: the new checkpoint is saved, or will be.
        warnings.warn(f"{path} cannot be removed: {error}", stacklevel=3)


def _damage(path: Path) -> str | None:
    if not (path / state.FILE).is_file():
        return f"{state.FILE}: missing"
    return manifest.problem(path)


def _free_name(path: Path) -> Path:
    number = 1
    free = path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}.{number}")
    return free


def _tell(note: str, notes: list[str] | None) -> None:
    """Append the note, or warn."""
    if notes is None:
        warnings.warn(note, stacklevel=3)
    else:
        notes.append(note)
