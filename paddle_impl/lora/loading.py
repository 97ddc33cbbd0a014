"""A base and an adapter, of this project or of peft -> a model with adapters, or a merged one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_tools.json_fields import read_object
from paddle_impl import checkpoint
from paddle_impl.checkpoint import contents, manifest, weights
from paddle_impl.config.options import require
from paddle_impl.convert import hugging_face, resizing
from paddle_impl.lora.adapter_config import EMBEDDING, AdapterConfig
from paddle_impl.lora.applying import adapters, apply_lora
from paddle_impl.lora.merging import from_peft, merged
from paddle_impl.model import GPTForCausalLM

_PREFIX = "base_model.model."
_HEAD, _ROWS = "lm_head.", f"{EMBEDDING}.weight"
_BASE_ROWS = f"{EMBEDDING}.token_adapter.base_layer.weight"


def read_config(adapter: Path) -> AdapterConfig:
    """What adapter_config.json says; ValueError, which names the key, for what is not built."""
    require(contents.holds_adapter(adapter), f"{adapter} holds no adapter: it has no "
            f"{manifest.ADAPTER_CONFIG}")
    manifest.verify(adapter, only=[manifest.ADAPTER_CONFIG])
    path = adapter / manifest.ADAPTER_CONFIG
    values = read_object(path)
    try:
        return AdapterConfig.of(values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_adapted(base: Path | None, adapter: Path) -> GPTForCausalLM:
    """The language model in `base` with the adapter's layers, whose base is frozen.

    base: None for the one that the adapter names. ValueError where its weights are not those that
    the adapter was trained on, as far as the adapter tells; where the adapter has what is not built
    here; and where a tensor is missing, unknown or of another shape.
    """
    config = read_config(adapter)
    base = base_of(adapter, config) if base is None else base
    checkpoint.check_language_model(base)
    require(config.task_type in (None, "CAUSAL_LM"), f"{adapter} holds an adapter for "
            f"{config.task_type}, {base} is a language model")
    own = contents.weights_sha256(base) if config.base_sha256 else None
    require(own == config.base_sha256, f"{adapter} holds an adapter of "
            f"{config.base_model_name_or_path} with SHA-256 {str(config.base_sha256)[:12]}..., "
            f"{base} has {str(own)[:12]}...: name the weights that it was trained on")
    stored = _Stored.read(adapter)
    shape = checkpoint.load_config(base)
    model = GPTForCausalLM(shape.with_(vocab_size=_vocabulary(adapter, shape, config, stored)))
    checkpoint.load_weights(base, model, grow_vocabulary=True)
    stored.set_embedding(model)
    # Whole rows of the embedding are part of the base here: `stored` has set or compared them.
    saved = tuple(one for one in config.modules_to_save
                  if one != "lm_head" and not f".{EMBEDDING}".endswith(f".{one}"))
    apply_lora(model, replace(config, modules_to_save=saved),
               base=config.base_model_name_or_path or str(base))
    stored.fill(model)
    model.eval()
    return model


def load_merged(base: Path | None, adapter: Path) -> GPTForCausalLM:
    """The same as a plain model, whose weights hold the adapter: for generation and all else."""
    return merged(load_adapted(base, adapter))


def base_of(adapter: Path, config: AdapterConfig) -> Path:
    """The directory that the adapter names as its base; ValueError where there is none."""
    named = config.base_model_name_or_path
    require(bool(named) and Path(named).is_dir(), f"{adapter} is an adapter of {named}, which is "
            "no directory here: name the directory of its base")
    return Path(named)


@dataclass(frozen=True)
class _Stored:
    """The tensors of an adapter file, under the model's names. embedding: the base's rows, where
    the file holds them too, as peft does after it has resized a vocabulary.
    """

    path: Path
    tensors: Mapping[str, np.ndarray]
    embedding: np.ndarray | None

    @classmethod
    def read(cls, adapter: Path) -> "_Stored":
        path = adapter / manifest.ADAPTER
        require(path.is_file() or not (adapter / "adapter_model.bin").is_file(),
                f"{adapter} has its weights in a pickle, adapter_model.bin, which is not read: "
                "open it with peft and write it with save_pretrained(safe_serialization=True)")
        manifest.verify(adapter, only=[manifest.ADAPTER])
        stored = weights.LazyTensors(weights.read_header(path))
        names = {name.removeprefix(_PREFIX): name for name in stored}
        heads = [name for name in names if name.startswith(_HEAD)]
        for name in heads:
            twin = names.get(f"{EMBEDDING}.{name.removeprefix(_HEAD)}")
            require(twin is not None and np.array_equal(stored[names[name]], stored[twin]),
                    f"{path}: {name} differs from the embedding's: an untied head is not supported")
            del names[name]
        rows = names.pop(_BASE_ROWS, None) or (names.pop(_ROWS, None) if heads else None)
        return cls(path, hugging_face.Renamed(stored, names),
                   None if rows is None else stored[rows])

    def set_embedding(self, model: GPTForCausalLM) -> None:
        if self.embedding is not None:
            hugging_face.load_weights(model, {resizing.WTE: self.embedding}, [resizing.WTE])

    def fill(self, model: GPTForCausalLM) -> None:
        """Set what the adapter trains; ValueError unless every tensor finds its place."""
        try:
            own = self._without_embedding(model)
            hugging_face.load_weights(model, own, contents.trainable(model))
            _check_blocks(model)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None

    def _without_embedding(self, model: GPTForCausalLM) -> Mapping[str, np.ndarray]:
        """peft's modules_to_save wte has no effect on the head: the rows must be the base's own."""
        if _ROWS not in self.tensors:
            return self.tensors
        rows, base = self.tensors[_ROWS], model.transformer.wte.weight.numpy()
        require(np.array_equal(rows.astype(base.dtype), base), f"{_ROWS} differs from the base's, "
                "and the head is not saved: in peft it is then no longer tied to the embedding, "
                "which is not supported; train rows with trainable_token_indices")
        return {name: self.tensors[name] for name in self.tensors if name != _ROWS}


def _vocabulary(adapter: Path, shape, config: AdapterConfig, stored: _Stored) -> int:
    """How many tokens the adapted model has: as many as its files tell, or its trained rows."""
    if stored.embedding is not None:
        return len(stored.embedding)
    if (adapter / "config.json").is_file():
        return checkpoint.load_config(adapter).vocab_size
    beyond = [token for token in config.trainable_token_indices if token >= shape.vocab_size]
    every = sorted(beyond) == list(range(shape.vocab_size, shape.vocab_size + len(beyond)))
    return shape.vocab_size + len(beyond) if every else shape.vocab_size


def _check_blocks(model: GPTForCausalLM) -> None:
    for name, layer in adapters(model):
        if layer.blocks is not None:
            a, b = (part.weight.numpy() for part in (layer.lora_A, layer.lora_B))
            try:
                from_peft(a, b, tuple(model.adapter_config["enable_lora"]))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None


def new_tokens(base: Path, vocabulary: int) -> Iterable[int]:
    """The tokens of a model of that vocabulary which the weights in `base` lack."""
    return range(checkpoint.load_config(base).vocab_size, vocabulary)
