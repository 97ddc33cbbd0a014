"""The fixtures, as numpy: what both sides are fed. Everything is seeded and fits float32 exactly.

What each detail is there to see:
  std 0.02 and 0.2    at the first, erf instead of tanh GELU moves logits by 5e-6 only
  jittered biases     at its default, a bias or a LayerNorm gain that is left out changes nothing
  square projections  attn.c_proj, where a transposed weight has the right shape
  uneven masks        a mean of means equals the global mean where every row counts the same
  one full row        "the last token is dropped" changes nothing where the last token is padding
  clip                fires in some of the steps, and the suite fails if it fires in all or none
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from paddle_impl.config.model import ModelConfig
from parity.compare import Point, Trace

Batch = dict[str, np.ndarray]

# Paddle keeps these as float32; a float64 1e-5 or 0.1 elsewhere would cost six digits.
LAYER_NORM_EPSILON = 2.0**-15
WEIGHT_DECAY = float(np.float32(0.1))
# Configured in every model, so that eval mode has something to stop.
DROPOUT = 0.125

# No value is a framework's default: a field that is dropped on the way would go unnoticed.
MODEL = ModelConfig(
    n_layer=4, n_embd=64, n_head=2, vocab_size=300, n_positions=64, n_inner=192,
    embd_pdrop=DROPOUT, attn_pdrop=DROPOUT, resid_pdrop=DROPOUT, initializer_range=0.03,
    layer_norm_epsilon=LAYER_NORM_EPSILON, bos_token_id=0, eos_token_id=0,
)
STEPS, SHORT = 20, 11  # the clip fires in some of either
SNAPSHOTS = (1, STEPS)  # the steps after which parameters and moments are compared
MICRO_BATCHES = 2
# Not the defaults: an argument that is dropped on the way would go unnoticed.
ADAMW = {"beta1": 0.85, "beta2": 0.95, "epsilon": 1e-7}
# A warm-up of 4.2 steps and a tail after the decay: both edges lie within the 20 steps.
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
# What config.json can ask for that is not GPT-2, by HF's names.
FOREIGN = {
    "activation_function": "gelu", "scale_attn_weights": False,
    "scale_attn_by_inverse_layer_idx": True, "tie_word_embeddings": False,
}
CHECKPOINT_STEPS = (2, 10, 9)  # the newest is neither the first by name nor the last
# Documents shorter than a window, exactly one, and several; windows overlap by half and a bit.
STRIDED_WINDOW, STRIDE = 24, 11
DOCUMENT_LENGTHS = (5, 23, 61, 24)

# Documents at which train, valid and test begin and end (PaddleNLP's rounding); step: how many.
SPLIT_BOUNDS: Trace = {
    Point(documents, "split bounds", flag): np.array(bounds)
    for documents, flag, bounds in (
        (1000, "949,50,1", [0, 949, 999, 1000]), (100, "949,50,1", [0, 95, 100, 100]),
        (10, "949,50,1", [0, 10, 10, 10]), (30, "900,50,50", [0, 26, 28, 30]),
    )
}


@dataclass(frozen=True)
class Case:
    """Weights under HF's names, one batch for single steps, micro batches for each step of a run.

    snapshots: the steps after which parameters and moments are compared; none: the curves only.
    directory: the user's checkpoint that the case was made from, None for a fixture.
    given: what a rung's handover got from the other side.
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
        """Modules that drop, in the order in which they do."""
        parts = ("attn.attn_dropout", "attn.resid_dropout", "mlp.dropout")
        return ["transformer.drop", *(f"transformer.h.{layer}.{part}"
                                      for layer in range(self.config.n_layer) for part in parts)]

    def documents(self, lengths: tuple[int, ...]) -> list[np.ndarray]:
        """Rows of the batch cut to these lengths; none ends with an end token of its own."""
        rows, last = self.batch["input_ids"], self.config.eos_token_id + 1
        return [np.append(row[: length - 1], last)
                for row, length in zip(rows, lengths, strict=True)]

    def without_dropout(self) -> "Case":
        """The two frameworks draw different masks: what trains step by step trains without."""
        still = self.config.with_(embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0)
        return replace(self, config=still)

    def shortened(self) -> "Case":
        """The first steps of the run, for what takes several processes a step."""
        return replace(self, steps=self.steps[:SHORT], snapshots=(1, SHORT))

    def damaged(self) -> dict[str, tuple[str, dict[str, np.ndarray]]]:
        """damage -> (the tensor that must be named, the checkpoint)."""
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
        """Norm -> bound. Within 1e-6 below its bound PyTorch still shrinks a gradient."""
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
        name, MODEL, _weights(std, rng), _batch(rng, padded_and_split),
        [[_batch(rng, spans) for spans in _uneven_spans(rng)] for _ in range(STEPS)],
        _CLIPS[std], SCHEDULE,
    )


