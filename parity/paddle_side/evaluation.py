"""Held-out documents as a code length: strided windows, every token once."""

import numpy as np

from paddle_impl import evaluate
from parity.cases import DOCUMENT_LENGTHS, STRIDE, STRIDED_WINDOW, Case
from parity.compare import Point, Trace
from parity.paddle_side import weights


def code_length(case: Case, dtype: str) -> Trace:
    """Nats of each document after an end token and with its own, and how many tokens that is."""
    model, end = weights.build(case, dtype), case.config.eos_token_id
    trace: Trace = {}
    for number, document in enumerate(case.documents(DOCUMENT_LENGTHS)):
        told = evaluate.code_length(
            model, [document], lambda ids: bytes(ids.astype(np.uint8)), eos_token_id=end,
            window=STRIDED_WINDOW, stride=STRIDE,
        )
        trace[Point(0, "code length", f"document {number}")] = np.asarray(told.nats)
        trace[Point(0, "tokens", f"document {number}")] = np.asarray(told.tokens)
    return trace
