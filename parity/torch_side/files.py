"""Checkpoint directories: written here, opened there, and the other way about."""

import tempfile
from pathlib import Path

import numpy as np
from transformers import AutoModelForCausalLM

from parity.cases import Case
from parity.compare import Point, Trace
from parity.torch_side import weights


def written(case: Case, dtype: str) -> dict[str, bytes]:
    """The files of save_pretrained."""
    with tempfile.TemporaryDirectory() as directory:
        weights.build(case, dtype).save_pretrained(directory)
        return {path.name: path.read_bytes() for path in Path(directory).iterdir()}


def opened(case: Case, dtype: str) -> Trace:
    """Shape, constants and every tensor of the other side's directory."""
    with tempfile.TemporaryDirectory() as directory:
        for name, content in case.given.items():
            (Path(directory) / name).write_bytes(content)
        model = AutoModelForCausalLM.from_pretrained(directory, attn_implementation="eager")
    c = model.config
    numbers = (c.n_layer, c.n_embd, c.n_head, c.n_inner or 4 * c.n_embd, c.vocab_size,
               c.n_positions, c.layer_norm_epsilon, c.initializer_range, c.embd_pdrop,
               c.attn_pdrop, c.resid_pdrop, c.bos_token_id, c.eos_token_id)
    trace: Trace = {Point(0, "config", "config.json"): np.array(numbers, dtype=np.float64)}
    tied = model.lm_head.weight is model.transformer.wte.weight
    trace[Point(0, "config", "head is tied")] = np.asarray(tied)
    usual = (c.activation_function in ("gelu_new", "gelu_pytorch_tanh") and c.scale_attn_weights
             and not (c.scale_attn_by_inverse_layer_idx or c.reorder_and_upcast_attn
                      or c.add_cross_attention))
    trace[Point(0, "config", "computes what GPT-2 does")] = np.asarray(usual)
    for name, parameter in sorted(model.named_parameters()):
        trace[Point(0, "state dict", name)] = parameter.detach().numpy()
    return trace
