"""A base with an adapter as run_generation.py --adapter opens them, and without merging."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import paddle

from paddle_impl import lora
from paddle_impl.config.model import ModelConfig
from parity.cases.adapter import AdaptedCase
from parity.cases.lora import named
from parity.compare import Point, Trace
from parity.paddle_side import weights


def logits(case: AdaptedCase, dtype: str) -> Trace:
    """(B, T, V) and the most probable next tokens, of the adapted model and of the merged one."""
    trace: Trace = {}
    for name, load in (("adapted", lora.load_adapted), ("merged", lora.load_merged)):
        with weights.default_dtype(dtype):
            model = load(Path(case.directory), Path(case.adapter))
        trace |= named(_scored(model, case), name)
    return trace


@paddle.no_grad()
def _scored(model, case: AdaptedCase) -> Trace:
    values = model(paddle.to_tensor(case.batch["input_ids"])).numpy()
    return {Point(0, "logits", "next token"): values,
            Point(0, "choice", "next token"): values.argmax(axis=-1)}


def opened(base: Path, adapter: Path) -> tuple[ModelConfig, Mapping[str, np.ndarray]]:
    """Shape and weights of the merged model."""
    model = lora.load_merged(base, adapter)
    return model.config, {name: value.numpy() for name, value in model.named_parameters()}
