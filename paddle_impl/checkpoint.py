"""A checkpoint is a directory that Hugging Face transformers opens as it is, plus training state.

    config.json model.safetensors           GPT2LMHeadModel
    tokenizer.json vocab.json merges.txt ... AutoTokenizer
    optimizer.safetensors                    moments and beta powers, named after the parameters
    training_state.json                      step, data position, seed, what the data was

Nothing random is stored beyond the seed: every draw is a function of seed, step and rank. No file
holds a time or a path, so equal runs write equal bytes.
"""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from data_tools.tokenizer import Tokenizer
from paddle_impl import convert, optim
from paddle_impl.config.model import ModelConfig
from paddle_impl.model import GPTForCausalLM

FORMAT_VERSION = 1
_NAME = re.compile(r"model_(\d+)$")


@dataclass(frozen=True)
class TrainingState:
    """Where a run stands, and the identity of the data it was trained on."""

    step: int
    samples: int  # consumed by all processes so far
    seed: int
    order_key: str  # of the data, split and window that the training samples come from
    sample_order: str  # digest of their shuffle, which also depends on how many are asked for
    tokenizer: str | None  # fingerprint
    global_batch_size: int
    schedule: dict


def save(
    output_dir: Path,
    model,
    optimizer,
    state: TrainingState,
    tokenizer: Tokenizer | None,
) -> Path:
    """Write `output_dir/model_<step>`, under a temporary name until every file is on the disk."""
    final = output_dir / f"model_{state.step}"
    temporary = output_dir / f".{final.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if tokenizer is not None:
        tokenizer.save(temporary)
    weights = convert.to_hf(model)
    config = model.config.to_hf() | {"dtype": str(next(iter(weights.values())).dtype)}
    _write_json(temporary / "config.json", config)
    # transformers refuses a file without this note on the layout of its tensors.
    save_file(weights, temporary / "model.safetensors", metadata={"format": "pt"})
    save_file(optim.optimizer_state(model, optimizer), temporary / "optimizer.safetensors")
    _write_json(
        temporary / "training_state.json", {"format_version": FORMAT_VERSION, **vars(state)}
    )
    for file in temporary.iterdir():
        file.chmod(0o644)  # safetensors leaves its files unreadable to others
        _sync(file)
    _sync(temporary)
    os.rename(temporary, final)
    _sync(output_dir)
    return final


def newest(output_dir: Path) -> Path | None:
    """The checkpoint of the highest step; unfinished ones have another name."""
    found = checkpoints(output_dir)
    return found[max(found)] if found else None


def checkpoints(output_dir: Path) -> dict[int, Path]:
    """Complete checkpoints by step."""
    if not output_dir.is_dir():
        return {}
    return {
        int(match[1]): path
        for path in output_dir.iterdir()
        if (match := _NAME.fullmatch(path.name)) and (path / "training_state.json").is_file()
    }


def load_config(directory: Path) -> ModelConfig:
    """The model's shape from config.json."""
    path = directory / "config.json"
    if not path.is_file():
        raise ValueError(f"{directory} is no checkpoint: it has no config.json")
    try:
        return ModelConfig.from_hf(_read_json(path))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def load_model(directory: Path) -> GPTForCausalLM:
    """The model of a checkpoint directory, ready to read and write text."""
    if not directory.is_dir():
        raise ValueError(f"{directory} is no checkpoint directory; bash scripts/run.sh trains one")
    model = GPTForCausalLM(load_config(directory))
    load_weights(directory, model)
    return model


def load_weights(directory: Path, model) -> None:
    """Fill the model from model.safetensors; ValueError unless every tensor finds its place."""
    path = directory / "model.safetensors"
    try:
        convert.load_weights(model, convert.from_hf(_read_tensors(path)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_state(directory: Path) -> TrainingState | None:
    """The training state, or None for a model that was not trained here."""
    path = directory / "training_state.json"
    if not path.is_file():
        return None
    values = _read_json(path)
    version = values.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise ValueError(f"{path} has format {version}, this version reads {FORMAT_VERSION}")
    return TrainingState(**values)


def load_optimizer(directory: Path, model, optimizer) -> None:
    """Moments and beta powers, as `save` wrote them."""
    path = directory / "optimizer.safetensors"
    try:
        optim.load_optimizer_state(model, optimizer, _read_tensors(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _read_tensors(path: Path) -> dict[str, np.ndarray]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise ValueError("no such file") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(f"damaged or not a safetensors file ({error})") from None
    except TypeError as error:  # bfloat16
        raise ValueError(f"numpy lacks a type of it ({error}): save it as float32") from None


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def _write_json(path: Path, values: dict) -> None:
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
