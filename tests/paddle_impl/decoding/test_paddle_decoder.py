"""Rows of different lengths in one cache, over the ends of its blocks of 64 positions."""

import numpy as np
import paddle
import pytest

from paddle_impl.config.model import ModelConfig
from paddle_impl.decoding.choice import make_decoder
from paddle_impl.model import GPTForCausalLM, initialize

POSITIONS = 150  # two blocks, and a part of a third


@pytest.fixture(scope="module")
def model():
    """Float64, with heads of 5 numbers. What attention sees decides the logits."""
    paddle.set_default_dtype("float64")
    try:
        made = GPTForCausalLM(ModelConfig(n_layer=2, n_embd=15, n_head=3, vocab_size=41,
                                          n_positions=POSITIONS, initializer_range=0.5))
    finally:
        paddle.set_default_dtype("float32")
    initialize(made, 0)
    return made


def texts_of(lengths: list[int]) -> list[list[int]]:
    random = np.random.default_rng(lengths)
    return [random.integers(0, 41, POSITIONS + 1)[:length].tolist() for length in lengths]


def assert_logits(model, text: list[int], logits: np.ndarray) -> None:
    """The logits are those of the whole text, computed without a cache."""
    with paddle.no_grad():
        expected = model(paddle.to_tensor([text]))[0, -1].numpy()
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-10, err_msg=f"{len(text)} tokens")


@pytest.mark.parametrize("kind", ["paddle", "native"])
@pytest.mark.parametrize(("lengths", "steps"), [
    ([61, 3, 62], 5),  # one row fills the first block before the others
    ([60, 60, 2], 6),  # two do, and one does not
    ([125, 62, 1], 7),
    ([127, 126, 125], 5),  # each fills the second block in a step of its own
    ([145, 61, 7], 5),  # up to the last position, where there is no whole block
    ([63, 63], 3),  # all at once: no row hides anything
])
def test_each_row_sees_its_own_past_alone(model, kind, lengths, steps):
    decoder = make_decoder(model, len(lengths), POSITIONS, kind)
    texts = texts_of(lengths)
    for row, text in enumerate(texts):
        assert_logits(model, text, decoder.prefill(row, text))
    rows = list(range(len(texts)))
    for step in range(steps):
        tokens = [(7 * step + row) % 41 for row in rows]
        logits = decoder.step(rows, tokens)
        for row, token in zip(rows, tokens, strict=True):
            texts[row].append(token)
            assert_logits(model, texts[row], logits[row])


@pytest.mark.parametrize("kind", ["paddle", "native"])
def test_rows_begin_end_and_are_copied_at_the_end_of_a_block(model, kind):
    """A row that goes over, its copy, and a row that takes another's place and is short again."""
    decoder = make_decoder(model, 4, POSITIONS, kind)
    texts = dict(enumerate(texts_of([63, 127, 20])))
    for row, text in texts.items():
        decoder.prefill(row, text)

    def feed(rows, token):
        for row, logits in zip(rows, decoder.step(rows, [token] * len(rows)), strict=True):
            texts[row] = [*texts[row], token]
            assert_logits(model, texts[row], logits)

    feed([0, 1, 2], 3)
    decoder.copy(0, 3)
    texts[3] = list(texts[0])
    feed([3, 0, 1, 2], 4)  # beyond the first block, and beyond the second
    texts[1] = texts_of([5])[0]
    assert_logits(model, texts[1], decoder.prefill(1, texts[1]))
    for token in range(3):
        feed([1, 2, 0, 3], token)
    feed([1, 2], 9)  # the room stays as large as the rows that ended needed
