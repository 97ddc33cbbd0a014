"""Checkpoints into which transformers or peft has saved something since the run wrote them.

save_pretrained of a model or of a tokenizer replaces some files and leaves the others, so that they
differ from the manifest although nothing is damaged. It is recognised by an entry that it writes
and this project does not; the files that are replaced together are then taken as they are.
"""

import re
from collections.abc import Callable
from pathlib import Path

from data_tools.json_fields import read_object

# JSON file -> how its content tells that it was replaced, and the names of the files that were then
# replaced with it.
_SIGNS: dict[str, tuple[Callable[[dict], bool], re.Pattern]] = {
    "config.json": (
        lambda told: "transformers_version" in told,
        re.compile(r"(generation_)?config\.json|model(-\d+-of-\d+)?\.safetensors(\.index\.json)?")),
    "tokenizer_config.json": (
        # Of transformers 5, and before.
        lambda told: not {"backend", "is_local", "added_tokens_decoder"}.isdisjoint(told),
        re.compile(r"tokenizer(_config)?\.json|vocab\.json|merges\.txt|special_tokens_map\.json|"
                   r"added_tokens\.json|chat_template\.jinja|sentencepiece\.model")),
    "adapter_config.json": (
        lambda told: "peft_type" in told and "base_sha256" not in told,
        re.compile(r"adapter_(config\.json|model\.safetensors)")),
}


def replaced(directory: Path) -> Callable[[str], bool]:
    """Whether a file of the directory, by its name, may have been replaced since the save."""
    patterns = [names for file, (sign, names) in _SIGNS.items() if _shows(directory / file, sign)]
    return lambda name: any(pattern.fullmatch(name) for pattern in patterns)


def _shows(path: Path, sign: Callable[[dict], bool]) -> bool:
    try:
        return sign(read_object(path))
    except ValueError:  # missing or damaged, so not written by another program
        return False
