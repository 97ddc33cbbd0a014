"""Two hundred tiny models, each with prompts and settings of its own.

They find rare errors of generation, which a few models would not show. Each fixture has half of
them. The weights are large, so that no two tokens are tied, and the vocabularies small, so that end
tokens and repetitions occur.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from paddle_impl.config.decoding import Decoding
from paddle_impl.config.model import ModelConfig
from parity.cases import CASES, DROPOUT, LAYER_NORM_EPSILON, Case
from parity.cases.drawing import shapes
from parity.compare import Point, Trace

MODELS = 200
WIDTHS = (1, 4, 10)  # beams
LENGTH_PENALTIES = (-1.0, 0.0, 0.6, 1.0, 2.0)
EARLY_STOPPING = (False, True, "never")
DECODERS = ("paddle", "native")  # in plain Paddle, and in C++
# Beam search conventions that transformers does not have; torch_side/searches.py restates them.
OTHERS = ("paddlenlp", "lora")
EACH_OTHER = 24  # models of each fixture that search by these conventions

# With most other seeds no model shows the difference between a greedy search, which stops at an end
# token, and a search with one beam, which goes on.
_SEED = 2022
_STD = 0.6
_POSITIONS = 32
_LONGEST_PROMPT = 12
# (prompt, step, sequence) -> the uniform draw that chooses the token
DRAWS = np.random.default_rng(78).random((3, _POSITIONS, 3))


@dataclass(frozen=True)
class Tiny:
    """A model, prompts of different lengths, and a setting of each decoding strategy.

    decoders: those that continue the prompts; the second one for every fourth model.
    """

    name: str
    case: Case
    prompts: list[list[int]]
    greedy: Decoding
    sampled: Decoding
    beam: Decoding
    decoders: tuple[str, ...] = DECODERS[:1]

    @property
    def drawn(self) -> list[list[int]]:
        """The prompts that sampling continues."""
        return self.prompts[1:]

    @property
    def searched(self) -> list[list[int]]:
        """The prompts of the beam search; a wide search has only one, because it takes long."""
        return self.prompts[: 2 if self.beam.num_beams == WIDTHS[1] else 1]

    def others(self) -> dict[str, Decoding]:
        """The beam search settings by the two conventions that transformers does not have."""
        early = self.beam.early_stopping is True
        return {
            "paddlenlp": replace(self.beam, beam_score="paddlenlp", early_stopping=early),
            "lora": replace(self.beam, beam_score="lora", early_stopping=False),
        }


def models(case: Case) -> list[Tiny]:
    """The fixture's half of the models."""
    return [tiny(number) for number in range(CASES.index(case.name), MODELS, len(CASES))]


@cache
def tiny(number: int) -> Tiny:
    rng = np.random.default_rng([_SEED, number])
    # Of a few tokens there are fewer continuations at first than beams.
    vocab_size = int(rng.integers(4, 8) if number % 20 in (12, 13) else rng.integers(20, 61))
    config = ModelConfig(
        n_layer=1 + number // 2 % 2, n_embd=16, n_head=2, vocab_size=vocab_size,
        n_positions=_POSITIONS, embd_pdrop=DROPOUT, attn_pdrop=DROPOUT, resid_pdrop=DROPOUT,
        layer_norm_epsilon=LAYER_NORM_EPSILON, bos_token_id=None, eos_token_id=None,
    )
    weights = {name: (_STD * rng.standard_normal(shape)).astype(np.float32)
               for name, shape in shapes(config).items()}
    case = Case(f"model {number}", config, weights, {}, [], 1.0, {})
    used = vocab_size - 3 * (number % 10 in (4, 5))  # what lies above pads the embedding
    prompts = [rng.integers(0, used, int(rng.integers(1, _LONGEST_PROMPT + 1))).tolist()
               for _ in range(3)]
    if number % 10 in (6, 7):
        prompts[0] = rng.integers(0, used, _POSITIONS - 4).tolist()  # room for four tokens
    common = _common(rng, used)
    return Tiny(f"model {number}", case, prompts, common,
                _sampled(rng, common), _beam(rng, number // len(CASES), common),
                DECODERS if number % 8 < 2 else DECODERS[:1])


def fitted(decoding: Decoding, prompt: list[int], positions: int = _POSITIONS) -> Decoding:
    """The setting with no more new tokens than the model has positions left."""
    room = positions - len(prompt)
    return replace(decoding, max_new_tokens=min(decoding.max_new_tokens, room),
                   min_new_tokens=min(decoding.min_new_tokens, room))


def points(
    at: str, ids: list[list[int]], ended: list[bool], scores: list[float] | None
) -> Trace:
    """A trace of a prompt's continuations; the ids do not include the end token.

    scores: None where they are not to be compared.
    """
    padded = np.full((len(ids), max(map(len, ids)) + 1), -1)
    for row, tokens in enumerate(ids):
        padded[row, : len(tokens)] = tokens
    trace = {
        Point(0, "chosen ids", at): padded,
        Point(0, "ended", at): np.array([[end, not end] for end in ended]),
    }
    return trace if scores is None else trace | {Point(0, "score", at): np.array(scores)}


def _common(rng: np.random.Generator, vocab_size: int) -> Decoding:
    """Settings of every strategy."""
    few = vocab_size < 20
    # Some models have half of the vocabulary as end tokens: most candidates of a step are ends.
    count = rng.choice([0, 1, 1 if few else 3, vocab_size // 5, vocab_size // 2])
    eos = rng.choice(vocab_size, int(count), replace=False)
    return Decoding(
        max_new_tokens=int(rng.integers(4, 9)), min_new_tokens=int(rng.choice([0, 0, 2, 4])),
        repetition_penalty=float(rng.choice([1.0, 1.0, 1.3, 0.8])),
        no_repeat_ngram_size=int(rng.choice([0, 3] if few else [0, 0, 1, 2, 3])),
        eos_token_ids=tuple(int(token) for token in eos), vocab_size=vocab_size,
    )


def _sampled(rng: np.random.Generator, common: Decoding) -> Decoding:
    return replace(
        common, strategy="sampling", num_return_sequences=int(rng.integers(1, 4)),
        temperature=float(rng.choice([0.5, 1.0, 1.5])), top_k=int(rng.choice([0, 5, 12])),
        top_p=float(rng.choice([1.0, 0.9, 0.5])),
    )


def _beam(rng: np.random.Generator, number: int, common: Decoding) -> Decoding:
    """Widths, length penalties and early stopping rotate, so that all combinations occur."""
    width = WIDTHS[number % 3]
    return replace(
        common, strategy="beam_search", num_beams=width,
        num_return_sequences=width if number % 2 else int(rng.integers(1, width + 1)),
        length_penalty=LENGTH_PENALTIES[number % 5],
        early_stopping=EARLY_STOPPING[number // 15 % 3],
    )
