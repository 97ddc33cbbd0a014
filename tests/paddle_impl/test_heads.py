"""A classifier's logits are those of transformers; what it saves and opens is transformers' too."""

import json
import math

import numpy as np
import paddle
import pytest

from paddle_impl import checkpoint
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert.hugging_face import load_weights, to_hf
from paddle_impl.heads import GPTForSequenceClassification, build
from paddle_impl.model import GPTForCausalLM, initialize
from tests.paddle_impl.meeting import together

# Paddle keeps an epsilon as float32.
CONFIG = ModelConfig(
    n_layer=2, n_embd=8, n_head=2, vocab_size=64, n_positions=32, embd_pdrop=0.0, attn_pdrop=0.0,
    resid_pdrop=0.0, layer_norm_epsilon=2.0**-15, bos_token_id=63, eos_token_id=63,
    pad_token_id=63, labels=("no", "perhaps", "yes"),
)
SHORT, FULL = [1, 5, 9, 13, 2, 63, 63, 63], [60, 3, 3, 7, 21, 8, 50, 11]


def value(name: str, shape) -> np.ndarray:
    """The tensor of that name, of a model that any framework can build."""
    start = sum(map(ord, name)) % 97
    flat = 0.2 * np.sin(0.7 * np.arange(math.prod(shape)) + start)
    return flat.reshape(shape) + (".ln_" in name and name.endswith("weight"))


def classifier(config=CONFIG, dtype="float64", parts=None) -> GPTForSequenceClassification:
    before = paddle.get_default_dtype()
    paddle.set_default_dtype(dtype)
    try:
        model = GPTForSequenceClassification(config, *([parts] if parts else []))
    finally:
        paddle.set_default_dtype(before)
    load_weights(model, {name: value(name, shape) for name, shape in model.whole_shapes().items()})
    model.eval()
    return model


def logits(model, rows) -> np.ndarray:
    with paddle.no_grad():
        return model(paddle.to_tensor(rows)).numpy()


def test_golden_logits():
    """Of transformers 5.23.0 in float64, at its epsilon, which Paddle rounds to float32."""
    got = logits(classifier(CONFIG.with_(layer_norm_epsilon=1e-5)), [SHORT, FULL])
    np.testing.assert_allclose(
        got[0], [1.29205278389496, 0.9786912085171368, 0.22602622995274746], atol=1e-8)
    shifted = got - got.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[[0, 1], [2, 0]]
    np.testing.assert_allclose(losses.mean(), 1.193218951168662, atol=1e-8)


def test_golden_logits_of_rows_padded_on_either_side():
    """The same, once positions come from a mask."""
    model = classifier(CONFIG.with_(layer_norm_epsilon=1e-5, pad_token_id=None))
    left = [63, 63, 63, *SHORT[:5]]
    for row, mask in ((SHORT, [1] * 5 + [0] * 3), (left, [0] * 3 + [1] * 5)):
        with paddle.no_grad():
            got = model(paddle.to_tensor([row, FULL]),
                        attention_mask=paddle.to_tensor([mask, [1] * 8])).numpy()
        np.testing.assert_allclose(
            got[0], [1.29205278389496, 0.9786912085171368, 0.22602622995274746], atol=1e-8)


def test_the_row_ends_where_the_mask_does():
    """Not at the padding token, which a text may hold too."""
    model, mask = classifier(), paddle.to_tensor([[1] * 5 + [0] * 3])
    row, other = [1, 5, 9, 13, 63, 63, 63, 63], [1, 5, 9, 13, 63, 2, 2, 2]
    with paddle.no_grad():
        got = [model(paddle.to_tensor([ids]), attention_mask=mask).numpy() for ids in (row, other)]
    np.testing.assert_array_equal(*got)
    assert not np.allclose(got[0], logits(model, [row]), atol=1e-3)


@pytest.mark.parametrize("pooling", ["first", "last", "mean"])
def test_other_tokens_can_be_read(pooling):
    from paddle_impl.config.classifier import ClassifierConfig

    model = classifier(ClassifierConfig.of(CONFIG, pooling=pooling))
    row, mask = [63, 63, 4, 5, 6, 63, 63, 63], [0, 0, 1, 1, 1, 0, 0, 0]
    ids, told = paddle.to_tensor([row]), paddle.to_tensor([mask])
    with paddle.no_grad():
        hidden = model.transformer(ids, attention_mask=told).numpy()[0]
        got = model(ids, attention_mask=told).numpy()[0]
        nothing = model(ids, attention_mask=0 * told).numpy()
    expected = {"first": hidden[2], "last": hidden[-1], "mean": hidden[2:5].mean(axis=0)}[pooling]
    np.testing.assert_allclose(got, model.score.weight.numpy() @ expected, atol=1e-12)
    assert np.isfinite(nothing).all()