def split_key_bias(name: str, value: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """c_attn.bias (3C,) without its key part, and the key part over the rms of the value part.

    Adding one number to all scores of a query changes no probability, so the key bias has gradient
    zero; what remains is rounding noise, and AdamW blows it up to steps of full size. It is left
    out of relative comparisons and held against zero instead.
    """
    if not name.endswith("c_attn.bias"):
        return {name: value}, None
    query, key, val = np.split(value, 3)
    with np.errstate(divide="ignore", invalid="ignore"):  # compare refuses what is not finite
        null = key.astype(np.float64) / np.sqrt(np.mean(np.square(val, dtype=np.float64)))
    return {f"{name}[query]": query, f"{name}[value]": val}, null


def clip_decisions(case: Case, run: Trace) -> Trace:
    """In which steps the clip fired and in which it rested: neither may be all zero.

    Nothing for a user's checkpoint, whose norms nobody knew when its clip was chosen.
    """
    if case.directory is not None:
        return {}
    norms = [float(norm) for point, norm in run.items() if point.phase == "norm curve"]
    fired = np.array(norms) > case.clip
    return {
        Point(len(norms), "clip fired", "every step"): fired,
        Point(len(norms), "clip rested", "every step"): ~fired,
    }


def _weights(std: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Each tensor N(0, std), LayerNorms N(1, 0.1) and N(0, 0.1), so that none is at a default."""
    weights = {}
    for name, shape in shapes(MODEL).items():
        spread = 0.1 if "ln_" in name else std
        centre = 1.0 if "ln_" in name and name.endswith("weight") else 0.0
        values = centre + spread * rng.standard_normal(shape)
        weights[name] = values.astype(np.float32)
    return weights


def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Every tensor of a checkpoint, under HF's name."""
    c, f = config.n_embd, config.inner
    found = {"wte.weight": (config.vocab_size, c), "wpe.weight": (config.n_positions, c)}
    for layer in range(config.n_layer):
        block = {
            "ln_1.weight": (c,), "ln_1.bias": (c,),
            "attn.c_attn.weight": (c, 3 * c), "attn.c_attn.bias": (3 * c,),
            "attn.c_proj.weight": (c, c), "attn.c_proj.bias": (c,),
            "ln_2.weight": (c,), "ln_2.bias": (c,),
            "mlp.c_fc.weight": (c, f), "mlp.c_fc.bias": (f,),
            "mlp.c_proj.weight": (f, c), "mlp.c_proj.bias": (c,),
        }
        found |= {f"h.{layer}.{name}": shape for name, shape in block.items()}
    found |= {"ln_f.weight": (c,), "ln_f.bias": (c,)}
    return {f"transformer.{name}": shape for name, shape in found.items()}


def _batch(rng: np.random.Generator, spans: list[tuple[int, int]]) -> Batch:
    return masked(random_tokens(MODEL, rng, len(spans), MODEL.n_positions + 1), spans)


def random_tokens(config: ModelConfig, rng: np.random.Generator, rows: int, length: int):
    """(rows, length) int64. Small ids are more frequent: there is something to learn."""
    return (config.vocab_size * rng.random((rows, length)) ** 2).astype(np.int64)


def masked(tokens: np.ndarray, spans: list[tuple[int, int]]) -> Batch:
    """tokens (B, T + 1), int64, cut to one batch of inputs and labels.

    Labels of a row count from span[0] up to span[1], all others are -100; from there on the row is
    padding.
    """
    tokens = tokens.copy()
    labels = np.full((len(spans), tokens.shape[1] - 1), -100, np.int64)
    for row, (first, end) in enumerate(spans):
        labels[row, first:end] = tokens[row, first + 1 : end + 1]
        tokens[row, end + 1 :] = 0
    return {"input_ids": tokens[:, :-1], "labels": labels}


def _uneven_spans(rng: np.random.Generator) -> list[list[tuple[int, int]]]:
    """Labels of each micro batch: a full row and a short one, then two short ones."""
    t = MODEL.n_positions
    last = [(0, int(rng.integers(3, t))) for _ in range(2)]
    return [[(0, t), (0, int(rng.integers(3, t)))]] + [last] * (MICRO_BATCHES - 1)
