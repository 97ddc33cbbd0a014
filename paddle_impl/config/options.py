"""What every command's dataclass is made of: a flag with its help, and the common refusals."""

from dataclasses import MISSING, field
from typing import Any


def flag(default: Any = MISSING, help: str = "", *, choices: tuple | None = None, short: str = ""):
    """A dataclass field that args.py turns into `--name`; no default makes it required."""
    metadata = {"help": help, "choices": choices, "short": short}
    if default is MISSING:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def require(condition: bool, message: str) -> None:
    """ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def not_built(flag_text: str, use: str) -> ValueError:
    """The refusal of a flag whose feature does not exist yet; it is never silently ignored."""
    return ValueError(f"{flag_text} is not built yet; {use}")


def split_shares(split: str) -> list[float]:
    """The three shares of a --split such as 949,50,1 or 949/50/1, padded with 0, summing to one."""
    try:
        shares = [float(part) for part in split.replace("/", ",").split(",")]
    except ValueError:
        shares = []
    require(1 <= len(shares) <= 3 and min(shares, default=-1) >= 0
            and 0 < sum(shares) < float("inf"),
            f"--split takes three non-negative numbers such as 949,50,1, got {split!r}")
    shares += [0.0] * (3 - len(shares))
    return [share / sum(shares) for share in shares]
