"""Give a model adapters, in place: chosen linear layers are wrapped, all else is frozen."""

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from paddle import nn

from paddle_impl.config.lora import INITS, LoraOptions
from paddle_impl.config.model import CLASSIFIER
from paddle_impl.config.options import require
from paddle_impl.layers.linear import Linear
from paddle_impl.lora import layers, targets
from paddle_impl.lora.adapter_config import EMBEDDING, TASK_TYPES, AdapterConfig
from paddle_impl.lora.layers import LoraLinear
from paddle_impl.model import GPT

_NO_BASE = "unknown"


def apply_lora(
    model: GPT, options: LoraOptions | AdapterConfig, *, base: Path | str = _NO_BASE,
    new_tokens: Iterable[int] = (), seed: int = 0,
) -> list[str]:
    """Give the model, whose weights are loaded, adapters; returns the names of their layers.

    Everything else is frozen, but for what the options train too. `model.adapter_config` is set, so
    that checkpoints hold the adapter alone. base: the directory of the weights, which checkpoints
    record. new_tokens: those that its weights lack. seed: of the matrices' start.

    ValueError where the options mean no layer or another one than a linear layer, for a model that
    is split over processes, that has adapters already, or that is not GPT-2.
    """
    _check_model(model)
    names = [name for name, _ in model.named_sublayers()]
    linear = {name: layer for name, layer in model.named_sublayers() if isinstance(layer, Linear)}
    config = options if isinstance(options, AdapterConfig) else in_peft_form(
        options, names, linear, tuple(new_tokens), model.config.vocab_size)
    config = config.on(str(base), TASK_TYPES[model.architecture])
    if model.architecture == CLASSIFIER:
        config = _with_head(config, model.head_name, names, linear)
    chosen = matched(config, names, linear)
    for parameter in model.parameters():
        parameter.stop_gradient = True
    for name in chosen:
        enabled = config.enabled(name)
        rank, _ = config.size(name)
        require(enabled is None or rank % sum(enabled) == 0, f"{name}: rank {rank} is of "
                f"{sum(enabled or ())} parts together, of which it must be a multiple")
        layer = LoraLinear(linear[name], rank, config.scaling(name), config.lora_dropout, enabled)
        layers.initialize(name, layer, config.init_lora_weights, seed)
        replace_layer(model, name, layer)
    _train_too(model, config)
    model.adapter_config = config.to_json()
    return chosen


def in_peft_form(
    options: LoraOptions, names: list[str], linear: Iterable[str], new_tokens: tuple[int, ...] = (),
    vocabulary: int = 0,
) -> AdapterConfig:
    """The flags as peft has them.

    What peft does not know is exactly the same with other numbers: a factor of alpha is alpha' =
    alpha r; n parts of c_attn of rank r are r' = n r, alpha' = n alpha.
    """
    tokens = {"new": new_tokens, "none": (), "all": tuple(range(vocabulary))}
    named = options.tokens
    plain = AdapterConfig(
        r=options.lora_dim, lora_alpha=_number(options.lora_alpha), target_modules=options.targets,
        lora_dropout=options.lora_dropout, bias=options.lora_bias,
        use_rslora=options.lora_scaling == "rslora", rank_pattern=options.ranks,
        alpha_pattern={key: _number(value) for key, value in options.alphas.items()},
        layers_to_transform=tuple(options.lora_layers) if options.lora_layers else None,
        modules_to_save=tuple(options.lora_modules_to_save or ()),
        trainable_token_indices=tokens[named] if isinstance(named, str) else named,
        init_lora_weights=INITS[options.lora_init], enable_lora=options.enabled,
    )
    chosen = matched(plain, names, linear)
    for pattern in (*plain.rank_pattern, *plain.alpha_pattern):
        require(any(targets.looked_up({pattern: True}, name, False) for name in chosen),
                f"the pattern {pattern} means no layer that LoRA adapts, which are "
                f"{targets.grouped(chosen)}")
    if options.enabled is not None:
        require(any(map(plain.enabled, chosen)), f"--lora_enable {options.lora_enable} is of "
                f"c_attn, and LoRA adapts {targets.grouped(chosen)}")
    if options.enabled is None and options.lora_scaling != "alpha":
        return plain
    sizes = {name: _converted(plain, options.lora_scaling, name) for name in chosen}
    rank, alpha = next(iter(sizes.values()))
    return replace(
        plain, r=rank, lora_alpha=alpha,
        rank_pattern={re.escape(name): own for name, (own, _) in sizes.items() if own != rank},
        alpha_pattern={re.escape(name): own for name, (_, own) in sizes.items() if own != alpha})


