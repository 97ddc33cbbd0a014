"""Hugging Face GPT-2 tensors <-> this model, by name; every key consumed and every shape checked.

Values need no change: Paddle's Linear and HF GPT-2's Conv1D both store [in, out].
"""

import re
from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping

import numpy as np

from paddle_impl.convert import resizing

_BUFFER = re.compile(r"h\.\d+\.attn\.(bias|masked_bias)$")
# The fields of config.json that are the sizes of a tensor.
_TELLS = {
    "score.weight": ("num_labels", "n_embd"), "lm_head.weight": ("vocab_size", "n_embd"),
    "wte.weight": ("vocab_size", "n_embd"), "wpe.weight": ("n_positions", "n_embd"),
    "h.0.mlp.c_fc.weight": ("n_embd", "n_inner"),
}
_BODY = re.compile(r"(wte|wpe|h|ln_f)\.")
# What torch puts into the names of a model that is wrapped for training or compiled.
_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_HEAD = "lm_head.weight"
FLOATS = ("float64", "float32", "float16")  # numpy has no bfloat16, which comes as float32


def is_buffer(name: str) -> bool:
    """Whether an HF name is that of a causal mask, which old checkpoints stored."""
    return bool(_BUFFER.match(_bare(name)))


def told_by(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """The fields of config.json that the shapes of tensors with HF's names tell."""
    bare = {_bare(name): shape for name, shape in shapes.items()}
    layers = {name.split(".")[1] for name in bare if name.startswith("h.")}
    told = {"n_layer": len(layers)}
    for name, fields in _TELLS.items():
        if len(bare.get(name, ())) == 2:
            told |= zip(fields, bare[name], strict=True)
    return told


def from_hf(weights: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Tensors under this model's names, from HF's with or without `transformer.`, and without what
    torch.compile and wrappers for training put into names (`_orig_mod.`, `module.`).

    Causal masks that old checkpoints stored as buffers are dropped. The embedding and the tied head
    are one tensor: either may be missing, and where both are there they must be equal. Tensors of
    another head keep their names. ValueError on an untied head, and on two tensors of one name.
    """
    named: dict[str, str] = {}
    for key in weights:
        bare = _bare(key)
        if _BUFFER.match(bare):
            continue
        name = f"transformer.{bare}" if _BODY.match(bare) else bare if bare == _HEAD \
            else _unwrapped(key)
        if name in named:
            raise ValueError(f"{named[name]} and {key} are both {name}")
        named[name] = key
    if (head := named.pop(_HEAD, None)) is not None:
        wte = named.setdefault(resizing.WTE, head)
        if wte != head and not np.array_equal(weights[head], weights[wte], equal_nan=True):
            raise ValueError(f"{head} differs from {wte}: an untied head is not supported")
    return Renamed(weights, named)


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _bare(name: str) -> str:
    return _unwrapped(name).removeprefix("transformer.")


class Renamed(Mapping):
    """Another mapping's tensors under other names. names: new name -> name there.

    A tensor is asked of the other mapping when it is asked for here.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], names: dict[str, str]):
        self._tensors, self._names = tensors, names

    def __getitem__(self, name: str) -> np.ndarray:
        return self._tensors[self._names[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def to_hf(model) -> dict[str, np.ndarray]:
    """The model's entire tensors under HF's names, without the head, which is the embedding.

    With tensor parallelism all processes of the group call this together.
    """
    whole = model.parts.whole
    return {name: whole(name, parameter) for name, parameter in model.named_parameters()}


def load_weights(
    model, weights: Mapping[str, np.ndarray], names: Collection[str] | None = None,
    grow_vocabulary: bool = False,
) -> None:
    """Copy tensors (names as `named_parameters`) into the model, all of them or ValueError.

    weights: entire tensors of finite numbers of one of FLOATS, cast to the model's type; the model
    takes its share of them, one after the other. names: of the parameters to fill, all if left out.
    grow_vocabulary: tokens of the model that the weights lack get the mean of the others' rows.
    """
    if grow_vocabulary and resizing.WTE in weights:
        dtype = _dtype(model.transformer.wte.weight)
        _check_values(resizing.WTE, weights[resizing.WTE], dtype)
        rows = resizing.grown(weights[resizing.WTE], model.config.vocab_size, dtype)
        weights = ChainMap({resizing.WTE: rows}, weights)
    parameters = {name: parameter for name, parameter in model.named_parameters()
                  if names is None or name in names}
    missing, extra = parameters.keys() - weights.keys(), weights.keys() - parameters.keys()
    if missing or extra:
        raise ValueError(
            f"weights do not fit the model: {len(missing)} missing {sorted(missing)[:3]}, "
            f"{len(extra)} unknown {sorted(extra)[:3]}"
        )
    shapes = model.whole_shapes()
    for name, parameter in parameters.items():
        shape, found = shapes[name], weights[name]
        if shape != found.shape:
            raise ValueError(f"{name} has shape {found.shape} in the checkpoint, "
                             f"{shape} in the model")
        _check_values(name, found, _dtype(parameter))
    for name, parameter in parameters.items():
        own = model.parts.own(name, weights[name])
        parameter.set_value(np.ascontiguousarray(own, dtype=_dtype(parameter)))


def _dtype(parameter) -> str:
    return str(parameter.dtype).rpartition(".")[2]


def _check_values(name: str, found: np.ndarray, dtype: str) -> None:
    """ValueError for another type, and for a value that is no finite number in the model's type.

    Paddle's softmax for CPUs would take NaN for a number.
    """
    if found.dtype.name not in FLOATS:
        raise ValueError(f"{name} is {found.dtype}, not bfloat16 or one of {', '.join(FLOATS)}")
    with np.errstate(over="ignore"):
        finite = np.isfinite(found.astype(dtype, copy=False)).all()
    if not finite:
        raise ValueError(f"{name} holds values that are NaN, or infinite in the model's {dtype}: "
                         "the weights are damaged, or their training diverged")
