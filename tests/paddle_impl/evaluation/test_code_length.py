"""Bits per byte count every token once, with the context of its window."""

import gzip
import math

import numpy as np
import paddle
import pytest

from paddle_impl.evaluation.code_length import code_length


def decode(ids):
    return bytes(int(i) + 32 for i in ids)


def test_code_length_by_brute_force(tiny_model):
    documents = [np.arange(1, 31) % 40 + 1, np.array([5, 6, 0]), np.array([9])]
    result = code_length(tiny_model, documents, decode, eos_token_id=0, window=10, stride=4,
                         vocab_size=45)
    nats, right, text = 0.0, 0, b""
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
            right += int(logits[:45].argmax()) == sequence[i]
    assert result.tokens == 31 + 3 + 2
    assert result.nats == pytest.approx(nats, rel=1e-6)
    assert result.right == right
    assert result.bytes == len(text) == 33
    assert result.gzip_bits_per_byte == 8 * len(gzip.compress(text, 9)) / 33
    assert result.bits_per_byte == pytest.approx(nats / math.log(2) / 33)


def test_loss_perplexity_and_accuracy_by_hand(counting):
    result = code_length(counting, [np.array([1, 2, 3, 4]), np.array([0, 2])], decode,
                         eos_token_id=0, window=8, stride=4)
    # 0 1 2 3 4 0: all five are the likeliest. 0 0 2 0: weights 2, 1 and 1 of 9.
    assert (result.right, result.tokens) == (5, 8)
    nats = 5 * math.log(9 / 4) + math.log(9 / 2) + 2 * math.log(9)
    assert result.loss == pytest.approx(nats / 8, rel=1e-6)
    assert result.perplexity == pytest.approx(math.exp(nats / 8), rel=1e-6)
    assert result.accuracy == 5 / 8


def test_nothing_to_measure_is_refused(tiny_model):
    with pytest.raises(ValueError, match="no text"):
        code_length(tiny_model, [np.array([0])], decode, eos_token_id=0, window=8, stride=4)
