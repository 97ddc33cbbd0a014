"""The forms in which other programs store a GPT-2: types of numbers, one file or shards, names."""

import re
from collections.abc import Callable
from pathlib import Path

OURS = "written by checkpoint.save"
SHARD = "100KB"  # several of them hold the model
# form -> the type in which the weights are stored, where it is not float32
STORED = {"float16": "float16", "bfloat16": "bfloat16", "bfloat16 in shards": "bfloat16",
          "float64": "float64"}


def _inside(wrapper: str) -> Callable[[str], str]:
    """Every block is wrapped, as by activation checkpointing and FSDP."""
    return lambda name: re.sub(r"(\.h\.\d+\.)", rf"\1{wrapper}.", name)


# form -> name of a tensor by transformers -> its name in the file
RENAMED: dict[str, Callable[[str], str]] = {
    "module.": lambda name: f"module.{name}",
    "_orig_mod.": lambda name: f"_orig_mod.{name}",
    "module._orig_mod.": lambda name: f"module._orig_mod.{name}",
    "compiled blocks": _inside("_orig_mod"),
    "blocks in FSDP and checkpointing": _inside("_fsdp_wrapped_module._checkpoint_wrapped_module"),
    "the head in the embedding's place": lambda name: name.replace("transformer.wte", "lm_head"),
}
FORMS = ("one file", "shards", "shards beside a newer file", "without a head",
         "head beside the embedding", *STORED, *RENAMED)


def unpack(files: dict[str, bytes], directory: Path) -> None:
    """Write files, whose names have a folder in front."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
