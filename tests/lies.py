"""JSON files that lie: one thing in an honest object is changed, at random."""

import json
import random

# As JSON text, since Python would not write some of it.
VALUES = (
    "null", "true", "false", "0", "-0", "-1", "1", "2", "3", "4", "7", "1000000", "2147483647",
    "2147483648", "9223372036854775808", "1" + 400 * "0", 5000 * "9", "-" + 40 * "9", "0.5", "3.0",
    "1e308", "1e999", "-1e999", "NaN", "Infinity", "-Infinity", '""', '"3"', '"a\\nb"',
    '"\\ud800"', '"\\u0000"', f'"{5000 * "x"}"', "[]", "{}", "[3]", "[null]", '["a", 1]',
    '{"a": 1}', f"{70 * '['}{70 * ']'}", f"{100_000 * '['}{100_000 * ']'}", f"{90_000 * '{{'}",
    "[3", "'a'", "",
)


def written(values: dict) -> dict[str, str]:
    return {json.dumps(name): json.dumps(value) for name, value in values.items()}


def joined(parts: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {text}" for name, text in parts.items()) + "}"


def lie(draw: random.Random, honest: dict) -> bytes:
    """The content of a file that should hold `honest`, and does not."""
    parts, value = written(honest), draw.choice(VALUES)
    name = draw.choice(sorted(parts))
    kind = draw.choice(6 * ["value"] + 4 * ["inside", "bytes"] + ["gone", "more", "twice", "whole"])
    if kind == "value":
        parts[name] = value
    elif kind == "inside":
        inside = [key for key, found in honest.items() if isinstance(found, dict) and found]
        if not inside:
            return lie(draw, honest)
        key = draw.choice(inside)
        deeper = written(honest[key])
        place = draw.choice([*deeper, '"more"'])
        if draw.random() < 0.2:
            deeper.pop(place, None)
        else:
            deeper[place] = value
        parts[json.dumps(key)] = joined(deeper)
    elif kind == "gone":
        del parts[name]
    elif kind == "more":
        parts[draw.choice(['"more"', '""', '"\\ud800"'])] = value
    elif kind == "twice":
        return f"{joined(parts)[:-1]}, {name}: {value}}}".encode()
    elif kind == "whole":
        return value.encode()
    content = bytearray(joined(parts).encode())
    if kind == "bytes":
        at = draw.randrange(len(content))
        content[at : at + draw.randrange(3)] = draw.randbytes(draw.randrange(3))
        if draw.random() < 0.3:
            del content[at:]
    return bytes(content)
