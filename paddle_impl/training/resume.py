"""Where a run starts: from which files, after which step, and whether that is the same run."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState, manifest
from paddle_impl.checkpoint.directory import ONE_PROCESS
from paddle_impl.config.checkpoint import CheckpointOptions
from paddle_impl.config.model import ModelOptions, named_model
from paddle_impl.config.options import require
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.tracking import METRICS


class Fact(NamedTuple):
    """Something that is the same in a run and in its continuation, or it is another run.

    what: as a message names it. key: the field of the training state that holds it; a dot leads
    into an object. mend: what to do about a difference; a text in which {was} is the old value and
    {moved} says that the number of processes changed, or a function of the old value. implied: the
    fact differs wherever an earlier one does, and is compared only where none does.
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


def find_source(
    model: ModelOptions, options: CheckpointOptions, notes: list[str] | None = None,
    ranks: Ranks = ONE_PROCESS,
) -> Path | None:
    """The checkpoint directory to start from, or None to initialise a named model.

    All processes call it together. notes: is told of damaged checkpoints that were passed over;
    left out, Python's warnings are.
    """
    name = model.model_name_or_path
    if options.resume and (found := checkpoint.newest(Path(options.output_dir), notes, ranks)):
        return found
    if Path(name).is_dir():
        return Path(name)
    chinese = named_model(name).vocab_size == named_model("gpt-cpm-large-cn").vocab_size
    require(chinese == (model.model_type == "gpt2-cn"),
            f"--model_type {model.model_type} does not go with the model {name}")
    return None


def check_output(
    options: CheckpointOptions, max_steps: int, source: Path | None, task: str
) -> None:
    """ValueError where output_dir holds another run, or no step is left to take."""
    state = _own_state(source, task)
    step = state.step if state else 0
    output_dir = Path(options.output_dir)
    there = next(path for path in (output_dir, *output_dir.absolute().parents) if path.exists())
    require(there.is_dir() and os.access(there, os.W_OK),
            f"--output_dir {output_dir} cannot be written: {there} is "
            + ("not writable" if there.is_dir() else "no directory"))
    own = checkpoint.checkpoints(output_dir)
    if source is not None and source.resolve() in {path.resolve() for path in own.values()}:
        told = checkpoint.load_state(source)
        require(told is None or told.task == task,
                f"--output_dir {output_dir} holds a run of another task: {source.name} is of "
                f"{told and told.task}, this is {task}; name an empty one")
    continues = options.resume or (
        source is not None and source.resolve() in {path.resolve() for path in own.values()}
    )
    require(continues or not (own or (output_dir / METRICS).exists()),
            f"--output_dir {output_dir} holds another run; continue it with --resume or name an "
            "empty one")
    # What --resume has passed over is damaged, and will be set aside.
    require(options.resume or max(own, default=0) <= step,
            f"{own.get(max(own, default=0))} is later than step {step} of {source}; continue with "
            "--resume or name another --output_dir")
    require(step < max_steps, f"{source} is at step {step} already; --max_steps is {max_steps}")


def start_step(
    max_steps: int, source: Path | None, now: TrainingState, facts: Iterable[Fact]
) -> tuple[int, list[str]]:
    """(the step to continue after, warnings); ValueError where it would not be the same run.

    `now` is this run's state, of which only what it is trained on, and how, counts. facts: what
    must be the same. The weights of another task are where a run starts, at step 0.
    """
    state = _own_state(source, now.task)
    if state is None:
        return 0, []
    if others := _differences(facts, state, now):
        raise ValueError(f"{source} was trained with another {'; another '.join(others)}; to train "
                         "its weights on something else, copy the directory without "
                         "training_state.json")
    notes = [manifest.unchecked(source), _changed_world(source, state, now),
             _changed_schedule(source, state.schedule, now.schedule)]
    if state.sample_order != now.sample_order:
        notes.append(
            f"--max_steps {max_steps} asks for more epochs than {source} did, which "
            "shuffles anew: some samples it has seen come again, others later"
        )
    return state.step, [note for note in notes if note]


def _own_state(source: Path | None, task: str) -> TrainingState | None:
    """The state of a checkpoint of this task; None where there is nothing to continue."""
    state = checkpoint.load_state(source) if source else None
    return state if state is not None and state.task == task else None


def _differences(facts: Iterable[Fact], was: TrainingState, now: TrainingState) -> list[str]:
    """What makes it another run, each as `<what>: <old> there, <new> now (<what mends it>)`."""
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
    """What the state holds under the key; _UNKNOWN where it does not tell."""
    field, _, inside = key.partition(".")
    value = getattr(state, field)
    if inside:
        return value.get(inside, _UNKNOWN)
    return _UNKNOWN if value is None and field == "precision" else value


def _known(old: Any, new: Any) -> tuple[Any, Any]:
    """Both; of lists of one length without the digests that only one of them knows."""
    if not (isinstance(old, list) and isinstance(new, list)) or len(old) != len(new):
        return old, new
    pairs = [(a, b) for a, b in zip(old, new, strict=True) if a and b]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _moved(was: TrainingState, now: TrainingState) -> str:
    """`2 processes there, 1 now: ` where the world changed, and with it the default batch."""
    old, new = _processes(was), _processes(now)
    return f"{old} there, {new} now: " if was.world and now.world and old != new else ""


def _changed_world(source: Path, was: TrainingState, now: TrainingState) -> str | None:
    """Processes may come and go: samples are numbered over all of them."""
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
    changes = [f"{name} {was.get(name)} there, {now.get(name)} now"
               for name in sorted(was) if was[name] != now.get(name)]
    if not changes:
        return None
    return f"the settings are not those of {source}: {'; '.join(changes)}"


def _short(value) -> str:
    """Digests by their first 12 digits."""
    if isinstance(value, list):
        return " + ".join(map(_short, value)) or "none"
    if value is None:
        return "none"
    return value[:12] if isinstance(value, str) else str(value)
