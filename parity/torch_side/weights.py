"""GPT2LMHeadModel with the case's weights, and checkpoints as transformers reads and writes them.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import GPT2Config, GPT2LMHeadModel

from parity import statistics
from parity.cases import Case
from parity.compare import Point, Trace


def build(case: Case, dtype: str) -> GPT2LMHeadModel:
    """The model in float32 or float64, weights loaded strictly, in eval mode."""
    if case.directory is not None:
        return _users(case, dtype).eval()
    model = GPT2LMHeadModel(_config(case)).to(getattr(torch, dtype)).eval()
    _load(model, case.weights)
    return model


def _users(case: Case, dtype: str) -> GPT2LMHeadModel:
    """A user's checkpoint as transformers itself reads it.

    AssertionError where a tensor is missing, because transformers would initialise it at random.
    """
    model, report = GPT2LMHeadModel.from_pretrained(
        case.directory, config=_config(case), dtype=getattr(torch, dtype),
        key_mapping={r"^module\.": "", r"^_orig_mod\.": ""}, output_loading_info=True,
    )
    assert not report["missing_keys"] and not report["mismatched_keys"], report
    return model


def _config(case: Case) -> GPT2Config:
    """The configuration of the case. transformers itself reads a user's config.json: everything but
    the dropout rates, which the training rungs set to 0.
    """
    c = case.config
    common = {
        "attn_implementation": "eager",
        "embd_pdrop": c.embd_pdrop, "attn_pdrop": c.attn_pdrop, "resid_pdrop": c.resid_pdrop,
    }
    if case.directory is not None:
        config = GPT2Config.from_pretrained(case.directory, **common)
        # Paddle keeps it as float32. If torch had 1e-5 in float64, six digits would be lost.
        config.layer_norm_epsilon = float(np.float32(config.layer_norm_epsilon))
        return config
    return GPT2Config(
        n_layer=c.n_layer, n_embd=c.n_embd, n_head=c.n_head, vocab_size=c.vocab_size,
        n_positions=c.n_positions, n_inner=c.n_inner, initializer_range=c.initializer_range,
        activation_function="gelu_new", tie_word_embeddings=True, bos_token_id=c.bos_token_id,
        eos_token_id=c.eos_token_id, layer_norm_epsilon=c.layer_norm_epsilon, **common,
    )


def initial(case: Case, dtype: str) -> Trace:
    """Statistics of freshly initialised weights."""
    drawn = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = GPT2LMHeadModel(_config(case))
        drawn.append({name: value.detach().numpy() for name, value in model.named_parameters()})
    return statistics.weight_trace(*drawn, case.config.n_layer, case.config.initializer_range)


def round_trip(case: Case, dtype: str) -> Trace:
    """The tensors that save_pretrained writes, which do not include the tied head."""
    model = build(case, dtype)
    with tempfile.TemporaryDirectory() as directory:
        model.save_pretrained(directory)
        stored = load_file(Path(directory) / "model.safetensors")
    # save_pretrained writes a user's checkpoint under the names that it was read with.
    saved = {name.removeprefix("module.").removeprefix("_orig_mod."): value
             for name, value in stored.items()}
    trace: Trace = {Point(0, "state dict", name): saved[name] for name in sorted(saved)}
    return trace | {Point(0, "form", form): np.asarray(True)
                    for form in ("", "module.", "_orig_mod.", "head alone")}


def refusals(case: Case, dtype: str) -> Trace:
    """1 for each damaged checkpoint that is refused with the damaged tensor's name in the error."""
    refused: Trace = {}
    model = build(case, dtype)
    for damage, (name, weights) in case.damaged().items():
        try:
            _load(model, weights)
            # The model cannot hold this file: the two tensors differ, and the model ties them.
            held = model.state_dict()
            named = any(not np.array_equal(held[n].numpy(), weights[n]) for n in weights)
        except RuntimeError as error:
            named = name in str(error)
        refused[Point(0, "refusal", damage)] = np.asarray(named)
    return refused


def _load(model: GPT2LMHeadModel, weights: dict[str, np.ndarray]) -> None:
    tied = {"lm_head.weight": weights.get("transformer.wte.weight")} | weights
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in tied.items()}
    model.load_state_dict(tensors, strict=True)
