"""Bits per byte: every token paid for once, with the context the windows give it."""

import gzip
import math

import numpy as np
import paddle
import pytest

from paddle_impl.evaluate import code_length, windows


@pytest.mark.parametrize("stride", [1, 3, 5, 8])
@pytest.mark.parametrize("length", [1, 7, 8, 9, 30])
def test_every_target_is_counted_once_with_enough_context(length, stride):
    counted = []
    for start, end, first in windows(length, 8, stride):
        assert 0 <= start <= first < end <= length and end - start <= 8
        assert start == 0 or first - start >= 8 - stride
        counted += range(first, end)
    assert counted == list(range(length))


def decode(ids):
    return bytes(int(i) + 32 for i in ids)


def test_code_length_by_brute_force(tiny_model):
    documents = [np.arange(1, 31) % 40 + 1, np.array([5, 6, 0]), np.array([9])]
    result = code_length(tiny_model, documents, decode, eos_token_id=0, window=10, stride=4)
    nats, text = 0.0, b""
    for document in documents:
        body = [t for t in document.tolist() if t != 0]
        text += decode(body)
        sequence = [0, *body, 0]
        for i in range(1, len(sequence)):
            # The window that counts target i ends at the first multiple of 4 past 10 that holds it.
            end = 10 if i <= 10 else min(10 + -(-(i - 10) // 4) * 4, len(sequence) - 1)
            context = sequence[max(0, end - 10) : i]
            with paddle.no_grad():
                logits = tiny_model(paddle.to_tensor([context]))[0, -1].numpy().astype(float)
            nats += math.log(np.exp(logits).sum()) - logits[sequence[i]]
    assert result.tokens == 31 + 3 + 2
    assert result.nats == pytest.approx(nats, rel=1e-6)
    assert result.bytes == len(text) == 33
    assert result.gzip_bits_per_byte == 8 * len(gzip.compress(text, 9)) / 33
    assert result.bits_per_byte == pytest.approx(nats / math.log(2) / 33)


def test_nothing_to_measure_is_refused(tiny_model):
    with pytest.raises(ValueError, match="no text"):
        code_length(tiny_model, [np.array([0])], decode, eos_token_id=0, window=8, stride=4)
