"""Token ids by transformers' generate, each prompt on its own."""

import numpy as np

from parity.cases import Case
from parity.cases import exporting as fixtures
from parity.cases.decoding import fitted
from parity.compare import Point, Trace
from parity.torch_side import decoding as generation
from parity.torch_side import weights


def ids(case: Case, dtype: str) -> Trace:
    """The ids of each continuation, and the tokens that end one as the checkpoint declares."""
    model = weights.build(case, dtype)
    trace: Trace = {Point(0, "chosen ids", "end tokens"): np.array(fixtures.ENDS),
                    Point(0, "chosen ids", "vocabulary"): np.array([fixtures.VOCABULARY])}
    for name, decoding in fixtures.SETTINGS.items():
        for number, prompt in enumerate(fixtures.PROMPTS):
            own = fitted(decoding, prompt, case.config.n_positions)
            rows, _ = generation.continued(model, prompt, own,
                                           fixtures.draws(number) if own.sampled else None)
            trace |= generation.points(f"{name}, prompt {number}", rows, None, own)
    return trace
