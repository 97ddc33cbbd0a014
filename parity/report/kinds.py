"""What the comparisons are of: not all of them hold numbers of Paddle against numbers of PyTorch.

Each phase of a comparison belongs to one kind.
"""

from collections import Counter
from collections.abc import Iterable

from parity.compare import Result

NUMBERS = "numbers of Paddle against PyTorch's"
DATA = "text, data order, schedule and files"
REFUSALS = "refusals"
STATISTICS = "statistics of random draws"
CONSISTENCY = "Paddle against itself"

PHASES = {
    NUMBERS: (
        "hidden", "logits", "choice", "loss", "gradient", "null gradient", "raw norm",
        "clipped gradient", "loss curve", "norm curve", "clip fired", "clip rested", "loss scale",
        "held-out loss", "update", "first moment", "second moment", "null moment", "beta powers",
        "new rows", "code length", "tokens", "filtered", "chosen ids", "ended", "score", "skipped",
        "kind of number", "extreme",
    ),
    # The reference of some is a restatement in this project, because PyTorch has none.
    DATA: (
        "token ids", "prompt ids", "decoded", "token file", "split bounds", "batch", "epochs",
        "samples", "learning rate", "golden rate", "dropout", "state dict", "config", "newest",
    ),
    REFUSALS: ("refusal",),
    STATISTICS: ("initial weight", "weights apart", "seeds apart", "initial constant", "keep rate",
                 "passes apart", "layers apart"),
    # Facts about Paddle alone, such as that a resumed run has the same bits: PyTorch's side says 1.
    CONSISTENCY: ("resumed", "ranks agree", "repeats", "kept", "mode", "seed", "form"),
}
KINDS = {phase: kind for kind, phases in PHASES.items() for phase in phases}


def counts(results: Iterable[Result]) -> dict[str, int]:
    """The number of results of each kind, for those that occur.

    A phase that is in no table, such as "exception", counts as a number that was to be compared.
    """
    found = Counter(KINDS.get(result.point.phase, NUMBERS) for result in results)
    return {kind: found[kind] for kind in PHASES if found[kind]}


def told(counted: dict[str, int]) -> str:
    return "; ".join(f"{number:,} {kind}" for kind, number in counted.items())
