"""Hugging Face GPT-2 tensors <-> this model, by name; every key consumed and every shape checked.

Values need no change: Paddle's Linear and HF GPT-2's Conv1D both store [in, out].
"""

import re

import numpy as np

_BUFFER = re.compile(r"h\.\d+\.attn\.(bias|masked_bias)$")


def from_hf(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """HF names, with or without `transformer.` and `module.`, to `GPTForCausalLM`'s.

    Causal masks that old checkpoints stored as buffers are dropped, and so is the tied head after a
    check that it equals the embedding. ValueError on an untied head.
    """
    named: dict[str, np.ndarray] = {}
    head = None
    for key, value in weights.items():
        bare = key.removeprefix("module.").removeprefix("transformer.")
        if bare == "lm_head.weight":
            head = value
        elif not _BUFFER.match(bare):
            named[f"transformer.{bare}"] = value
    wte = named.get("transformer.wte.weight")
    if head is not None and (wte is None or not np.array_equal(head, wte)):
        raise ValueError("lm_head.weight differs from wte.weight: an untied head is not supported")
    return named


def to_hf(model) -> dict[str, np.ndarray]:
    """The model's tensors under HF's names; the tied head is stored once, as transformers does.

    Entire ones at any degree of tensor parallelism: all processes of the group call this together.
    """
    whole = model.parts.whole
    return {name: whole(name, parameter) for name, parameter in model.named_parameters()}


def load_weights(model, weights: dict[str, np.ndarray]) -> None:
    """Copy tensors (names as `named_parameters`) into the model, all of them or ValueError.

    weights: entire tensors; the model takes its share of them.
    """
    parameters = dict(model.named_parameters())
    missing, extra = parameters.keys() - weights.keys(), weights.keys() - parameters.keys()
    if missing or extra:
        raise ValueError(
            f"weights do not fit the model: {len(missing)} missing {sorted(missing)[:3]}, "
            f"{len(extra)} unknown {sorted(extra)[:3]}"
        )
    for name, shape in model.whole_shapes().items():
        if shape != tuple(weights[name].shape):
            raise ValueError(
                f"{name} has shape {tuple(weights[name].shape)} in the checkpoint, "
                f"{shape} in the model"
            )
    weights = {name: model.parts.own(name, array) for name, array in weights.items()}
    for name, parameter in parameters.items():
        dtype = str(parameter.dtype).rpartition(".")[2]
        parameter.set_value(np.ascontiguousarray(weights[name], dtype=dtype))
