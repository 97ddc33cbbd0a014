"""Meaning representations, from the form of the E2E challenge's CSV files to microsoft/LoRA's.

    name[Blue Spice], eatType[coffee shop]    ->    name : Blue Spice | Type : coffee shop
"""

from __future__ import annotations

import re

# microsoft/LoRA's names, where they are not those of the CSV files.
NAMES = {"eatType": "Type", "priceRange": "price", "familyFriendly": "family friendly"}
_FIELD = re.compile(r"\s*([^\[\],]+?)\s*\[([^\]]*)\]\s*(?:,|$)")


def linearised(mr: str) -> str:
    """The text that stands for `name[X], eatType[Y]`, fields in their order.

    Each mark of punctuation in a value gets a space on both sides. ValueError where a part is not
    of the form `field[value]`.
    """
    fields, place = [], 0
    while place < len(mr):
        field = _FIELD.match(mr, place)
        if field is None:
            raise ValueError(f"expected fields such as name[Blue Spice], got {mr[place:][:40]!r}")
        value = re.sub(r"([^\w\s])", r" \1 ", field[2])
        fields.append(f"{NAMES.get(field[1], field[1])} : {' '.join(value.split())}")
        place = field.end()
    return " | ".join(fields)


def fields_of(context: str) -> dict[str, str]:
    """The values of `name : X | Type : Y` by name; ValueError where a part has no name."""
    found = {}
    for part in context.split("|"):
        name, colon, value = part.partition(" : ")
        if not colon:
            raise ValueError(f"expected parts such as 'name : Blue Spice', got {part.strip()!r}")
        found[name.strip()] = value.strip()
    return found
