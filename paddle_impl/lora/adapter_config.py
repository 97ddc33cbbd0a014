"""adapter_config.json, as the library peft writes it: where an adapter is, and of which size."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from data_tools.json_fields import (
    HASH,
    TRUTH,
    check,
    either,
    list_of,
    number,
    object_of,
    optional,
    shown,
    text,
    whole,
)
from paddle_impl.config.lora import BIASES, INITS
from paddle_impl.config.model import CLASSIFIER, LANGUAGE_MODEL
from paddle_impl.lora import targets
from paddle_impl.lora.targets import Names

TASK_TYPES = {LANGUAGE_MODEL: "CAUSAL_LM", CLASSIFIER: "SEQ_CLS"}
EMBEDDING = "transformer.wte"

_NAMES = optional(either(text(), list_of(text())))
_INDICES = list_of(whole())
_FIELDS = {
    "r": whole(1), "lora_alpha": number(), "lora_dropout": number(0, 1), "bias": text(),
    "target_modules": _NAMES, "exclude_modules": _NAMES, "layers_pattern": _NAMES,
    "modules_to_save": optional(list_of(text())), "use_rslora": TRUTH,
    "layers_to_transform": optional(either(whole(), _INDICES)),
    "rank_pattern": optional(object_of(whole(1))), "alpha_pattern": optional(object_of(number())),
    "trainable_token_indices": optional(either(_INDICES, object_of(_INDICES))),
    "init_lora_weights": optional(either(TRUTH, text())), "fan_in_fan_out": TRUTH,
    "enable_lora": optional(list_of(TRUTH, 3)), "base_sha256": optional(HASH),
    **dict.fromkeys(("base_model_name_or_path", "task_type"), optional(text())),
}
# What changes nothing here, whatever it says.
_NOTES = {"auto_mapping", "ensure_weight_tying", "inference_mode", "megatron_core", "peft_type",
          "peft_version", "qalora_group_size", "revision"}


@dataclass(frozen=True)
class AdapterConfig:
    """The fields that mean something here, under peft's names.

    target_modules, exclude_modules: an expression for the whole name, or ends of names.
    trainable_token_indices: rows of the embedding that are trained. enable_lora, which is not
    peft's: whether q, k and v of c_attn have matrices of their own, as in microsoft/LoRA; r and
    lora_alpha are then those of the matrices together.
    """

    r: int
    lora_alpha: float
    target_modules: Names = ("c_attn",)
    lora_dropout: float = 0.0
    bias: str = "none"
    use_rslora: bool = False
    rank_pattern: Mapping[str, int] = field(default_factory=dict)
    alpha_pattern: Mapping[str, float] = field(default_factory=dict)
    exclude_modules: Names = ()
    layers_to_transform: tuple[int, ...] | None = None
    layers_pattern: tuple[str, ...] = ()
    modules_to_save: tuple[str, ...] = ()
    trainable_token_indices: tuple[int, ...] = ()
    init_lora_weights: bool | str = True
    enable_lora: tuple[bool, ...] | None = None
    base_model_name_or_path: str | None = None
    base_sha256: str | None = None
    task_type: str | None = None

    def __post_init__(self):
        patterns = [*self.rank_pattern, *self.alpha_pattern, *self.layers_pattern,
                    *self.modules_to_save]
        patterns += [names for names in (self.target_modules, self.exclude_modules)
                     if isinstance(names, str)]
        targets.check_expressions(patterns)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "AdapterConfig":
        """From the object in adapter_config.json.

        ValueError, which names the key, for what is not built here, such as DoRA, for what is not
        known, and for values that mean nothing.
        """
        if (kind := values.get("peft_type")) != "LORA":
            raise ValueError(f"peft_type is {shown(kind)}: only LORA is built here")
        for key, value in values.items():
            if value and key not in _FIELDS and key not in _NOTES:
                raise ValueError(f"{key} is {shown(value)}, which is not built here: only a LoRA "
                                 "adapter without it can be opened")
        check(values, _FIELDS, required=("r", "lora_alpha"))
        given = {key: value for key, value in values.items()
                 if key in cls.__dataclass_fields__ and value is not None}
        layers, tokens = given.get("layers_to_transform"), given.get("trainable_token_indices")
        if isinstance(layers, int):
            given["layers_to_transform"] = [layers]
        if isinstance(tokens, dict):
            given["trainable_token_indices"] = _of_embedding(tokens)
        if isinstance(given.get("layers_pattern"), str):
            given["layers_pattern"] = [given["layers_pattern"]]
        found = cls(**{key: tuple(value) if isinstance(value, list) else value
                       for key, value in given.items()})
        found._check()
        return found

    def to_json(self) -> dict[str, Any]:
        """What peft reads; without `base_sha256` where it is not known."""
        own = {key: list(value) if isinstance(value, tuple) else value
               for key, value in vars(self).items()}
        for key in ("exclude_modules", "layers_pattern", "modules_to_save",
                    "trainable_token_indices"):
            own[key] = own[key] or None
        for key in ("enable_lora", "base_sha256"):
            if own[key] is None:
                del own[key]
        for key in ("rank_pattern", "alpha_pattern"):
            own[key] = dict(own[key])
        return own | {"peft_type": "LORA", "fan_in_fan_out": True, "inference_mode": True}

    def size(self, name: str) -> tuple[int, float]:
        """Rank and alpha of a layer."""
        return (targets.looked_up(self.rank_pattern, name, self.r),
                targets.looked_up(self.alpha_pattern, name, self.lora_alpha))

    def scaling(self, name: str) -> float:
        """The factor of what the adapter adds to the layer's output."""
        rank, alpha = self.size(name)
        return alpha / math.sqrt(rank) if self.use_rslora else alpha / rank

    def enabled(self, name: str) -> tuple[bool, ...] | None:
        """Which parts of the layer's outputs have matrices of their own; None for one matrix."""
        return self.enable_lora if name.rpartition(".")[2] == "c_attn" else None

    def on(self, base: str, task_type: str) -> "AdapterConfig":
        return replace(self, base_model_name_or_path=base, task_type=task_type)

    def _check(self) -> None:
        for key, known in (("bias", BIASES), ("init_lora_weights", tuple(INITS.values())),
                           ("task_type", (None, *TASK_TYPES.values()))):
            if (value := getattr(self, key)) not in known:
                raise ValueError(f"{key} is {shown(value)}, which is not built here; known: "
                                 f"{', '.join(map(shown, known))}")
        if self.lora_dropout == 1.0:
            raise ValueError("lora_dropout is 1, which leaves nothing to train")
        if self.enable_lora is not None and not any(self.enable_lora):
            raise ValueError("enable_lora names no part of c_attn")


def _of_embedding(tokens: Mapping[str, list[int]]) -> list[int]:
    others = [name for name in tokens if not EMBEDDING.endswith(name)]
    if others or len(tokens) != 1:
        raise ValueError(f"trainable_token_indices names {', '.join(tokens) or 'nothing'}: only "
                         f"rows of the embedding, {EMBEDDING}, can be trained")
    return next(iter(tokens.values()))
