"""The fixtures: weights and batches, as numpy arrays, that both sides compute with.

All values are drawn from fixed seeds, and float32 holds them exactly. Why they are as they are:
  std 0.02 and 0.2    with std 0.02 alone, erf instead of tanh GELU moves logits by 5e-6 only
  jittered biases     a bias of 0 or a LayerNorm gain of 1 that is left out would change nothing
  square projections  a transposed attn.c_proj has the right shape, so only its values show it
  uneven masks        with equal masks a mean of means would equal the global mean
  one full row        with padding everywhere, a last token that is dropped would change nothing
  clip                it is active in some of the steps; the suite fails if it is in all or none
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from paddle_impl.config.model import ModelConfig
from parity.cases import drawing
from parity.cases.drawing import Batch
from parity.compare import Point, Trace

# Paddle keeps these as float32. If torch had 1e-5 or 0.1 in float64, six digits would be lost.
LAYER_NORM_EPSILON = 2.0**-15
WEIGHT_DECAY = float(np.float32(0.1))
# Every model has dropout, so that eval mode must stop it.
DROPOUT = 0.125

# No value is a framework's default, so that a field that is not passed on changes the results.
MODEL = ModelConfig(
    n_layer=4, n_embd=64, n_head=2, vocab_size=300, n_positions=64, n_inner=192,
    embd_pdrop=DROPOUT, attn_pdrop=DROPOUT, resid_pdrop=DROPOUT, initializer_range=0.03,
    layer_norm_epsilon=LAYER_NORM_EPSILON, bos_token_id=0, eos_token_id=0,
)
STEPS, SHORT = 20, 11  # the clip is active in some steps of either run
SNAPSHOTS = (1, STEPS)  # the steps after which parameters and moments are compared
MICRO_BATCHES = 2
# Not the defaults, so that an argument that is not passed on changes the results.
ADAMW = {"beta1": 0.85, "beta2": 0.95, "epsilon": 1e-7}
# A warm-up of 4.2 steps and constant steps after the decay: both edges lie within the 20 steps.
SCHEDULE = {"max_lr": 2e-3, "min_lr": 3e-4, "warmup_rate": 0.25, "decay_steps": 17}

# PaddleNLP's CosineAnnealingWithWarmupDecay with its GPT defaults; the first optimizer step is 1.
GOLDEN_SCHEDULE = {"max_lr": 1.5e-4, "min_lr": 1e-5, "warmup_rate": 0.01, "decay_steps": 320000}
GOLDEN_RATES: Trace = {
    Point(step, "golden rate", "lr"): np.asarray(rate)
    for step, rate in {
        1: 4.6875e-08, 2: 9.375e-08, 3200: 1.5e-4, 50000: 1.4259576889017977e-4,
        160000: 8.111061746843656e-5, 320000: 1e-5, 320001: 1e-5,
    }.items()
}

# What a model of 300 tokens and 64 positions must refuse.
UNFIT_INPUTS = {
    "negative id": [5, -1, 7], "id beyond the vocabulary": [5, MODEL.vocab_size, 7],
    "too many tokens": [1] * (MODEL.n_positions + 1),
}
# Settings of config.json, by HF's names, with which the model would not be GPT-2.
FOREIGN = {
    "activation_function": "gelu", "scale_attn_weights": False, "tie_word_embeddings": False,
}
CHECKPOINT_STEPS = (2, 10, 9)  # the newest is neither the last by name nor the last written
# Other folders beside them, with the same files. None is a checkpoint of the run.
OTHER_FOLDERS = ("model_12_keep", "model_13.old", "my_model_14", "model_15a", "model_-16", "model_")
KEPT, UP_TO = 1, 9  # how many checkpoints remain of those up to a step; later ones remain too
# Documents shorter than a window, as long as one, and longer; windows overlap by more than half.
STRIDED_WINDOW, STRIDE = 24, 11
DOCUMENT_LENGTHS = (5, 23, 61, 24)

# Documents at which train, valid and test begin and end, by PaddleNLP's rounding. The step of a
# point is the number of documents.
SPLIT_BOUNDS: Trace = {
    Point(documents, "split bounds", flag): np.array(bounds)
    for documents, flag, bounds in (
        (1000, "949,50,1", [0, 949, 999, 1000]), (100, "949,50,1", [0, 95, 100, 100]),
        (10, "949,50,1", [0, 10, 10, 10]), (30, "900,50,50", [0, 26, 28, 30]),
    )
}


@dataclass(frozen=True)
class Case:
    """The inputs of a rung. Weights have HF's names.

    batch: for rungs that compute a single step. steps: micro batches of each step of a run.
    snapshots: the steps after which parameters and moments are compared, beside the curves.
    directory: the user's checkpoint that the case was made from; None for a fixture.
    given: what the other side's handover function returned.
    """

    name: str
    config: ModelConfig
    weights: dict[str, np.ndarray]
    batch: Batch
    steps: list[list[Batch]]
    clip: float
    schedule: dict[str, float]
    snapshots: tuple[int, ...] = SNAPSHOTS
    directory: str | None = None
    given: dict = field(default_factory=dict)

    def layers(self) -> list[str]:
        """Modules whose outputs are compared, in the order in which they finish."""
        parts = ("attn", "mlp", None)
        blocks = [
            f"transformer.h.{layer}" + (f".{part}" if part else "")
            for layer in range(self.config.n_layer)
            for part in parts
        ]
        return ["transformer.drop", *blocks, "transformer.ln_f"]

    def dropouts(self) -> list[str]:
        """The dropout modules, in the order in which they run."""
        parts = ("attn.attn_dropout", "attn.resid_dropout", "mlp.dropout")
        return ["transformer.drop", *(f"transformer.h.{layer}.{part}"
                                      for layer in range(self.config.n_layer) for part in parts)]

    def documents(self, lengths: tuple[int, ...]) -> list[np.ndarray]:
        """Rows of the batch cut to these lengths; the last token of none is the end token."""
        rows, last = self.batch["input_ids"], self.config.eos_token_id + 1
        return [np.append(row[: length - 1], last)
                for row, length in zip(rows, lengths, strict=True)]

    def without_dropout(self) -> "Case":
        """The case with dropout 0, for training runs: the frameworks would draw different masks."""
        still = self.config.with_(embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0)
        return replace(self, config=still)

    def shortened(self) -> "Case":
        """The case with fewer steps, for rungs that take several processes."""
        return replace(self, steps=self.steps[:SHORT], snapshots=(1, SHORT))

    def begun(self) -> "Case":
        """The case with its first two steps alone."""
        return replace(self, steps=self.steps[:2], snapshots=(2,))

    def damaged(self) -> dict[str, tuple[str, dict[str, np.ndarray]]]:
        """damage -> (the tensor that the error must name, the damaged weights)."""
        missing, extra, turned = (
            f"transformer.h.{name}" for name in ("1.ln_2.bias", "9.ln_1.bias", "2.mlp.c_fc.weight")
        )
        return {
            "missing": (missing, {k: v for k, v in self.weights.items() if k != missing}),
            "extra": (extra, self.weights | {extra: self.weights[missing]}),
            "transposed": (turned, self.weights | {turned: self.weights[turned].T}),
            "untied": ("lm_head.weight", self.weights | {
                "lm_head.weight": -self.weights["transformer.wte.weight"]}),
        }

    def clip_bounds(self) -> dict[str, Callable[[float], float]]:
        """Norm -> bound to clip at. PyTorch shrinks gradients from 1e-6 below the bound on."""
        return {
            "fires": lambda norm: norm / 2,
            "hardly fires": lambda norm: norm + 5e-7,
            "rests": lambda norm: norm * 2,
        }


# std -> the norm at which to clip, near the median of the run's norms.
_CLIPS = {0.02: 0.84, 0.2: 1.5}
CASES = tuple(f"std_{std}" for std in _CLIPS)


@cache
def case(name: str) -> Case:
    std = float(name.removeprefix("std_"))
    rng = np.random.default_rng(2019)
    t = MODEL.n_positions
    padded_and_split = [(0, t), (0, 40), (17, t), (5, 23)]
    return Case(
        name, MODEL, drawing.weights(MODEL, std, rng),
        drawing.batch(MODEL, rng, padded_and_split),
        [[drawing.batch(MODEL, rng, spans) for spans in _uneven_spans(rng)] for _ in range(STEPS)],
        _CLIPS[std], SCHEDULE,
    )


def split_key_bias(name: str, value: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Split c_attn.bias (3C,) into (query and value parts by name, key part / rms of value part).

    Adding one number to all scores of a query changes no probability, so the gradient of the key
    bias is zero. AdamW turns the rounding noise that remains into steps of full size. So the key
    part is compared with zero. Any other parameter is returned whole, with None.
    """
    if not name.endswith("c_attn.bias"):
        return {name: value}, None
    query, key, val = np.split(value, 3)
    with np.errstate(divide="ignore", invalid="ignore"):  # compare refuses what is not finite
        null = key.astype(np.float64) / np.sqrt(np.mean(np.square(val, dtype=np.float64)))
    return {f"{name}[query]": query, f"{name}[value]": val}, null


def clip_decisions(case: Case, run: Trace) -> Trace:
    """In which steps the clip was active, and in which not; neither may be all zero.

    Empty for a user's checkpoint, whose clip is not chosen by its norms.
    """
    if case.directory is not None:
        return {}
    norms = [float(norm) for point, norm in run.items() if point.phase == "norm curve"]
    fired = np.array(norms) > case.clip
    return {
        Point(len(norms), "clip fired", "every step"): fired,
        Point(len(norms), "clip rested", "every step"): ~fired,
    }


def _uneven_spans(rng: np.random.Generator) -> list[list[tuple[int, int]]]:
    """Spans of each micro batch's labels: a full row and a short one, then two short ones."""
    t = MODEL.n_positions
    last = [(0, int(rng.integers(3, t))) for _ in range(2)]
    return [[(0, t), (0, int(rng.integers(3, t)))]] + [last] * (MICRO_BATCHES - 1)
