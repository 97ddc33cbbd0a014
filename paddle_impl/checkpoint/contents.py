"""What a checkpoint holds: a whole model, by the name of its architecture, or an adapter.

An adapter is the trainable tensors of a model whose other tensors are frozen, in the files that the
library peft has for them. Its model carries `adapter_config`, a dict with peft's keys, of which
`base_model_name_or_path` names the directory of the frozen weights. `base_sha256`, which is not
peft's, tells them from others; where it is missing it is computed from that directory, once.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_tools.files import checksums
from data_tools.json_fields import optional, read_object, text
from paddle_impl.checkpoint import manifest
from paddle_impl.checkpoint.weights import LazyTensors, file_names, read_header
from paddle_impl.config.model import HF_FIELDS, LANGUAGE_MODEL, is_user_class
from paddle_impl.config.options import require
from paddle_impl.convert import hugging_face
from paddle_impl.heads import ARCHITECTURES

BASE, BASE_SHA256 = "base_model_name_or_path", "base_sha256"
_RECORDED = dict.fromkeys((BASE, BASE_SHA256), optional(text()))
_PREFIX = "base_model.model."  # peft's, before the names of the model's tensors


@dataclass(frozen=True)
class Files:
    """What a checkpoint stores of a model, by file name."""

    json: dict[str, dict]
    tensors: dict[str, dict[str, np.ndarray]]


def trainable(model) -> list[str]:
    """The names of the parameters that training changes."""
    return [name for name, parameter in model.named_parameters() if not parameter.stop_gradient]


def files(model, weights: dict[str, np.ndarray]) -> Files:
    """The files of a checkpoint. weights: all tensors of the model by name, frozen ones too."""
    adapter = adapter_config(model)
    if adapter is not None:
        weights = {name: weights[name] for name in trainable(model)}
    config = model.config.to_hf(model.architecture)
    config |= {"dtype": str(next(iter(weights.values())).dtype)}
    told = {manifest.CONFIG: config}
    if model.config.generation_config is not None:
        told[manifest.GENERATION] = model.config.generation_config
    if adapter is None:
        return Files(told, {manifest.WEIGHTS: weights})
    recorded = adapter | {BASE_SHA256: base_sha256(model)}
    return Files(told | {manifest.ADAPTER_CONFIG: recorded},
                 {manifest.ADAPTER: {_PREFIX + name: array for name, array in weights.items()}})


def architecture(directory: Path) -> str:
    """What config.json says; ValueError where it names a model that is not known here.

    GPT2Model is the language model without its head, which is tied, so both have the same tensors.
    So has a file that names nothing.
    """
    found = _named(directory)
    if found == "GPT2Model":
        return LANGUAGE_MODEL
    require(found in ARCHITECTURES or not is_user_class(found),
            f"{directory} holds a model of the user's class {found}: only a run with --model_class "
            f"{found} opens it")
    if found not in ARCHITECTURES:
        raise ValueError(f"{directory} holds a {found}, which is not known; "
                         f"known: {', '.join(ARCHITECTURES)}")
    return found


def user_class(directory: Path) -> str | None:
    """The class of --model_class that the directory's model has; None for one of GPT-2's."""
    found = _named(directory)
    return found if is_user_class(found) else None


def _named(directory: Path) -> str:
    path = directory / manifest.CONFIG
    manifest.verify(directory, only=[manifest.CONFIG])
    named = read_object(path, HF_FIELDS).get("architectures") if path.is_file() else None
    return named[0] if named else "GPT2Model"


def check_whole(directory: Path) -> None:
    """ValueError where the directory holds an adapter."""
    if (recorded := _recorded(directory)) is not None:
        raise ValueError(f"{directory} holds an adapter of {recorded.get(BASE)}, not a whole "
                         f"model: name {recorded.get(BASE)}, or a checkpoint of the merged weights")


def check_language_model(directory: Path) -> None:
    """ValueError where the directory holds something else than a whole language model."""
    check_whole(directory)
    if (found := architecture(directory)) != LANGUAGE_MODEL:
        raise ValueError(f"{directory} holds a {found}, text needs a {LANGUAGE_MODEL}")


def check_fits(directory: Path, model) -> None:
    """ValueError where the directory holds another kind of model than this one.

    A class of a user's takes the weights of the class that it is a subclass of.
    """
    found = architecture(directory)
    if found != model.architecture and not isinstance(model, ARCHITECTURES[found]):
        raise ValueError(f"{directory} holds a {found}, this model is a {model.architecture}")


def adapter_config(model) -> dict | None:
    """Of a model whose checkpoints are adapters; None for others."""
    return getattr(model, "adapter_config", None)


def load_adapter(directory: Path, model) -> None:
    """Fill the trainable tensors of a model that stands on the base which the adapter records."""
    if adapter_config(model) is None:
        check_whole(directory)
    recorded = _recorded(directory)
    told, own = _base_sha256(recorded), base_sha256(model)
    if told != own:
        raise ValueError(
            f"{directory} holds an adapter of {recorded.get(BASE)} ({_short(told)}), this model "
            f"stands on {model.adapter_config.get(BASE)} ({_short(own)}): name the weights that "
            "the adapter was trained on"
        )
    manifest.verify(directory, only=[manifest.ADAPTER])
    path = directory / manifest.ADAPTER
    stored = LazyTensors(read_header(path))
    names = {name.removeprefix(_PREFIX): name for name in stored}
    try:
        hugging_face.load_weights(model, hugging_face.Renamed(stored, names), trainable(model))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def holds_adapter(directory: Path) -> bool:
    """Not where another program has put an adapter beside whole weights of a run."""
    return any((directory / name).is_file() and manifest.lists(directory, name)
               for name in (manifest.ADAPTER_CONFIG, manifest.ADAPTER))


def base_sha256(model) -> str:
    """Of the weights that the adapter's model stands on, computed once and kept with the model."""
    config = model.adapter_config
    if BASE_SHA256 not in config:
        base = Path(config[BASE])
        if not base.is_dir():
            raise ValueError(f"the adapter's {BASE}, {base}, is no directory, so its weights "
                             f"cannot be told from others: name one, or give {BASE_SHA256}")
        model.adapter_config = config | {BASE_SHA256: weights_sha256(base)}
    return model.adapter_config[BASE_SHA256]


def weights_sha256(directory: Path) -> str:
    """Of model.safetensors; of shards that of the lines which sha256sum prints of them, by name."""
    shards = [name for name in file_names(directory) if name != manifest.INDEX]
    sums = {name: checksums(directory / name)["sha256"] for name in shards}
    if shards == [manifest.WEIGHTS]:
        return sums[manifest.WEIGHTS]
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _recorded(directory: Path) -> dict | None:
    """adapter_config.json; None in a directory without an adapter."""
    if not holds_adapter(directory):
        return None
    manifest.verify(directory, only=[manifest.ADAPTER_CONFIG])
    return read_object(directory / manifest.ADAPTER_CONFIG, _RECORDED)


def _base_sha256(recorded: dict):
    """What adapter_config.json says, or the base that it names; None where neither tells."""
    base = recorded.get(BASE)
    if BASE_SHA256 not in recorded and isinstance(base, str) and Path(base).is_dir():
        return weights_sha256(Path(base))
    return recorded.get(BASE_SHA256)


def _short(digest) -> str:
    return f"SHA-256 {digest[:12]}..." if isinstance(digest, str) else "no SHA-256 recorded"
