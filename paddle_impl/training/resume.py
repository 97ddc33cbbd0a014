"""Where a run starts: the checkpoint, the step, and whether the run may continue it."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState, manifest
from paddle_impl.checkpoint.directory import ONE_PROCESS
from paddle_impl.config.checkpoint import CheckpointOptions
from paddle_impl.config.model import ModelOptions
from paddle_impl.config.options import require
from paddle_impl.config.registry import named_model
from paddle_impl.config.schedule import PADDLENLP
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.tracking import METRICS


class Fact(NamedTuple):
    """Something that must not change when a run is resumed.

    what: its name in messages. key: the field of the training state that holds it; `field.name` is
    an entry of a field that is a dict. mend: what the user can do about a difference, as a text, in
    which {was} is the old value and {moved} a remark if the number of processes changed, or as a
    function of the old value. implied: a difference of an earlier fact implies one here, so this
    fact is compared only if no earlier one differs.
    """

    what: str
    key: str
    mend: str | Callable[[Any], str]
    implied: bool = False


def _precision_flags(precision: str) -> str:
    level, _, dtype = precision.rpartition(" ")
    return f"pass --use_amp --amp_level {level} --dtype {dtype}" if level else "leave out --use_amp"


_UNKNOWN = "not told"
SEED = Fact("seed", "seed", "pass --seed {was}")
PRECISION = Fact("precision", "precision", _precision_flags)
METRIC = Fact("metric of the best checkpoint", "best_metric", "pass --metric_for_best_model {was}")


class Start(NamedTuple):
    """Where a run starts: from the weights in `source`, or from those of a named model if None.

    continues: whether the run goes on after the step in `source`, if it is of the same task.
    """

    source: Path | None
    continues: bool = True


def find_start(
    model: ModelOptions, options: CheckpointOptions, notes: list[str] | None = None,
    ranks: Ranks = ONE_PROCESS,
) -> Start:
    """The start that the flags name.

    All processes call it together. notes: gets a line for each damaged checkpoint that is skipped;
    None makes these Python warnings. ValueError for an unknown model or another model family.
    """
    name, weights = model.model_name_or_path, options.init_from
    if options.resume and (found := checkpoint.newest(Path(options.output_dir), notes, ranks)):
        return Start(found)
    if weights is not None:
        require(Path(weights).is_dir(), f"--init_from {weights} is no directory")
        require(name is None or not Path(name).is_dir(),
                f"--init_from {weights} and --model_name_or_path {name} are both checkpoints: "
                "leave one of them out")
        return Start(Path(weights), continues=False)
    if checkpoint.config_alone(name):
        return Start(None)
    if Path(name).is_dir():
        return Start(Path(name))
    chinese = named_model(name).vocab_size == named_model("gpt-cpm-large-cn").vocab_size
    require(chinese == (model.model_type == "gpt2-cn"),
            f"--model_type {model.model_type} does not go with the model {name}")
    return Start(None)


def check_output(options: CheckpointOptions, start: Start, task: str) -> None:
    """ValueError if output_dir holds another run or cannot be written."""
    state = _own_state(start, task)
    step = state.step if state else 0
    output_dir, source = Path(options.output_dir), start.source
    there = next(path for path in (output_dir, *output_dir.absolute().parents) if path.exists())
    require(there.is_dir() and os.access(there, os.W_OK),
            f"--output_dir {output_dir} cannot be written: {there} is "
            + ("not writable" if there.is_dir() else "no directory"))
    own = checkpoint.checkpoints(output_dir)
    continues = start.continues and source is not None and source.resolve() in {
        path.resolve() for path in own.values()}
    if continues:
        told = checkpoint.load_state(source)
        require(told is None or told.task == task,
                f"--output_dir {output_dir} holds a run of another task: {source.name} is of "
                f"{told and told.task}, this is {task}; name an empty one")
    require(options.resume or continues or not (own or (output_dir / METRICS).exists()),
            f"--output_dir {output_dir} holds another run; continue it with --resume or name an "
            "empty one")
    # With --resume, later checkpoints are damaged ones that were skipped; they are moved later.
    require(options.resume or max(own, default=0) <= step,
            f"{own.get(max(own, default=0))} is later than step {step} of {source}; continue with "
            "--resume or name another --output_dir")


def start_step(
    max_steps: int, start: Start, now: TrainingState, facts: Iterable[Fact]
) -> tuple[int, list[str]]:
    """(the step to continue after, warnings). ValueError if a fact differs from the checkpoint's.

    now: this run's state, for its data and settings. facts: what must be equal. A run that starts
    from weights alone, or from those of another task, starts at step 0.
    """
    source, state = start.source, _own_state(start, now.task)
    if state is None:
        note = manifest.rewritten_since(source) if source else None
        return 0, [note] if note else []
    if others := _differences(facts, state, now):
        raise ValueError(f"{source} was trained with another {'; another '.join(others)}; to train "
                         f"its weights on something else, start anew with --init_from {source}")
    _check_complete(source, state, now)
    notes = [manifest.unchecked(source), _changed_world(source, state, now),
             _changed_schedule(source, state.schedule, now.schedule)]
    if state.sample_order != now.sample_order:
        notes.append(
            f"--max_steps {max_steps} asks for more epochs than {source} did, which "
            "shuffles again: some samples that it has seen are repeated, others come later"
        )
    return state.step, [note for note in notes if note]


def _own_state(start: Start, task: str) -> TrainingState | None:
    """The state of a checkpoint of this task that the run continues; None if there is none."""
    state = checkpoint.load_state(start.source) if start.source and start.continues else None
    return state if state is not None and state.task == task else None


def _check_complete(source: Path, was: TrainingState, now: TrainingState) -> None:
    """ValueError where the state lacks what a run writes; format 1 lacks some of it."""
    if checkpoint.state.format_version(source) == 1:
        return
    lacking = ["precision"] if was.precision is None else []
    for field in ("data", "world", "progress"):
        missing = getattr(now, field).keys() - getattr(was, field).keys()
        lacking += [f"{field}.{name}" for name in sorted(missing)]
    require(not lacking, f"{source / checkpoint.state.FILE} lacks {', '.join(lacking)}")


def _differences(facts: Iterable[Fact], was: TrainingState, now: TrainingState) -> list[str]:
    """The facts that differ, each as `<what>: <old> there, <new> now (<how to mend it>)`."""
    found = []
    for fact in facts:
        old, new = _known(_value(was, fact.key), _value(now, fact.key))
        if old == new or _UNKNOWN in (old, new) or (fact.implied and found):
            continue
        mend = fact.mend(old) if callable(fact.mend) else fact.mend.format(
            was=old, moved=_moved(was, now))
        found.append(f"{fact.what}: {_short(old)} there, {_short(new)} now ({mend})")
    return found


def _value(state: TrainingState, key: str) -> Any:
    """The state's value of a fact's key; _UNKNOWN if the state lacks it."""
    field, _, inside = key.partition(".")
    value = getattr(state, field)
    if inside:
        return value.get(inside, _UNKNOWN)
    return _UNKNOWN if value is None and field in ("precision", "best_metric") else value


def _known(old: Any, new: Any) -> tuple[Any, Any]:
    """Both values; from lists of equal length, entries that are unknown in either are removed."""
    if not (isinstance(old, list) and isinstance(new, list)) or len(old) != len(new):
        return old, new
    pairs = [(a, b) for a, b in zip(old, new, strict=True) if None not in (a, b)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _moved(was: TrainingState, now: TrainingState) -> str:
    """`2 processes there, 1 now: ` if the processes changed, which changes the default batch size.
    """
    old, new = _processes(was), _processes(now)
    return f"{old} there, {new} now: " if was.world and now.world and old != new else ""


def _changed_world(source: Path, was: TrainingState, now: TrainingState) -> str | None:
    """A warning if the number of processes changed; samples continue in the same order anyway."""
    if not (was.world and now.world) or was.world == now.world:
        return None
    note = (f"{source} was trained by {_processes(was)}, now {_processes(now)}: the sample order "
            "continues")
    readers = [state.world["world_size"] // state.world["mp_degree"] for state in (was, now)]
    return note if readers[0] == readers[1] else f"{note}, dropout draws other masks"


def _processes(state: TrainingState) -> str:
    size = state.world.get("world_size", 1)
    words = [f"{size} process{'es' if size > 1 else ''}"]
    words += [f"--{name} {state.world[name]}" for name in ("sharding_degree", "mp_degree")
              if state.world.get(name, 1) > 1]
    return " ".join([words[0], *(["with"] if words[1:] else []), *words[1:]])


def _changed_schedule(source: Path, was: dict, now: dict) -> str | None:
    if "scheduler" in now:  # older checkpoints do not tell it: there was one schedule
        was = {"scheduler": PADDLENLP, "first_step": 1} | was
    told = {name: (was.get(name, _UNKNOWN), now.get(name, _UNKNOWN)) for name in sorted(was | now)}
    changes = [f"{name} {old} there, {new} now" for name, (old, new) in told.items() if old != new]
    if not changes:
        return None
    return f"the settings are not those of {source}: {'; '.join(changes)}"


def _short(value) -> str:
    """The value for a message; digests are cut to 12 digits."""
    if isinstance(value, list):
        return " + ".join(map(_short, value)) or "none"
    if value is None:
        return "none"
    return value[:12] if isinstance(value, str) else str(value)
