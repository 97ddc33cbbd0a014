"""Invalid inputs: token ids outside of the vocabulary, and more tokens than positions."""

import numpy as np
import torch

from parity.cases import UNFIT_INPUTS, Case
from parity.compare import Point, Trace
from parity.torch_side import weights


def refusals(case: Case, dtype: str) -> Trace:
    """1 for each invalid input that raises an error."""
    model = weights.build(case, dtype)
    return {Point(0, "refusal", f"{door}: {name}"): np.asarray(_refused(model, ids))
            for name, ids in UNFIT_INPUTS.items() for door in ("prompt", "dataset")}


def _refused(model, ids: list[int]) -> bool:
    try:
        model(torch.tensor([ids]))
    except IndexError:
        return True
    return False
