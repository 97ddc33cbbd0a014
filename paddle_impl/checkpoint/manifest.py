"""manifest.json: size and SHA-256 of every file of a checkpoint. It is written last.

With it a file that was truncated, lost or changed after the save is recognised before it is used.
Hashing takes about a second a GiB (measured: 0.95 GiB/s on one core), at each save and each load.
"""

from collections.abc import Collection
from pathlib import Path

from data_tools.files import checksums
from data_tools.json_fields import read_object
from paddle_impl.checkpoint import rewritten, state

FILE = "manifest.json"
CONFIG, WEIGHTS, OPTIMIZER = "config.json", "model.safetensors", "optimizer.safetensors"
INDEX = f"{WEIGHTS}.index.json"  # names the shards of weights that are not one file
GENERATION = "generation_config.json"  # of checkpoints that started from a directory with one
ADAPTER, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
FORMAT_VERSION = 1


def write(directory: Path) -> Path:
    """Write the manifest of all files in the directory, which must have no subdirectories."""
    files = {path.name: checksums(path) for path in directory.iterdir()}
    state.write_json(directory / FILE, {"format_version": FORMAT_VERSION, "files": files})
    return directory / FILE


def verify(directory: Path, only: Collection[str] = (), but: Collection[str] = ()) -> None:
    """ValueError, naming the file, where one is not as it was saved.

    only: check these files. but: check all other files. Directories of other programs and those of
    format 1 have no manifest and pass; see `unchecked`. So do files that transformers or peft have
    replaced; see `rewritten_since`.
    """
    if found := problem(directory, only, but):
        raise ValueError(f"{directory}/{found}; copy it again or take another checkpoint")


def problem(
    directory: Path, only: Collection[str] = (), but: Collection[str] = ()
) -> str | None:
    """`<file>: <what is wrong>` for the first file that is not as it was saved, else None.

    The arguments are those of `verify`.
    """
    if not (directory / FILE).is_file():
        return _why_without(directory)
    try:
        told = _read(directory / FILE)
    except ValueError as error:
        return f"{FILE}: damaged, {error}"
    replaced = rewritten.replaced(directory)
    for name in sorted(only or (told.keys() | required(told)).difference(but)):
        if replaced(name) or name == GENERATION and name not in told:
            continue
        if name not in told:
            return f"{FILE}: damaged, it does not list {name}"
        if wrong := _difference(directory / name, told[name]):
            return f"{name}: {wrong}"
    return None


def unchecked(directory: Path) -> str | None:
    """A warning where the checkpoint is of format 1, which had no manifest."""
    if (directory / FILE).is_file() or state.format_version(directory) != 1:
        return None
    return f"{directory} is of format 1, without {FILE}: damage to its files may go unseen"


def rewritten_since(directory: Path) -> str | None:
    """A warning where another program has saved a model or a tokenizer into the checkpoint.

    What is there is whole and can be used, but it is not what the run had: the run cannot continue
    from it.
    """
    if not (directory / FILE).is_file():
        return None
    try:
        told = _read(directory / FILE)
    except ValueError:
        return None
    replaced = rewritten.replaced(directory)
    names = filter(replaced, {path.name for path in directory.iterdir()} | told.keys())
    changes = [f"{name} {_change(directory / name, told.get(name))}" for name in sorted(names)
               if name not in told or _difference(directory / name, told[name])]
    if not changes:
        return None
    apart = ", without the adapter" if replaced(ADAPTER) and ADAPTER not in told else ""
    return (f"{directory} was written over by transformers or peft ({', '.join(changes)}): its "
            f"weights are used{apart}, training cannot be resumed from it")


def _change(path: Path, told: dict | None) -> str:
    if told is None:
        return "added"
    return "replaced" if path.is_file() else "removed"


def lists(directory: Path, name: str) -> bool:
    """Whether a file belongs to the directory, going by the manifest where there is one."""
    try:
        return not (directory / FILE).is_file() or name in _read(directory / FILE)
    except ValueError:  # a damaged manifest, which `verify` reports
        return True


def required(told: Collection[str]) -> set[str]:
    """The files that a checkpoint must have, going by those that its manifest lists."""
    if ADAPTER in told or ADAPTER_CONFIG in told:
        content = {ADAPTER, ADAPTER_CONFIG}
    else:
        content = {INDEX} if INDEX in told else {WEIGHTS}
    return {CONFIG, OPTIMIZER, state.FILE} | content


def _why_without(directory: Path) -> str | None:
    """What is wrong with a directory that has no manifest; None where it needs none."""
    try:
        version = state.format_version(directory)
    except ValueError as error:
        return f"{state.FILE}: damaged, {error}"
    if version is None and (directory / state.FILE).is_file():
        return f"{state.FILE}: damaged, it names no format"
    return None if version in (None, 1) else f"{FILE}: missing"


def _read(path: Path) -> dict[str, dict]:
    """File name -> bytes and sha256; ValueError unless the file is exactly what `write` writes."""
    told = read_object(path)
    files = told.get("files")
    if told.get("format_version") != FORMAT_VERSION or not (
        isinstance(files, dict) and all(_complete(sums) for sums in files.values())
    ):
        raise ValueError(f"it is no manifest of format {FORMAT_VERSION}")
    if path.read_bytes() != state.dump(told).encode():
        raise ValueError("it is not as it was written")
    return files


def _complete(sums) -> bool:
    return isinstance(sums, dict) and sums.keys() == {"bytes", "sha256"}


def _difference(path: Path, told: dict) -> str | None:
    """How the file differs from its entry in the manifest; None where it does not."""
    if not path.is_file():
        return "missing"
    try:
        # The size comes first: it is read in no time, and a wrong one says more than a wrong hash.
        size = path.stat().st_size
        found = {"bytes": size} if size != told["bytes"] else checksums(path)
    except OSError as error:
        return f"damaged, it cannot be read ({error.strerror})"
    if found == told:
        return None
    if "sha256" not in found:
        return f"damaged, {size} bytes where {FILE} says {told['bytes']}"
    return f"damaged, its SHA-256 is not that of {FILE}"
