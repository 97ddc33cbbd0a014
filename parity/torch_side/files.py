"""Checkpoint directories: each side opens what the other side has written."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, GPT2LMHeadModel
from transformers.trainer_utils import get_last_checkpoint

from parity.cases import CHECKPOINT_STEPS, FOREIGN, Case
from parity.compare import Point, Trace
from parity.torch_side import weights


def written(case: Case, dtype: str) -> dict[str, bytes]:
    """The files of save_pretrained."""
    with tempfile.TemporaryDirectory() as directory:
        weights.build(case, dtype).save_pretrained(directory)
        return {path.name: path.read_bytes() for path in Path(directory).iterdir()}


def opened(case: Case, dtype: str) -> Trace:
    """Configuration and every tensor of the directory that Paddle wrote."""
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


def foreign(case: Case, dtype: str) -> Trace:
    """1 for each config.json with which the same weights compute other logits than GPT-2."""
    with tempfile.TemporaryDirectory() as directory:
        weights.build(case, dtype).save_pretrained(directory)
        usual = _logits(directory, case)
        return {
            Point(0, "refusal", name): np.asarray(
                not np.array_equal(_logits(directory, case, **{name: value}), usual))
            for name, value in FOREIGN.items()
        }


def newest(case: Case, dtype: str) -> Trace:
    """The step from which a run resumes."""
    with tempfile.TemporaryDirectory() as directory:
        for step in (*CHECKPOINT_STEPS, "12_keep"):
            (Path(directory) / f"checkpoint-{step}").mkdir()
        found = get_last_checkpoint(directory)
    return {Point(0, "newest", "step"): np.asarray(int(found.rpartition("-")[2]))}


@torch.no_grad()
def _logits(directory: str, case: Case, **config) -> np.ndarray:
    torch.manual_seed(0)  # an untied head is drawn
    model = GPT2LMHeadModel.from_pretrained(directory, attn_implementation="eager", **config)
    return model(torch.from_numpy(case.batch["input_ids"])).logits.numpy()
