"""Texts in, probabilities out: rows of a batch do not change each other."""

import numpy as np
import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.classifier import ClassifierConfig
from paddle_impl.config.model import ModelConfig
from paddle_impl.heads import GPTForSequenceClassification
from paddle_impl.model import initialize
from paddle_impl.text.classifier import TextClassifier, softmax

SHAPE = ModelConfig(n_layer=2, n_embd=16, n_head=2, vocab_size=257, n_positions=24,
                    embd_pdrop=0.5, initializer_range=0.5)
TEXTS = ["abc", "a", "the whole of it", "x y", "abcabcabc"]


def classifier(tokenizer=None, **more) -> TextClassifier:
    model = GPTForSequenceClassification(ClassifierConfig.of(
        SHAPE, **{"labels": ("a", "b", "c"), "pad_token_id": 256, **more}))
    initialize(model, 0)
    return TextClassifier(model, tokenizer or Tokenizer.byte_level())


@pytest.mark.parametrize("more", [
    {}, {"pooling": "first"}, {"pooling": "mean"}, {"pooling": "last"}, {"pad_token_id": None},
    {"pooling": "last", "pad_rows": True, "max_tokens": 20, "score_bias": True},
])
def test_a_text_alone_is_as_in_a_batch(more):
    one = classifier(**more)
    encoded = [one.ids(text) for text in TEXTS]
    together = one.logits(encoded, rows=3)
    alone = np.concatenate([one.logits([ids]) for ids in encoded])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert len({tuple(row.round(3)) for row in together}) == (
        2 if more.get("pooling") == "first" else len(TEXTS)) or more.get("pooling") == "first"


def test_padding_that_is_seen_counts():
    short, long = (classifier(pooling="last", pad_rows=True, max_tokens=most) for most in (16, 20))
    assert not np.allclose(short.probabilities(TEXTS), long.probabilities(TEXTS), atol=1e-3)


def test_texts_are_cut_at_their_end():
    one = classifier(max_tokens=4)
    np.testing.assert_allclose(one.probabilities(["abcdef"]), one.probabilities(["abcd"]))
    assert len(classifier().ids("x" * 99)) == 24


def test_what_is_no_text_of_the_model_is_refused():
    with pytest.raises(ValueError, match="the text '' has no tokens"):
        classifier().ids("")
    with pytest.raises(ValueError, match="has id 97, beyond the model's vocabulary of 90"):
        classifier(vocab_size=90, pad_token_id=89).ids("a")


def test_damaged_weights_are_no_answer():
    one = classifier()
    one.model.score.weight.set_value(one.model.score.weight * float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        one.probabilities(["a"])


def test_softmax_of_large_logits():
    np.testing.assert_allclose(softmax(np.array([[1e4, 1e4], [0.0, -1e4]])), [[0.5, 0.5], [1, 0]])
