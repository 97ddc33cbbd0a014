"""From a checkpoint directory, of this project or of another, to a model, an optimizer, a state.

Each function verifies the files it reads, where the directory has a manifest.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from paddle_impl.checkpoint import manifest, state
from paddle_impl.checkpoint.state import TrainingState
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.model import GPTForCausalLM
from paddle_impl.optim.optimizer import Optimizer


def load_config(directory: Path) -> ModelConfig:
    """The model's shape from config.json."""
    path = directory / manifest.CONFIG
    if not path.is_file():
        raise ValueError(f"{directory} is no checkpoint: it has no config.json")
    manifest.verify(directory, only=[manifest.CONFIG])
    try:
        return ModelConfig.from_hf(state.read_json(path))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def load_model(directory: Path) -> GPTForCausalLM:
    """The model of a checkpoint directory, ready to read and write text.

    The tokenizer's files are verified too.
    """
    if not directory.is_dir():
        raise ValueError(f"{directory} is no checkpoint directory; bash scripts/run.sh trains one")
    config = load_config(directory)
    manifest.verify(directory, but=[manifest.OPTIMIZER, manifest.WEIGHTS, state.FILE])
    if note := manifest.unchecked(directory):
        warnings.warn(note, stacklevel=2)
    model = GPTForCausalLM(config)
    load_weights(directory, model)
    return model


def load_weights(directory: Path, model) -> None:
    """Fill the model from model.safetensors; ValueError unless every tensor finds its place."""
    path = directory / manifest.WEIGHTS
    manifest.verify(directory, only=[manifest.WEIGHTS])
    try:
        hugging_face.load_weights(model, hugging_face.from_hf(_read_tensors(path)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_state(directory: Path) -> TrainingState | None:
    """The training state, or None for a model that was not trained here.

    Without the file a checkpoint is only weights, even if its manifest lists it: that is how its
    weights start another run.
    """
    if not (directory / state.FILE).is_file():
        return None
    manifest.verify(directory, only=[state.FILE])
    return state.read(directory / state.FILE)


def load_optimizer(directory: Path, optimizer: Optimizer) -> None:
    """Moments and beta powers, as `save` wrote them."""
    path = directory / manifest.OPTIMIZER
    manifest.verify(directory, only=[manifest.OPTIMIZER])
    try:
        optimizer.load_state(_read_tensors(path, _OneByOne))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


class _OneByOne(Mapping):
    """Tensors by name, each read when it is asked for: a process that shards asks for its own."""

    def __init__(self, path: Path):
        self._file = safe_open(path, framework="numpy")
        self._names = self._file.keys()

    def __getitem__(self, name: str) -> np.ndarray:
        return self._file.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _read_tensors(path: Path, reader: Callable = load_file) -> Mapping[str, np.ndarray]:
    try:
        return reader(path)
    except FileNotFoundError:
        raise ValueError("no such file") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(f"damaged or not a safetensors file ({error})") from None
    except TypeError as error:  # bfloat16
        raise ValueError(f"numpy lacks a type of it ({error}): save it as float32") from None
