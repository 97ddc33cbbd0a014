"""GPTForCausalLM with the case's weights, and checkpoints as convert reads and writes them."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import paddle

from paddle_impl import checkpoint
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.parallel.ranks import ALONE, Group
from paddle_impl.parallel.tensor import Parts
from parity import statistics
from parity.cases import Case
from parity.compare import Point, Trace


def build(case: Case, dtype: str) -> GPTForCausalLM:
    """The model in float32 or float64, weights loaded strictly, in eval mode."""
    return build_share(case, dtype, ALONE)


def build_share(case: Case, dtype: str, group: Group) -> GPTForCausalLM:
    """This process's share of the model, which is split over the processes of `group`."""
    with default_dtype(dtype):
        model = GPTForCausalLM(case.config, Parts(group))
    if case.directory is None:
        hugging_face.load_weights(model, hugging_face.from_hf(case.weights))
    else:
        checkpoint.load_weights(Path(case.directory), model)
    model.eval()
    return model


def opened(directory: Path) -> tuple[ModelConfig, Mapping[str, np.ndarray]]:
    """A user's checkpoint, as the entry points read it; ValueError where it has another head."""
    config = checkpoint.load_config(directory)
    checkpoint.check_language_model(directory)
    return config, checkpoint.open_weights(directory)


@contextlib.contextmanager
def default_dtype(dtype: str):
    """Layers made inside have parameters of this type."""
    before = paddle.get_default_dtype()
    paddle.set_default_dtype(dtype)
    try:
        yield
    finally:
        paddle.set_default_dtype(before)


def initial(case: Case, dtype: str) -> Trace:
    """Statistics of freshly initialised weights."""
    drawn = []
    for seed in (0, 1):
        model = GPTForCausalLM(case.config)
        initialize(model, seed)
        drawn.append({name: value.numpy() for name, value in model.named_parameters()})
    return statistics.weight_trace(*drawn, case.config.n_layer, case.config.initializer_range)


def round_trip(case: Case, dtype: str) -> Trace:
    """HF -> ours -> HF, from every form of HF's files: with mask buffers, a tied head, prefixes."""
    t = case.config.n_positions
    loaded = case.weights | {
        "lm_head.weight": case.weights["transformer.wte.weight"],
        "transformer.h.0.attn.bias": np.tri(t, dtype=np.float32)[None, None],
        "transformer.h.0.attn.masked_bias": np.float32(-1e4),
    }
    model = build(case, dtype)
    hugging_face.load_weights(model, hugging_face.from_hf(loaded))
    saved = hugging_face.to_hf(model)
    trace: Trace = {Point(0, "state dict", name): saved[name] for name in sorted(saved)}
    # Names of GPT2Model, of a model in DataParallel, of a compiled one.
    forms = {prefix: {f"{prefix}{name.removeprefix('transformer.')}": value
                      for name, value in case.weights.items()}
             for prefix in ("", "module.", "_orig_mod.")}
    # safetensors stores one of two tied tensors, and it may be the head.
    forms["head alone"] = {name.replace("transformer.wte", "lm_head"): value
                           for name, value in case.weights.items()}
    for form, stored in forms.items():
        read = hugging_face.from_hf(stored)
        same = read.keys() == case.weights.keys() and all(
            np.array_equal(read[name], value) for name, value in case.weights.items())
        trace[Point(0, "form", form)] = np.asarray(same)
    return trace


def refusals(case: Case, dtype: str) -> Trace:
    """1 for each damaged checkpoint that is refused with the damaged tensor's name in the error."""
    refused: Trace = {}
    model = build(case, dtype)
    for damage, (name, weights) in case.damaged().items():
        try:
            hugging_face.load_weights(model, hugging_face.from_hf(weights))
            named = False
        except ValueError as error:
            named = name in str(error)
        refused[Point(0, "refusal", damage)] = np.asarray(named)
    return refused
