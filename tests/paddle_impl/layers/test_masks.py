"""Rows that are padded or packed give what each document gives alone."""

import numpy as np
import paddle
import pytest

from paddle_impl.config.model import ModelConfig
from paddle_impl.layers import masks
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.objectives import causal_lm
from tests.paddle_impl.meeting import together

CONFIG = ModelConfig(n_layer=2, n_embd=16, n_head=2, vocab_size=40, n_positions=12,
                     embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0, initializer_range=0.3)
DOCUMENTS = ([3, 1, 4, 1, 5], [9, 2, 6], [5, 3])


def model(parts=None) -> GPTForCausalLM:
    before = paddle.get_default_dtype()
    paddle.set_default_dtype("float64")
    try:
        made = GPTForCausalLM(CONFIG, *([parts] if parts else []))
    finally:
        paddle.set_default_dtype(before)
    initialize(made, 1)
    return made


def logits(made, ids, **rows) -> np.ndarray:
    with paddle.no_grad():
        return made(paddle.to_tensor(ids),
                    **{name: paddle.to_tensor(one) for name, one in rows.items()}).numpy()


def padded(left: bool, pad: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Ids and attention mask, with a last row of padding alone."""
    ids, mask = np.full((4, 8), pad), np.zeros((4, 8), np.int64)
    for row, document in enumerate(DOCUMENTS):
        at = slice(8 - len(document), 8) if left else slice(len(document))
        ids[row, at], mask[row, at] = document, 1
    return ids, mask


def test_by_hand():
    mask, segments = paddle.to_tensor([[0, 1, 1, 1]]), paddle.to_tensor([[5, 5, 5, 2]])
    seen = masks.visible(mask, segments)
    np.testing.assert_array_equal(
        seen.numpy()[0].astype(int), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]])
    np.testing.assert_array_equal(masks.positions(seen).numpy(), [[0, 0, 1, 0]])


@pytest.mark.parametrize("dtype, hidden", [("float16", -np.inf), ("float64", -1e9)])
def test_hidden_keys_in_every_type(dtype, hidden):
    seen = masks.visible(paddle.to_tensor([[0, 1]]), None)
    added = masks.additive(seen, dtype)
    assert str(added.dtype).endswith(dtype)
    np.testing.assert_array_equal(added.numpy(), [[[[0, hidden], [hidden, 0]]]])


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("degree", [1, 2])
def test_padding_on_either_side_changes_nothing(left, degree):
    ids, mask = padded(left)
    alone = [logits(model(), [document])[0] for document in DOCUMENTS]
    (got, *_) = together(degree, lambda parts: logits(model(parts), ids, attention_mask=mask))
    assert np.isfinite(got).all()  # of padding too, and of the row that has nothing else
    for row, expected in enumerate(alone):
        np.testing.assert_allclose(got[row][mask[row] == 1], expected, rtol=0, atol=1e-12)


def test_a_packed_row_is_its_documents():
    ids, segments = np.concatenate(DOCUMENTS), np.repeat([8, 0, 3], [len(d) for d in DOCUMENTS])
    alone = np.concatenate([logits(model(), [document])[0] for document in DOCUMENTS])
    got = logits(model(), ids[None], segments=segments[None])[0]
    np.testing.assert_allclose(got, alone, rtol=0, atol=1e-12)


def test_a_mask_of_ones_is_none():
    ids = np.random.default_rng(0).integers(0, 40, (3, 12))
    np.testing.assert_allclose(logits(model(), ids, attention_mask=np.ones((3, 12), np.int64)),
                               logits(model(), ids), rtol=0, atol=1e-12)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("left", [True, False])
def test_padding_gets_no_gradient(left, recompute):
    """Token 7 is padding alone: only the head, to which it is one of the answers, moves it."""
    ids, mask = padded(left)
    labels = np.where(mask == 1, 11, -100)
    gradients = []
    for pad in (7, 8):
        made = model()
        made.recompute = recompute
        padding = np.where(mask == 1, ids, pad)
        loss, _ = causal_lm(made, {name: paddle.to_tensor(array) for name, array in (
            ("input_ids", padding), ("labels", labels), ("attention_mask", mask))})
        loss.backward()
        gradients.append({name: p.grad.numpy() for name, p in made.named_parameters()})
    for name, value in gradients[0].items():
        assert np.isfinite(value).all()
        np.testing.assert_array_equal(gradients[1][name], value, err_msg=name)


IDS, ONES = np.ones((2, 3), np.int64), np.ones((2, 3), np.int64)


@pytest.mark.parametrize("rows, said", [
    ({"attention_mask": ONES[:, :2]}, r"attention_mask has the shape \[2, 2\], input_ids \[2, 3\]"),
    ({"segments": ONES[0]}, r"segments has the shape \[3\]"),
    ({"attention_mask": 0 * ONES - 1}, "attention_mask must be 1 for tokens and 0 for padding"),
    ({"attention_mask": np.full((2, 3), -1e9)}, "attention_mask must be 1"),
    ({"position_ids": 12 * ONES}, "position_ids must be 0 to 11, .* reach from 12 to 12"),
    ({"position_ids": -ONES}, "position_ids must be 0 to 11"),
])
def test_what_does_not_fit_is_refused(rows, said):
    with pytest.raises(ValueError, match=said):
        logits(model(), IDS, **rows)


@pytest.mark.parametrize("name", masks.ROWS)
def test_a_cache_goes_without(name):
    made = model()
    with pytest.raises(ValueError, match="do not go with a cache"):
        made(paddle.to_tensor(IDS), made.new_cache(), **{name: paddle.to_tensor(ONES)})
