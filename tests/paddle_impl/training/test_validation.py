"""Validation: equal at every call, a mean over tokens, and bits per byte as in run_evaluation.py.
"""

import math

import numpy as np
import pytest

from paddle_impl.data.loader import PretrainLoader
from paddle_impl.evaluation.code_length import code_length
from paddle_impl.objectives import CAUSAL_LM
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.measuring import measure
from paddle_impl.training.validation import byte_lengths, validate

EOS = 0
SAMPLES = np.random.default_rng(3).integers(0, 40, (16, 13))


class Spelling:
    """Token i stands for i % 4 bytes, a multiple of 4 for none; 45 tokens."""

    def token_byte_lengths(self):
        return np.arange(45, dtype=np.int32) % 4

    def decode_bytes(self, ids):
        return b"".join(b"x" * (int(i) % 4) for i in ids)


class Others:
    """A group with one other process, which passes the numbers of `first` in the same calls."""

    def __init__(self, first=None):
        self.calls, self.answers = [], iter(first.calls if first else ())

    def total(self, *numbers):
        self.calls.append(numbers)
        return [a + b for a, b in zip(numbers, next(self.answers, numbers), strict=True)]


def test_the_loss_is_the_trainers_and_the_rest_follows(tiny_model):
    loader = PretrainLoader(SAMPLES, 4, EOS)
    found = validate(tiny_model, CAUSAL_LM, loader, 3, Ranks(), Spelling())
    batches = list(loader.first(3))
    assert found["loss"] == measure(tiny_model, CAUSAL_LM, batches, Ranks())["loss"]
    assert found["perplexity"] == math.exp(found["loss"])
    counted = [int(label) for batch in batches for label in batch["labels"].flat if label >= 0]
    assert len(counted) < 3 * 4 * 12  # what follows an end token is not
    text = len(Spelling().decode_bytes(counted))
    bits = found["loss"] * len(counted) / math.log(2)
    assert found["bits_per_byte"] == pytest.approx(bits / text, rel=1e-12)
    assert tiny_model.training
    assert validate(tiny_model, CAUSAL_LM, loader, 3, Ranks(), Spelling()) == found


def test_bits_per_byte_are_those_of_run_evaluation(tiny_model):
    """The same documents as windows that hold them whole: the end token costs bits, not bytes."""
    texts = np.random.default_rng(4).integers(1, 40, (4, 11))
    told = code_length(tiny_model, list(texts), Spelling().decode_bytes, eos_token_id=EOS,
                       window=24, stride=12)
    rows = np.pad(texts, ((0, 0), (1, 1)), constant_values=EOS)
    # Without an end token to mask by, the first token of each document is counted, as there.
    loader = PretrainLoader(rows, 2, None)
    found = validate(tiny_model, CAUSAL_LM, loader, 2, Ranks(), Spelling())
    assert found["loss"] == pytest.approx(told.loss, rel=1e-6)
    assert found["bits_per_byte"] == pytest.approx(told.bits_per_byte, rel=1e-6)


def test_processes_are_weighed_by_their_tokens(tiny_model):
    """Samples 0 and 1 are nearly all end tokens, which makes the two processes' weights uneven."""
    samples = SAMPLES.copy()
    samples[:2, 1:11] = EOS
    whole = validate(tiny_model, CAUSAL_LM, PretrainLoader(samples, 4, EOS), 2, Ranks(), Spelling())
    first, second = (PretrainLoader(samples, 2, EOS, 1, rank, 2) for rank in (0, 1))
    other = Others()
    validate(tiny_model, CAUSAL_LM, first, 2, Ranks(data=other), Spelling())
    found = validate(tiny_model, CAUSAL_LM, second, 2, Ranks(data=Others(other)), Spelling())
    assert found == pytest.approx(whole, rel=1e-6)


def test_without_a_tokenizer_there_are_no_bytes(tiny_model):
    loader = PretrainLoader(SAMPLES, 4, EOS)
    found = validate(tiny_model, CAUSAL_LM, loader, 1, Ranks(), None)
    assert list(found) == ["loss", "perplexity"]


def test_text_of_no_bytes_has_no_bits_per_byte(tiny_model):
    loader = PretrainLoader(np.full((4, 5), 8), 4, EOS)
    assert "bits_per_byte" not in validate(tiny_model, CAUSAL_LM, loader, 1, Ranks(), Spelling())


@pytest.mark.parametrize("samples", [SAMPLES[:3], np.full((8, 5), EOS)])
def test_where_no_token_is_counted_nothing_is_measured(tiny_model, samples):
    """Too few samples for a batch; only end tokens."""
    loader = PretrainLoader(samples, 4, EOS)
    assert validate(tiny_model, CAUSAL_LM, loader, 2, Ranks(), Spelling()) == {}


def test_a_loss_beyond_all_numbers_has_an_infinite_perplexity(tiny_model):
    def enormous(model, batch):
        loss, metrics = CAUSAL_LM.loss(model, batch)
        return loss * 1e6, metrics

    loader, objective = PretrainLoader(SAMPLES, 4, EOS), CAUSAL_LM._replace(loss=enormous)
    assert validate(tiny_model, objective, loader, 1, Ranks(), None)["perplexity"] == math.inf


def test_ids_without_text_have_no_bytes():
    """The end token whatever it is spelled like, and what the tokenizer lacks."""
    lengths = byte_lengths(Spelling(), 50, 6)
    assert lengths[[3, 5, 6, 7, 44]].tolist() == [3, 1, 0, 3, 0]
    assert lengths[45:].tolist() == [0] * 5
    assert byte_lengths(Spelling(), 20, None).tolist() == [i % 4 for i in range(20)]
