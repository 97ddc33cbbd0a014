"""A resized embedding: new rows are the mean of the old ones, old rows keep their bits."""

import json

import numpy as np
import paddle
import pytest
from safetensors.numpy import save_file

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert.hugging_face import load_weights, to_hf
from paddle_impl.convert.resizing import WTE, grow_vocabulary, grown
from paddle_impl.heads import GPTForSequenceClassification
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.optim.adamw import build_optimizer
from tests.paddle_impl.meeting import CONFIG, WEIGHTS, build, together

SHAPE = ModelConfig(n_layer=2, n_embd=32, n_head=2, vocab_size=50, n_positions=24, embd_pdrop=0.0,
                    attn_pdrop=0.0, resid_pdrop=0.0)
IDS = np.random.default_rng(0).integers(0, 50, (3, 20))


def made(dtype="float32", vocab_size=50) -> GPTForCausalLM:
    paddle.set_default_dtype(dtype)
    try:
        model = GPTForCausalLM(SHAPE.with_(vocab_size=vocab_size))
    finally:
        paddle.set_default_dtype("float32")
    initialize(model, 0)
    model.eval()
    return model


def logits(model) -> np.ndarray:
    with paddle.no_grad():
        return model(paddle.to_tensor(IDS)).numpy()


def body(model) -> np.ndarray:
    """The hidden states of a text of old ids, which are the head's input."""
    with paddle.no_grad():
        return model.transformer(paddle.to_tensor(IDS)).numpy()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [51, 53, 64, 300])
def test_old_tokens_are_as_they_were_and_new_ones_are_average(dtype, rows):
    model = made(dtype)
    tensors, before, hidden = to_hf(model), logits(model), body(model)
    grow_vocabulary(model, rows)
    after = to_hf(model)
    assert after.keys() == tensors.keys()
    for name, value in tensors.items():
        assert after[name][: len(value)].tobytes() == value.tobytes(), name
        assert after[name].dtype == dtype
    mean = tensors[WTE].astype(np.float64).sum(axis=0) / 50
    expected = np.tile(mean, (rows - 50, 1)).astype(dtype)
    np.testing.assert_array_equal(after[WTE][50:], expected)
    assert model.config.vocab_size == model.transformer.config.vocab_size == rows
    assert model.whole_shapes()[WTE] == (rows, 32)
    got = logits(model)
    assert got.shape == (3, 20, rows)
    # The head's product is as exact at another width, but adds in another order.
    assert body(model).tobytes() == hidden.tobytes()
    head = model.transformer.wte.weight[:50]
    narrow = paddle.matmul(paddle.to_tensor(hidden), head, transpose_y=True).numpy()
    assert narrow.tobytes() == before.tobytes()
    np.testing.assert_allclose(got[..., :50], before, rtol=0, atol=8 * np.finfo(dtype).eps)
    middle = before.astype(np.float64).mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(got[..., 50:], np.broadcast_to(middle, got[..., 50:].shape),
                               atol=1e-6)


def losses(model) -> np.ndarray:
    """Of each token of the text, in float64."""
    scores = logits(model)[:, :-1].astype(np.float64)
    chosen = np.take_along_axis(scores, IDS[:, 1:, None], axis=-1)[..., 0]
    return np.log(np.exp(scores).sum(axis=-1)) - chosen


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("new", [1, 3, 50, 1000])
@pytest.mark.parametrize("spread", [1.0, 20.0])
@pytest.mark.parametrize("shift", [0.0, -16.0])
def test_the_loss_of_old_text_rises_by_at_most_the_logarithm_of_the_growth(
    dtype, new, spread, shift
):
    """For every token and without a tolerance: the logits differ, so Jensen's inequality is strict,
    and it leaves a hundred times what is rounded.

    shift: of all logits. Those of GPT-2 are far below 0, where rows of zeros would be the likeliest
    tokens.
    """
    model = made(dtype)
    final, wte = model.transformer.ln_f, model.transformer.wte.weight
    final.weight.set_value(final.weight * spread)
    final.bias.set_value(paddle.full_like(final.bias, shift))
    wte.set_value(wte + 1 / 32)
    before, largest = losses(model), np.abs(logits(model)).max()
    assert shift == 0.0 or logits(model).max() < 0
    grow_vocabulary(model, 50 + new)
    rise = losses(model) - before
    assert (rise > 0).all() and (rise <= np.log1p(new / 50)).all()
    assert np.log1p(new / 50) - rise.max() > 100 * np.finfo(dtype).eps * max(1.0, largest / 16)


