"""The weights in a directory, of this project or of Hugging Face's: one safetensors file or shards.

Tensors are numpy arrays under this model's names. Each is read when it is asked for, so that memory
never holds a whole checkpoint beside the model that it fills.
"""

import json
import re
from collections.abc import Iterator, KeysView, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from data_tools.json_fields import read_object
from paddle_impl.checkpoint import manifest
from paddle_impl.convert import hugging_face

# safetensors' names of the types that weights may have. numpy has no bfloat16: it is the upper half
# of a float32.
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_PICKLE = "pytorch_model.bin"
_SHARD = re.compile(r"[^/\\\0]+\.safetensors")


def open_weights(directory: Path, as_stored: bool = False) -> Mapping[str, np.ndarray]:
    """Name -> array, for every tensor of model.safetensors or of the shards that its index names.

    float64, float32 and float16 come as they are stored, bfloat16 as the same numbers in float32.
    Names may have the prefixes `transformer.` and `module.` or not; the causal masks and the tied
    head that old files hold are dropped; as_stored keeps every tensor and its name. ValueError,
    naming the file, where one is missing, damaged or not as the manifest says, where the index and
    the shards disagree, where a tensor has another type, and where the head is not tied.
    """
    manifest.verify(directory, only=file_names(directory))
    tensors = LazyTensors(_stored(directory))
    try:
        return tensors if as_stored else hugging_face.from_hf(tensors)
    except ValueError as error:
        raise ValueError(f"{directory}: {error}") from None


def shapes(directory: Path) -> dict[str, tuple[int, ...]]:
    """Stored name -> shape, by the headers of the files; ValueError where one is damaged."""
    return {name: tensor.shape for name, tensor in _stored(directory).items()}


def file_names(directory: Path) -> list[str]:
    """The files that `open_weights` reads: model.safetensors, or the index and its shards."""
    return [path.name for path in _files(directory)[0]]


@dataclass(frozen=True)
class StoredTensor:
    """Bytes of a mapped file, and what they mean. dtype: safetensors' name of the type."""

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    content: np.ndarray

    def array(self) -> np.ndarray:
        """Mapped from the file and read-only, but for bfloat16, which becomes a new float32 array.
        """
        values = self.content.view(DTYPES[self.dtype])
        if self.dtype == "BF16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        return values.reshape(self.shape)


class LazyTensors(Mapping):
    """Tensors by name, each read when it is asked for."""

    def __init__(self, stored: dict[str, StoredTensor]):
        self._stored = stored

    def __getitem__(self, name: str) -> np.ndarray:
        return self._stored[name].array()

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


def read_header(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one file, of which only the header is read.

    ValueError for a file that is missing or damaged, and for a tensor that is not a floating point
    number of 16 to 64 bits, unless it is a causal mask.
    """
    try:
        with safe_open(path, framework="numpy"):  # checks header, offsets and length
            pass
        content = np.memmap(path, np.uint8, mode="r")
    except FileNotFoundError:
        raise ValueError(f"{path} is missing; save_pretrained of transformers writes it") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged or not a safetensors file ({error})") from None
    start = 8 + int.from_bytes(content[:8].tobytes(), "little")
    found = {}
    for name, entry in json.loads(content[8:start].tobytes()).items():
        if name == "__metadata__":
            continue
        first, end = entry["data_offsets"]
        tensor = StoredTensor(path, name, entry["dtype"], tuple(entry["shape"]),
                              np.asarray(content[start + first : start + end]))
        if entry["dtype"] not in DTYPES and not hugging_face.is_buffer(name):
            raise ValueError(f"{path}: {name} is stored as {entry['dtype']}, not as one of "
                             f"{', '.join(DTYPES)}")
        found[name] = tensor
    return found


def _stored(directory: Path) -> dict[str, StoredTensor]:
    paths, index = _files(directory)
    stored: dict[str, StoredTensor] = {}
    for path in paths[1:] if index else paths:
        found = read_header(path)
        if index:
            _check_shard(path, found.keys(), index)
        stored |= found
    return stored


def _files(directory: Path) -> tuple[list[Path], dict[str, str]]:
    """The files to read, and tensor -> shard; the index is the first file where there are shards.

    Where there is both, one file is read, as by transformers; but shards that were saved into a
    checkpoint since are newer than its file.
    """
    whole, index = directory / manifest.WEIGHTS, directory / manifest.INDEX
    newer = index.is_file() and not manifest.lists(directory, manifest.INDEX)
    if whole.is_file() and not newer:
        return [whole], {}
    if not index.is_file():
        if (directory / _PICKLE).is_file():
            raise ValueError(
                f"{directory / _PICKLE} is a pickle, which is not read here: open it with "
                "transformers and write it with save_pretrained(..., safe_serialization=True)"
            )
        return [whole], {}
    shard_of = read_object(index).get("weight_map")
    if not isinstance(shard_of, dict) or not shard_of:
        raise ValueError(f"{index} is no index of shards: it has no weight_map")
    for name in shard_of.values():
        # A name with a folder in it would read files from elsewhere.
        if not isinstance(name, str) or not _SHARD.fullmatch(name):
            raise ValueError(f"{index} is no index of shards: {name!r} is not the name of a "
                             "safetensors file beside it")
    return [index, *(directory / name for name in sorted(set(shard_of.values())))], shard_of


def _check_shard(path: Path, found: KeysView[str], shard_of: dict[str, str]) -> None:
    """ValueError unless the shard holds exactly the tensors that the index says."""
    told = {name for name, shard in shard_of.items() if shard == path.name}
    missing, extra = sorted(told - found), sorted(found - told)
    if missing or extra:
        raise ValueError(f"{path} does not hold what {manifest.INDEX} says: {len(missing)} missing "
                         f"{missing[:3]}, {len(extra)} unknown {extra[:3]}")
