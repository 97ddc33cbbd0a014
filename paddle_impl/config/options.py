"""Declare groups of flags, and check their values.

The functions are in data_tools, since its own commands need them too and it may not import this
package.
"""

from data_tools.options import (
    Options,
    changed,
    flag,
    group,
    not_built,
    require,
    require_at_least_one,
    require_below_one,
    require_not_negative,
)

__all__ = [
    "Options", "changed", "flag", "group", "not_built", "require", "require_at_least_one",
    "require_below_one", "require_not_negative", "split_shares",
]


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
