"""The shape of the model that a run trains: that of weights, or of a new model."""

from pathlib import Path

from paddle_impl import checkpoint
from paddle_impl.config.architecture import ArchitectureOptions
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.options import require
from paddle_impl.config.registry import named_model
from paddle_impl.training.resume import Start

_OWN = ("n_layer", "n_embd", "n_head", "inner", "vocab_size", "n_positions")


def shape_of(
    start: Start, name: str | None, options: ArchitectureOptions, vocabulary: int | None = None
) -> ModelConfig:
    """The shape of the model to start with.

    name: --model_name_or_path, a registry name or a config.json, over which the options' shape is
    laid. vocabulary: how many tokens the data have, None where nothing tells; a new model of a
    shape of its own has so many, unless --vocab_size says more. ValueError where weights that are
    loaded have another shape than the flags say, and for a shape that no model can have.
    """
    told = options.shape()
    if start.source is not None:
        shape = checkpoint.load_config(start.source)
        for flag, value in told.items():
            own = shape.inner if flag == "n_inner" else getattr(shape, flag)
            require(own == value, f"--{flag} {value} is for a new model: the weights in "
                    f"{start.source} have {flag} {own}; leave --{flag} out")
        if name is not None and not start.continues:
            _check_same(start.source, shape, name, _named(name))
        return shape
    shape = _named(name)
    if vocabulary is not None and (told or checkpoint.config_alone(name)):
        told = {"vocab_size": vocabulary} | told
        require(told["vocab_size"] >= vocabulary, f"--vocab_size {told['vocab_size']} is below the "
                f"{vocabulary} tokens of the data: leave it out, or name more")
    try:
        return shape.with_(**told)
    except ValueError as error:
        flags = " ".join(f"--{flag} {value}" for flag, value in options.shape().items())
        raise ValueError(f"{name} with {flags}: {error}") from None


def _named(name: str) -> ModelConfig:
    alone = checkpoint.config_alone(name)
    return named_model(name) if alone is None else checkpoint.read_config(alone)


def _check_same(source: Path, shape: ModelConfig, name: str, named: ModelConfig) -> None:
    for field in _OWN:
        told, own = getattr(shape, field), getattr(named, field)
        require(told == own, f"{source} has {field} {told}, --model_name_or_path {name} {own}: "
                "leave --model_name_or_path out")