def matched(config: AdapterConfig, names: Iterable[str], linear: Iterable[str]) -> list[str]:
    """The layers that get an adapter; ValueError where there is none, or another kind of layer."""
    return targets.matched(names, tuple(linear), config.target_modules, config.exclude_modules,
                           config.modules_to_save, config.layers_to_transform,
                           config.layers_pattern)


def describe(model: GPT) -> str:
    """Which layers have adapters, and how many of the parameters are trained, as a phrase."""
    adapted = dict(adapters(model))
    zeros = sum(layer.lora_A.weight.size + layer.lora_B.weight.size - layer.trained()
                for layer in adapted.values())
    total = sum(parameter.size for parameter in model.parameters()) - zeros
    trained = sum(parameter.size for parameter in model.parameters()
                  if not parameter.stop_gradient) - zeros
    return (f"LoRA on {len(adapted)} layers, {targets.grouped(adapted)}; {trained:,} of {total:,} "
            f"parameters are trained ({trained / total:.2%})")


def notes(options: LoraOptions) -> list[str]:
    """What a user of these flags may not expect."""
    named = options.targets if isinstance(options.targets, tuple) else ()
    return ["c_proj means two layers of each block, attn.c_proj and mlp.c_proj: name one of them "
            "to adapt it alone"] if "c_proj" in named else []


def adapters(model: GPT) -> Iterable[tuple[str, LoraLinear]]:
    """Name and layer of each adapter."""
    return ((name, layer) for name, layer in model.named_sublayers()
            if isinstance(layer, LoraLinear))


def _check_model(model: GPT) -> None:
    require(isinstance(model, GPT) and model.architecture in TASK_TYPES,
            f"LoRA is for GPT-2's own layers, not for those of {type(model).__name__}")
    require(model.parts.degree == 1, f"--mp_degree {model.parts.degree} with LoRA is not built: "
            "leave --mp_degree out")
    require(not any(True for _ in adapters(model)), "the model has adapters already: merge them, "
            "or load the base anew")


def _with_head(
    config: AdapterConfig, head: str, names: Iterable[str], linear: Iterable[str]
) -> AdapterConfig:
    """A classifier's head is trained whole, unless it is a linear layer that the targets mean."""
    if head in config.modules_to_save or head in linear and head in matched(config, names, linear):
        return config
    return replace(config, modules_to_save=(*config.modules_to_save, head))


def _converted(plain: AdapterConfig, scaling: str, name: str) -> tuple[int, float]:
    rank, alpha = plain.size(name)
    parts = sum(plain.enabled(name) or (True,))
    factor = {"alpha/r": parts, "alpha": rank * parts, "rslora": math.sqrt(parts)}[scaling]
    return rank * parts, _number(alpha * factor)


def _number(value: float) -> float:
    """A whole number as an int, which peft writes without a point."""
    return int(value) if float(value).is_integer() else value


def _train_too(model: GPT, config: AdapterConfig) -> None:
    """Let biases, whole layers and rows of the embedding be trained."""
    adapted = dict(adapters(model))
    for name, parameter in model.named_parameters():
        layer = name.removesuffix(".base_layer.bias")
        if name.endswith(".bias") and (
                config.bias == "all" or config.bias == "lora_only" and layer in adapted):
            parameter.stop_gradient = False
    sublayers = dict(model.named_sublayers())
    for one in config.modules_to_save:
        found = [name for name in sublayers if name == one or name.endswith(f".{one}")]
        require(bool(found), f"modules_to_save: the model has no layer {one}")
        for name in found:
            require(name != EMBEDDING, f"{EMBEDDING} as a whole is trained by --lora_tokens all: "
                    "in peft modules_to_save would leave the head behind, to which it is tied")
            for parameter in sublayers[name].parameters():
                parameter.stop_gradient = False
    if tokens := config.trainable_token_indices:
        beyond = [token for token in tokens if token >= model.config.vocab_size]
        require(not beyond, f"token {beyond[0] if beyond else ''} cannot be trained: the model has "
                f"{model.config.vocab_size}")
        require(len({*tokens}) == len(tokens), "trainable_token_indices names a token twice")
        replace_layer(model, EMBEDDING, layers.Embedding(model.transformer.wte, tokens))


def replace_layer(model: GPT, name: str, layer: nn.Layer) -> None:
    """Put a layer in the place of the one that has the name."""
    parent, _, own = name.rpartition(".")
    setattr(dict(model.named_sublayers(include_self=True))[parent], own, layer)