@pytest.fixture
def reference(tmp_path):
    """The same model of transformers, and the directory in which it saved itself."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    names = dict(enumerate(CONFIG.labels))
    model = transformers.GPT2ForSequenceClassification(transformers.GPT2Config(
        n_layer=2, n_embd=8, n_head=2, vocab_size=64, n_positions=32, embd_pdrop=0.0,
        attn_pdrop=0.0, resid_pdrop=0.0, layer_norm_epsilon=2.0**-15, bos_token_id=63,
        eos_token_id=63, pad_token_id=63, id2label=names,
        label2id={label: number for number, label in names.items()}, attn_implementation="eager",
    )).double().eval()
    model.load_state_dict({name: torch.from_numpy(value(name, tensor.shape))
                           for name, tensor in model.state_dict().items()})
    model.save_pretrained(tmp_path / "hf")
    return model, tmp_path / "hf"


def theirs(model, rows) -> np.ndarray:
    import torch

    with torch.no_grad():
        return model(torch.tensor(rows)).logits.numpy()


# A row's last token, padding on either side and in between, a row of nothing else.
ROWS = [SHORT, FULL, [63, 63, 4, 5, 6, 7, 8, 9], [1, 63, 3, 63, 63, 63, 63, 63], [63] * 8]


def test_logits_are_those_of_transformers(reference):
    got = logits(classifier(), ROWS)
    assert got.shape == (5, 3)
    np.testing.assert_allclose(got, theirs(reference[0], ROWS), atol=1e-12, rtol=0)


def test_one_row_needs_no_padding(reference):
    model = classifier(CONFIG.with_(pad_token_id=None))
    np.testing.assert_allclose(
        logits(model, [FULL]), theirs(reference[0], [FULL]), atol=1e-12, rtol=0)
    with pytest.raises(ValueError, match="the config needs a pad_token_id"):
        logits(model, [FULL, FULL])


def test_what_transformers_saved_is_opened(reference):
    model, directory = reference
    paddle.set_default_dtype("float64")
    try:
        opened = checkpoint.load_model(directory)
    finally:
        paddle.set_default_dtype("float32")
    assert isinstance(opened, GPTForSequenceClassification)
    assert opened.config == CONFIG
    opened.eval()
    np.testing.assert_allclose(logits(opened, ROWS), theirs(model, ROWS), atol=1e-12, rtol=0)


def test_labels_without_names_are_numbered_as_transformers_does():
    own = CONFIG.to_hf("GPT2ForSequenceClassification")
    assert own["id2label"] == {"0": "no", "1": "perhaps", "2": "yes"}
    assert own["label2id"] == {"no": 0, "perhaps": 1, "yes": 2}
    del own["id2label"]
    assert ModelConfig.from_hf(own).labels == ("LABEL_0", "LABEL_1")
    assert ModelConfig.from_hf(own | {"num_labels": 3}).labels[2:] == ("LABEL_2",)
    for wrong in ({"1": "a", "2": "b"}, ["a", "b"], {}):
        with pytest.raises(ValueError, match="id2label does not number its labels from 0"):
            ModelConfig.from_hf(own | {"id2label": wrong})
    assert "id2label" not in CONFIG.with_(labels=()).to_hf()


def test_gradients_reach_head_and_body():
    model = classifier()
    model.train()
    (model(paddle.to_tensor([SHORT, FULL])) ** 2).sum().backward()
    gradients = {name: p.grad.numpy() for name, p in model.named_parameters()}
    assert gradients["score.weight"].shape == (3, 8)
    # Tokens after the one that is read are not trained: padding is left with rounding noise.
    seen = np.abs(gradients["transformer.wte.weight"]).sum(axis=1) > 1e-20
    assert set(np.flatnonzero(seen)) == {1, 5, 9, 13, 2, *FULL}


def test_recomputing_the_blocks_changes_no_gradient():
    def gradients(recompute):
        model = classifier()
        model.recompute = recompute
        model.train()
        (model(paddle.to_tensor([SHORT, FULL])) ** 2).sum().backward()
        return {name: p.grad.numpy() for name, p in model.named_parameters()}

    plain = gradients(False)
    for name, gradient in gradients(True).items():
        np.testing.assert_array_equal(gradient, plain[name])


def test_a_split_classifier_is_the_same(reference):
    def step(parts):
        model = classifier(parts=parts)
        result = model(paddle.to_tensor(ROWS))
        (result**2).sum().backward()
        return result.numpy(), {name: parts.whole(name, p.grad)
                                for name, p in model.named_parameters()}

    from paddle_impl.parallel.tensor import WHOLE

    alone, gradients = step(WHOLE)
    for got, own in together(2, step):
        np.testing.assert_allclose(got, alone, atol=1e-12)
        for name, gradient in own.items():
            np.testing.assert_allclose(gradient, gradients[name], atol=1e-12, err_msg=name)


def test_the_head_begins_as_transformers_begins_it():
    model = GPTForSequenceClassification(CONFIG.with_(
        n_embd=256, labels=tuple(map(str, range(50)))))
    initialize(model, 0)
    weights = to_hf(model)["score.weight"]
    assert weights.shape == (50, 256)
    assert abs(weights.std() - 0.02) < 5e-4 and abs(weights.mean()) < 5e-4


def test_build_knows_its_architectures():
    assert type(build(CONFIG, "GPT2LMHeadModel")) is GPTForCausalLM
    assert type(build(CONFIG, "GPT2ForSequenceClassification")) is GPTForSequenceClassification
    with pytest.raises(ValueError, match="architecture GPT2DoubleHeadsModel; known: GPT2LMHeadM"):
        build(CONFIG, "GPT2DoubleHeadsModel")
    with pytest.raises(ValueError, match="a classifier needs labels"):
        build(CONFIG.with_(labels=()), "GPT2ForSequenceClassification")


def test_config_json_of_a_classifier_names_it(tmp_path):
    config = CONFIG.to_hf(GPTForSequenceClassification.architecture)
    assert config["architectures"] == ["GPT2ForSequenceClassification"]
    assert ModelConfig.from_hf(json.loads(json.dumps(config))) == CONFIG
