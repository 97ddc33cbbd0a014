"""Read a checkpoint directory, of this project or of another program's.

Each function verifies the files that it reads, where the directory has a manifest.
"""

import math
import warnings
from pathlib import Path

from data_tools.json_fields import read_object
from data_tools.tokenizing import tokenizer
from data_tools.tokenizing.any_tokenizer import AnyTokenizer
from paddle_impl.checkpoint import contents, manifest, state, weights
from paddle_impl.checkpoint.state import TrainingState
from paddle_impl.config.classifier import shape_from_hf
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.heads import build
from paddle_impl.model import GPT, GPTForCausalLM
from paddle_impl.optim.optimizer import Optimizer

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".pdparams")


def load_config(directory: Path) -> ModelConfig:
    """The model's shape from config.json, and the content of generation_config.json beside it.

    ValueError where the weights beside it have another shape, by the headers of their files: a
    model that is built before that is known could need any amount of memory.
    """
    path = directory / manifest.CONFIG
    if not path.is_file():
        raise ValueError(f"{directory} is no checkpoint: it has no config.json")
    manifest.verify(directory, only=[manifest.CONFIG])
    values = read_object(path)
    try:
        config = shape_from_hf(values)
        if (beside := directory / manifest.GENERATION).is_file():
            manifest.verify(directory, only=[manifest.GENERATION])
            path, values = beside, read_object(beside)
            config = config.with_(generation_config=values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not contents.holds_adapter(directory) and contents.user_class(directory) is None:
        _check_shape(directory / manifest.CONFIG, config, weights.shapes(directory))
    return config


def config_alone(name: str) -> Path | None:
    """The config.json that a path names without weights: a .json file, or that of a directory that
    holds neither weights nor what a checkpoint of a run has. None for others.
    """
    path = Path(name)
    if path.suffix == ".json" and path.is_file():
        return path
    if not (path / manifest.CONFIG).is_file():
        return None
    whole = any(file.suffix in _WEIGHTS or file.name in (manifest.FILE, manifest.INDEX, state.FILE)
                for file in path.iterdir())
    return None if whole else path / manifest.CONFIG


def read_config(path: Path) -> ModelConfig:
    """The shape that a config.json gives a new model; ValueError if it is not one of GPT-2's.

    Where it has `n_ctx`, the older name of n_positions, both must say the same: in transformers
    n_ctx alone changes nothing.
    """
    values = read_object(path)
    context = values.get("n_ctx")
    if context is not None and values.setdefault("n_positions", context) != context:
        raise ValueError(f"{path}: n_ctx {context} and n_positions {values['n_positions']} are two "
                         "names of one size: set both to the same")
    try:
        return ModelConfig.from_hf(values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _check_shape(path: Path, config: ModelConfig, shapes: dict[str, tuple[int, ...]]) -> None:
    own = vars(config) | {"n_inner": config.inner, "num_labels": len(config.labels)}
    for name, told in hugging_face.told_by(shapes).items():
        if own[name] != told:
            raise ValueError(f"{path}: {name} is {own[name]}, but {told} by the shapes of the "
                             "weights beside it")
    if config.num_parameters() > (stored := sum(map(math.prod, shapes.values()))):
        raise ValueError(f"{path} describes {config.num_parameters()} parameters, the weights "
                         f"beside it are {stored}")


def load_model(directory: Path) -> GPT:
    """The model of a checkpoint directory, of the architecture that its config.json names.

    The tokenizer's files are verified too. ValueError where the directory holds an adapter, whose
    layers only the code that trained it can build.
    """
    if not directory.is_dir():
        raise ValueError(f"{directory} is no checkpoint directory; bash scripts/run.sh trains one")
    contents.check_whole(directory)
    config = load_config(directory)
    _verify_small_files(directory)
    for note in (manifest.unchecked(directory), manifest.rewritten_since(directory)):
        if note:
            warnings.warn(note, stacklevel=2)
    model = build(config, contents.architecture(directory))
    load_weights(directory, model)
    return model


def load_language_model(directory: Path) -> GPTForCausalLM:
    """`load_model` for text; ValueError where the directory holds a model with another head."""
    contents.check_language_model(directory)
    return load_model(directory)


def load_weights(directory: Path, model, grow_vocabulary: bool = False) -> None:
    """Fill the model from the directory's weights; ValueError unless every tensor finds its place.

    See `open_weights` for what is read. An adapter fills the trainable tensors of a model that has
    its layers, see contents.py; ValueError where the model stands on other weights.
    grow_vocabulary: the model may have more tokens than a directory of whole weights; rows of new
    tokens become the mean of the others.
    """
    if contents.holds_adapter(directory):
        contents.load_adapter(directory, model)
        return
    contents.check_fits(directory, model)
    opened = weights.open_weights(directory, contents.user_class(directory) is not None)
    try:
        hugging_face.load_weights(model, opened, grow_vocabulary=grow_vocabulary)
    except ValueError as error:
        raise ValueError(f"{directory}: {error}") from None


def load_tokenizer(directory: Path) -> AnyTokenizer | None:
    """The tokenizer beside the weights; None where there is none, or none of a known kind."""
    _verify_small_files(directory)
    try:
        return tokenizer.load_tokenizer(directory)
    except ValueError:
        return None


def load_state(directory: Path) -> TrainingState | None:
    """The training state; None for a model that was not trained here.

    A checkpoint without the file counts as weights alone, even if its manifest lists the file: a
    user removes it to start another run from these weights. So does one that another program has
    written over.
    """
    if not (directory / state.FILE).is_file() or manifest.rewritten_since(directory):
        return None
    manifest.verify(directory, only=[state.FILE])
    return state.read(directory / state.FILE)


def load_optimizer(directory: Path, optimizer: Optimizer) -> None:
    """Set the optimizer's moments and beta powers to those that `save` wrote."""
    path = directory / manifest.OPTIMIZER
    manifest.verify(directory, only=[manifest.OPTIMIZER])
    # Each tensor is read when it is asked for: a process that shards asks for its own alone.
    moments = weights.LazyTensors(weights.read_header(path))
    try:
        optimizer.load_state(moments)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _verify_small_files(directory: Path) -> None:
    """All but the tensors and the training state, which are verified when they are read."""
    manifest.verify(directory, but=[manifest.OPTIMIZER, manifest.ADAPTER, state.FILE,
                                    *weights.file_names(directory)])