def test_a_tokenizer_tells_how_many_rows_there_must_be():
    model = made(vocab_size=257)
    before, tokenizer = to_hf(model)[WTE], Tokenizer.byte_level()
    grow_vocabulary(model, tokenizer)
    assert to_hf(model)[WTE].tobytes() == before.tobytes()
    grow_vocabulary(model, tokenizer.with_added_tokens(["<pad>", "<python>", "<java>"]))
    assert model.config.vocab_size == 260 and to_hf(model)[WTE].shape == (260, 32)
    wide = made(vocab_size=300)  # such as 50,304 rows for 50,257 tokens
    grow_vocabulary(wide, tokenizer)
    assert wide.config.vocab_size == 300


def test_the_mean_is_taken_in_float64():
    """In float32 a sum of 16 million and ones stands still."""
    rows = np.ones((300, 2), np.float32)
    rows[0] = 2.0**24
    assert grown(rows, 301, "float32")[300, 0] == np.float32((2.0**24 + 299) / 300)


def test_the_head_stays_tied_and_new_rows_are_trained(tmp_path):
    model = made()
    grow_vocabulary(model, 60)
    named = dict(model.named_parameters())
    assert "lm_head.weight" not in named
    assert named[WTE] is model.transformer.wte.weight and named[WTE].shape == [60, 32]
    optimizer = build_optimizer(model, learning_rate=0.01, weight_decay=0.0)
    before, first = named[WTE].numpy(), logits(model)
    (model(paddle.to_tensor([[1, 55, 3]])) ** 2).mean().backward()
    optimizer.step()
    assert (named[WTE].numpy() != before).any(axis=1).all()  # every row, by the head
    assert not np.array_equal(logits(model)[..., 59], first[..., 59])


def test_a_frozen_embedding_stays_frozen():
    model = made()
    model.transformer.wte.weight.stop_gradient = True
    grow_vocabulary(model, 51)
    assert model.transformer.wte.weight.stop_gradient
    assert not model.transformer.wpe.weight.stop_gradient


def test_a_classifier_is_resized_too():
    model = GPTForSequenceClassification(SHAPE.with_(labels=("a", "b"), pad_token_id=0))
    initialize(model, 0)
    model.eval()
    before = logits(model)
    grow_vocabulary(model, 60)
    assert model.config.labels == ("a", "b")
    assert logits(model).tobytes() == before.tobytes()


def test_as_many_rows_change_nothing_and_fewer_are_refused():
    model = made()
    weight = model.transformer.wte.weight
    grow_vocabulary(model, 50)
    assert model.transformer.wte.weight is weight
    with pytest.raises(ValueError, match="50 rows of transformer.wte.weight cannot become 49: the "
                                         "last tokens would be lost"):
        grow_vocabulary(model, 49)
    assert model.config.vocab_size == 50


def test_half_precision_and_split_models_are_refused_by_name():
    with pytest.raises(ValueError, match="float32 or float64 .* is float16"):
        grow_vocabulary(made().to(dtype="float16"), 60)

    def work(parts):
        model = build(parts)
        with pytest.raises(ValueError) as refusal:
            grow_vocabulary(model, 60)
        return str(refusal.value)

    for told in together(2, work):
        assert told.startswith("a model that --mp_degree 2 splits cannot be resized: ")


@pytest.mark.parametrize("stored", ["float16", "float32", "float64"])
def test_fewer_rows_are_loaded_on_request_only(tmp_path, stored):
    small, wide = made(), made(vocab_size=60)
    tensors = {name: value.astype(stored) for name, value in to_hf(small).items()}
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(small.config.to_hf()))
    before = to_hf(wide)
    with pytest.raises(ValueError, match=r"wte.weight has shape \(50, 32\) in the checkpoint, "
                                         r"\(60, 32\) in the model"):
        checkpoint.load_weights(tmp_path, wide)
    np.testing.assert_array_equal(to_hf(wide)[WTE], before[WTE])
    checkpoint.load_weights(tmp_path, wide, grow_vocabulary=True)
    for name, value in to_hf(wide).items():
        assert value[: len(tensors[name])].tobytes() == tensors[name].astype("float32").tobytes()
    mean = tensors[WTE].astype(np.float64).mean(axis=0).astype("float32")
    np.testing.assert_array_equal(to_hf(wide)[WTE][50:], np.tile(mean, (10, 1)))
    with pytest.raises(ValueError, match="50 rows of transformer.wte.weight cannot become 40"):
        checkpoint.load_weights(tmp_path, made(vocab_size=40), grow_vocabulary=True)


def test_a_split_model_grows_while_it_is_loaded():
    def work(parts):
        model = GPTForCausalLM(CONFIG.with_(vocab_size=61), parts)
        load_weights(model, WEIGHTS, grow_vocabulary=True)
        return to_hf(model)[WTE]

    expected = grown(WEIGHTS[WTE], 61, "float32")
    for got in together(2, work):
        np.testing.assert_array_equal(got, expected)
