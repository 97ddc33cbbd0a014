"""Adapters: the flags of this project, beside the options of peft or loralib that mean the same."""

import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from parity.cases import Case
from parity.compare import Point, Trace

DROPPED = 0.25  # of the inputs of A, where both sides use the same mask


@dataclass(frozen=True)
class Variant:
    """flags: of LoraOptions. peft: of LoraConfig. enabled: of loralib's MergedLinear instead;
    linear: layers that loralib's Linear replaces instead.
    """

    flags: dict[str, Any]
    peft: dict[str, Any] = field(default_factory=dict)
    enabled: tuple[bool, ...] = ()
    linear: tuple[str, ...] = ()


VARIANTS = {
    "c_attn": Variant({"lora_dim": 3, "lora_alpha": 7.0}, {
        "r": 3, "lora_alpha": 7, "target_modules": ["c_attn"]}),
    "every layer, rsLoRA": Variant(
        {"lora_dim": 4, "lora_alpha": 6.0, "lora_scaling": "rslora",
         "lora_target_modules": ["all-linear"]},
        {"r": 4, "lora_alpha": 6, "use_rslora": True, "target_modules": "all-linear"}),
    "both c_proj, alpha alone": Variant(
        {"lora_dim": 5, "lora_alpha": 0.75, "lora_scaling": "alpha",
         "lora_target_modules": ["c_proj"]},
        {"r": 5, "lora_alpha": 3.75, "target_modules": ["c_proj"]}),
    "patterns": Variant(
        {"lora_dim": 2, "lora_alpha": 8.0, "lora_dropout": 0.25, "lora_layers": [1, 3],
         "lora_target_modules": ["c_attn", "mlp.c_fc", "attn.c_proj"],
         "lora_rank_pattern": ["c_fc=5", r"h\.3\..*=3"],
         "lora_alpha_pattern": [r"attn\.c_proj=5"]},
        {"r": 2, "lora_alpha": 8, "lora_dropout": 0.25, "layers_to_transform": [1, 3],
         "target_modules": ["c_attn", "mlp.c_fc", "attn.c_proj"],
         "rank_pattern": {"c_fc": 5, r"h\.3\..*": 3},
         "alpha_pattern": {r"attn\.c_proj": 5}}),
    "an expression": Variant(
        {"lora_dim": 2, "lora_alpha": 3.0, "lora_target_pattern": r".*\.h\.[02]\.\w+\.c_proj"},
        {"r": 2, "lora_alpha": 3, "target_modules": r".*\.h\.[02]\.\w+\.c_proj"}),
    "biases of its layers": Variant(
        {"lora_dim": 2, "lora_alpha": 3.0, "lora_bias": "lora_only"},
        {"r": 2, "lora_alpha": 3, "bias": "lora_only", "target_modules": ["c_attn"]}),
    "all biases": Variant(
        {"lora_dim": 2, "lora_alpha": 3.0, "lora_bias": "all",
         "lora_target_modules": ["attn.c_proj"]},
        {"r": 2, "lora_alpha": 3, "bias": "all", "target_modules": ["attn.c_proj"]}),
    "rows of tokens": Variant(
        {"lora_dim": 2, "lora_alpha": 3.0, "lora_tokens": ["17", "3", "250"]},
        {"r": 2, "lora_alpha": 3, "target_modules": ["c_attn"],
         "trainable_token_indices": [17, 3, 250]}),
    "a whole layer": Variant(
        {"lora_dim": 2, "lora_alpha": 3.0, "lora_modules_to_save": ["ln_f"]},
        {"r": 2, "lora_alpha": 3, "target_modules": ["c_attn"], "modules_to_save": ["ln_f"]}),
    "q and v": Variant({"lora_dim": 2, "lora_alpha": 8.0, "lora_enable": "q,v"},
                       {"r": 4, "lora_alpha": 16, "target_modules": ["c_attn"]},
                       enabled=(True, False, True)),
    "k": Variant({"lora_dim": 3, "lora_alpha": 2.0, "lora_enable": "k"},
                 enabled=(False, True, False)),
    "loralib's Linear": Variant(
        {"lora_dim": 3, "lora_alpha": 5.0, "lora_target_modules": ["attn.c_proj", "c_fc"]},
        linear=("attn.c_proj", "mlp.c_fc")),
}
# loralib's layers keep a weight as [out, in], or as GPT-2 does.
LAYOUTS = {"": True, ", transposed": False}
TRAINED = ("every layer, rsLoRA", "q and v")
EXCHANGED = ("patterns", "q and v", "rows of tokens", "all biases", "a whole layer",
             "every layer, rsLoRA")
RECOMPUTED = ("c_attn", "rows of tokens")
# Keys of adapter_config.json that change what an adapter computes, with a value that asks for it.
NOT_BUILT = {
    "use_dora": True, "lora_bias": True, "peft_type": "LOHA", "task_type": "SEQ_2_SEQ_LM",
    "init_lora_weights": "pissa", "layer_replication": [[0, 2], [1, 3]], "use_qalora": True,
    "target_parameters": ["c_attn.weight"], "alora_invocation_tokens": [5],
    "a_key_of_tomorrow": True,
}


def start(name: str, shape: tuple[int, ...], own: np.ndarray) -> np.ndarray:
    """float32 values for a tensor that is trained, by peft's name. own: the base's, for those that
    the base has; neither A nor B is zero.
    """
    stream = np.random.default_rng([5, zlib.crc32(name.encode())])
    noise = (0.1 * stream.standard_normal(shape)).astype(np.float32)
    return noise if "lora_" in name else own.astype(np.float32) + noise


def mask(case: Case) -> np.ndarray:
    """(B, T, C) of zeros and 1 / (1 - rate), for the input of each c_attn's adapter."""
    shape = (*case.batch["input_ids"].shape, case.config.n_embd)
    kept = np.random.default_rng(11).random(shape) >= DROPPED
    return kept / (1.0 - DROPPED)


def begun(case: Case, starts: dict[str, np.ndarray]) -> Case:
    """The case without dropout, with where the trained tensors start."""
    return replace(case.without_dropout(), weights=case.weights | starts)


def named(trace: Trace, name: str) -> Trace:
    """The trace with the variant's name before that of each tensor."""
    return {point._replace(tensor=f"{name}: {point.tensor}"): value
            for point, value in trace.items()}


def point(phase: str, name: str) -> Point:
    return Point(0, phase, name)
