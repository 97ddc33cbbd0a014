"""--model_class: a class of the user's in GPT-2's place, and what it must offer."""

import functools
import importlib
import inspect
import os
import sys
from typing import Protocol

import paddle
from paddle import nn

from paddle_impl import checkpoint, model
from paddle_impl.config.model import LANGUAGE_MODEL, ModelConfig, is_user_class
from paddle_impl.config.options import require
from paddle_impl.config.run import RunConfig
from paddle_impl.heads import ARCHITECTURES
from paddle_impl.parallel.tensor import WHOLE
from paddle_impl.training.resume import Start


class LanguageModel(Protocol):
    """What a class must offer, beside being a paddle.nn.Layer, to be trained, measured and saved.

    What is trained and saved are its parameters, under the names of `named_parameters`. Buffers
    must not be persistable, for a checkpoint has none. Training calls the model itself and none of
    its other methods. A subclass of paddle_impl.model.GPTForCausalLM has all of this already and
    may change any part, such as a layer or `forward`.
    """

    config: ModelConfig  # the one that it was built with

    def __init__(self, config: ModelConfig):
        """Build it. config: shape, dropout and end tokens, with the names of GPT2Config."""

    def forward(self, input_ids: paddle.Tensor, **rows: paddle.Tensor) -> paddle.Tensor:
        """input_ids (B, T) int64 -> logits (B, T, V) of the next token, V = config.vocab_size.

        No logit may depend on a later token. rows: attention_mask, position_ids and segments of
        padded or packed rows; only a task whose batches have them gives them.
        """

    def initialize(self, seed: int) -> None:
        """Set every parameter; the same seed gives the same values, in every process.

        A subclass of GPTForCausalLM may leave it out: then paddle_impl.model.initialize does it.
        """


def chosen(config: RunConfig, start: Start, continues: bool) -> str | None:
    """The user's class that the run trains, as module:Class, ready to be built; None for GPT-2's.

    It is that of --model_class; a run that --resume continues has that of its checkpoint.
    ValueError for another class than the checkpoint's, for one that cannot be imported or lacks
    something, and for flags that no class of a user's goes with.
    """
    told = config.architecture.model_class
    if continues:
        recorded = checkpoint.user_class(start.source)
        require(told is None or told == recorded, f"{start.source} was trained with another model "
                f"class: {recorded or LANGUAGE_MODEL} there, {told} now")
        require(recorded == told or config.checkpoint.resume, f"{start.source} holds a model of "
                f"the class {recorded}: name it with --model_class {recorded}")
        told = recorded
    if told is None:
        return None
    parallel = config.parallel
    for flag, given in (
        ("mp_degree", parallel.mp_degree > 1), ("use_recompute", parallel.use_recompute),
        ("sharding_stage", parallel.sharding_stage == 3),
        ("test_file", config.validation.test_file is not None),
    ):
        require(not given, f"--{flag} works with GPT-2's own layers only, not with --model_class "
                f"{told}: leave it out")
    ARCHITECTURES[told] = _complete(load_class(told), told)
    return told


def load_class(name: str) -> type[nn.Layer]:
    """The class that module:Class names. Modules of the current folder are found too.

    ValueError where it cannot be imported, and where it lacks something of LanguageModel.
    """
    module, _, within = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        found = getattr(importlib.import_module(module), within, None)
    except Exception as error:  # whatever the user's code raises
        raise ValueError(f"--model_class {name}: {module} cannot be imported, {_said(error)}; a "
                         "module is found in the current folder and on PYTHONPATH") from error
    require(found is not None, f"--model_class {name}: {module} has no {within}")
    require(isinstance(found, type),
            f"--model_class {name} is a {type(found).__name__}, expected a class")
    require(issubclass(found, nn.Layer), f"--model_class {name} is no subclass of paddle.nn.Layer")
    missing = [] if found.forward is not nn.Layer.forward else ["forward"]
    if not issubclass(found, model.GPTForCausalLM) and not callable(
            getattr(found, "initialize", None)):
        missing.append("initialize")
    require(not missing, f"--model_class {name} lacks {' and '.join(missing)}: see LanguageModel "
            "in paddle_impl/training/model_class.py")
    for method, what in ((found.__init__, "config"), (found.forward, "input_ids")):
        try:
            inspect.signature(method).bind(None, None)
        except TypeError as error:
            raise ValueError(f"--model_class {name}: {method.__name__} must take {what} alone, "
                             f"{error}") from None
    return found


def initialize(built, seed: int) -> None:
    """Set the weights of a new model from the seed."""
    own = getattr(built, "initialize", None)
    if own is None:
        model.initialize(built, seed)
    else:
        _called(built.architecture, own, seed)


def check(built) -> None:
    """ValueError where a model of a user's class is not what LanguageModel says."""
    name = built.architecture
    if not is_user_class(name):
        return
    parameters = {id(parameter) for parameter in built.parameters()}
    require(bool(parameters), f"--model_class {name} has no parameters")
    state = [key for key, tensor in built.state_dict().items() if id(tensor) not in parameters]
    require(not state, f"--model_class {name}: the buffer {', '.join(state)} would be missing from "
            "checkpoints, register it with persistable=False")
    length, size = min(8, built.config.n_positions), built.config.vocab_size
    ids = paddle.zeros([2, length], "int64")
    ids[1, -1] = size - 1
    built.eval()
    with paddle.no_grad():
        logits = _called(name, built, ids)
    built.train()
    told = f"{logits.dtype} {list(logits.shape)}" if isinstance(logits, paddle.Tensor) \
        else type(logits).__name__
    require(isinstance(logits, paddle.Tensor) and logits.is_floating_point()
            and list(logits.shape) == [2, length, size], f"--model_class {name}: forward gives "
            f"{told} for input_ids [2, {length}], expected logits [2, {length}, {size}]")
    one, other = logits[:, :-1].astype("float64").numpy()
    require(abs(one - other).max(initial=0.0) <= 1e-5 * max(1.0, abs(one).max(initial=0.0)),
            f"--model_class {name} is not causal: a logit depends on a later token")


def seen(built):
    """The model as an objective may call it: of a user's class nothing but `forward` counts."""
    return _Seen(built) if is_user_class(built.architecture) else built


class _Seen:
    """A user's model with the other names by which an objective calls GPTForCausalLM."""

    parts = WHOLE

    def __init__(self, built):
        self._built, self.config = built, built.config

    def __call__(self, input_ids: paddle.Tensor, **rows: paddle.Tensor) -> paddle.Tensor:
        return self._built(input_ids, **rows)

    own_logits = __call__


def _complete(found: type[nn.Layer], name: str) -> type[nn.Layer]:
    """A subclass with what the rest of the project asks of a model, and with the class's name."""

    def __init__(self, config, parts=WHOLE):
        _called(name, functools.partial(found.__init__, self), config)
        require(getattr(self, "config", None) == config,
                f"--model_class {name} must keep the config that it is given as self.config")

    def whole_shapes(self):
        return {name: tuple(value.shape) for name, value in self.named_parameters()}

    return type(found.__name__, (found,), {
        "__init__": __init__, "__module__": found.__module__, "__doc__": found.__doc__,
        "architecture": name, "parts": WHOLE, "recompute": False, "whole_shapes": whole_shapes})


def _called(name: str, function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:  # whatever the user's code raises
        raise ValueError(f"--model_class {name} fails: {_said(error)}") from error


def _said(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
