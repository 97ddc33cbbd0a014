"""LoRA: adapters on the linear layers of a frozen model, in the files that the library peft has.

    apply_lora(model, options)       gives a model adapters, in place; all else is frozen
    load_adapted(base, adapter)      a base with an adapter of this project or of peft
    load_merged(base, adapter)       the same as a plain model, with the adapter in its weights
    merged(model)                    puts a model's adapters into its weights

Source: Hu et al. 2021, https://github.com/microsoft/LoRA; names and rules are peft's.
"""

from paddle_impl.config.lora import LoraOptions
from paddle_impl.lora.adapter_config import AdapterConfig
from paddle_impl.lora.applying import adapters, apply_lora, describe, notes
from paddle_impl.lora.loading import base_of, load_adapted, load_merged, new_tokens, read_config
from paddle_impl.lora.merging import from_peft, merged, to_peft

__all__ = [
    "AdapterConfig", "LoraOptions", "adapters", "apply_lora", "base_of", "describe", "from_peft",
    "load_adapted", "load_merged", "merged", "new_tokens", "notes", "read_config", "to_peft",
]
