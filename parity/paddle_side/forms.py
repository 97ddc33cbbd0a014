"""Directories in the forms in which other programs store GPT-2, and the logits of each."""

import tempfile
from pathlib import Path

import paddle

from paddle_impl import checkpoint
from parity.cases import Case
from parity.cases import forms as fixtures
from parity.compare import Point, Trace
from parity.paddle_side import files, weights


def written(case: Case, dtype: str) -> dict[str, bytes]:
    """folder/name -> content, of the one folder that checkpoint.save writes."""
    return {f"{fixtures.OURS}/{name}": content
            for name, content in files.written(case, dtype).items()}


def logits(case: Case, dtype: str) -> Trace:
    """Logits (B, T, V) of each form, and of the model that was saved."""
    ids = paddle.to_tensor(case.batch["input_ids"])
    trace: Trace = {}
    with tempfile.TemporaryDirectory() as name, paddle.no_grad(), weights.default_dtype(dtype):
        saved = weights.build(case, dtype)
        trace[Point(0, "logits", fixtures.OURS)] = saved(ids).numpy()
        fixtures.unpack(case.given, Path(name))
        for form in fixtures.FORMS:
            model = checkpoint.load_language_model(Path(name) / form)
            model.eval()
            trace[Point(0, "logits", form)] = model(ids).numpy()
    return trace
