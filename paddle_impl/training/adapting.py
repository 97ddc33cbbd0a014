"""What a task does with --lora_dim: its model stands on frozen weights, and an adapter is trained.
"""

from pathlib import Path
from typing import Any

from paddle import nn

from paddle_impl import checkpoint, lora
from paddle_impl.checkpoint import contents
from paddle_impl.config.lora import LoraOptions
from paddle_impl.config.options import require
from paddle_impl.training.resume import Fact

FACT = Fact("LoRA", "data.lora", "pass {was}")


def check_source(source: Path, options: LoraOptions, task: str | None) -> None:
    """ValueError where a run without LoRA starts from an adapter, or one with it continues a run of
    whole weights. task: whose checkpoints the run continues; None where it starts anew from all.
    """
    if contents.holds_adapter(source):
        require(options.lora_dim > 0, f"{source} holds an adapter: pass the --lora_dim that it was "
                "trained with, or merge it (python -m paddle_impl.merge_adapter)")
    elif options.lora_dim and (state := checkpoint.load_state(source)) is not None:
        require(state.task != task, f"{source} is of a run that trained whole weights: --init_from "
                f"{source} starts LoRA from them")


class Adapter:
    """The adapter of a run. seed: of the start of its matrices."""

    def __init__(self, options: LoraOptions, seed: int):
        self.options, self.seed = options, seed

    def on(self, model: nn.Layer, source: Path | None) -> nn.Layer:
        """The model with the weights of the base and adapters, all else frozen.

        source: where the run starts, a base or an adapter. ValueError without one, and where the
        flags are not those of an adapter that is there.
        """
        require(source is not None, "--lora_dim trains an adapter on weights that are there: name "
                "them with --model_name_or_path or --init_from")
        told = lora.read_config(source) if contents.holds_adapter(source) else None
        base = source if told is None else lora.base_of(source, told)
        checkpoint.load_body(base, model)
        lora.apply_lora(model, self.options, base=base, seed=self.seed,
                        new_tokens=lora.new_tokens(base, model.config.vocab_size))
        for name, layer in lora.adapters(model) if told else ():
            require(layer.scaling == told.scaling(name), f"{source}: the factor of {name} is "
                    f"{told.scaling(name)}, by the --lora_ flags {layer.scaling}: pass those that "
                    "it was trained with")
        return model

    def load(self, source: Path, model: nn.Layer) -> None:
        """Set the trained tensors from an adapter; `on` has set those of a base."""
        if contents.holds_adapter(source):
            checkpoint.load_weights(source, model)

    def data(self) -> dict[str, Any]:
        """What must be equal when the run is resumed."""
        words = [f"--{name} {' '.join(map(str, value)) if isinstance(value, list) else value}"
                 for name, value in self.options.flat().items() if name in self.options.given()]
        return {"lora": " ".join(words)}
