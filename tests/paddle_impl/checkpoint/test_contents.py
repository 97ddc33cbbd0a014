"""A checkpoint records what it holds: a whole model, a model with another head, or an adapter."""

import json

import numpy as np
import paddle
import pytest
from safetensors.numpy import load_file

import run_evaluation
import run_generation
from paddle_impl import checkpoint
from paddle_impl.checkpoint import manifest
from paddle_impl.convert.hugging_face import to_hf
from paddle_impl.heads import GPTForSequenceClassification
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.optim.adamw import build_optimizer
from parity.__main__ import main as parity
from tests.paddle_impl.checkpoint.low_rank import CONFIG, saved


@pytest.fixture
def classifier(tmp_path):
    model = GPTForSequenceClassification(CONFIG.with_(labels=("bad", "good")))
    initialize(model, 0)
    return saved(tmp_path / "classifier", model)[0]


def test_a_classifier_is_saved_as_one_and_opened_as_one(classifier):
    told = json.loads((classifier / "config.json").read_text())
    assert told["architectures"] == ["GPT2ForSequenceClassification"]
    assert told["id2label"] == {"0": "bad", "1": "good"}
    assert load_file(classifier / "model.safetensors")["score.weight"].shape == (2, 16)
    opened = checkpoint.load_model(classifier)
    assert isinstance(opened, GPTForSequenceClassification)
    assert opened.config.labels == ("bad", "good")
    transformers = pytest.importorskip("transformers")
    import torch

    reference = transformers.AutoModelForSequenceClassification.from_pretrained(classifier)
    assert reference.config.id2label == {0: "bad", 1: "good"}
    rows = [[1, 2, 3, 0], [4, 5, 6, 7]]
    with torch.no_grad(), paddle.no_grad():
        expected = reference(torch.tensor(rows)).logits.numpy()
        got = opened(paddle.to_tensor(rows)).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_text_and_parity_refuse_a_classifier_in_one_sentence(classifier, tmp_path, capsys):
    told = (f"{classifier} holds a GPT2ForSequenceClassification, "
            "text needs a GPT2LMHeadModel\n")
    minitest = ["--minitest", "--model_name_or_path", str(classifier), "--device", "cpu"]
    for command, words in (
        (run_generation.main, ["--model_name_or_path", str(classifier), "--device", "cpu"]),
        (run_evaluation.main, minitest),
        (parity, ["--checkpoint", str(classifier), "--output", str(tmp_path / "report")]),
    ):
        with pytest.raises(SystemExit):
            command(words)
        assert capsys.readouterr().err.endswith(told)


def test_weights_of_another_head_are_refused(base, classifier):
    with pytest.raises(ValueError, match="model_3 holds a GPT2ForSequenceClassification, "
                                         "this model is a GPT2LMHeadModel"):
        checkpoint.load_weights(classifier, GPTForCausalLM(CONFIG))
    with pytest.raises(ValueError, match="holds a GPT2LMHeadModel, this model is a GPT2ForSeq"):
        checkpoint.load_weights(base, GPTForSequenceClassification(CONFIG.with_(labels=("a", "b"))))


@pytest.mark.parametrize("told", [["GPT2Model"], [], None])
def test_the_body_alone_is_a_language_model(base, told):
    without_manifest(base, {"architectures": told})
    assert type(checkpoint.load_model(base)) is GPTForCausalLM


def test_an_unknown_architecture_is_named_with_the_known_ones(base):
    without_manifest(base, {"architectures": ["GPT2DoubleHeadsModel"]})
    with pytest.raises(ValueError, match="holds a GPT2DoubleHeadsModel, which is not known; known: "
                                         "GPT2LMHeadModel, GPT2ForSequenceClassification"):
        checkpoint.load_model(base)


def without_manifest(directory, change):
    """Make the checkpoint look as if another program wrote it: without a manifest."""
    for name in ("manifest.json", "training_state.json", "optimizer.safetensors"):
        (directory / name).unlink()
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def test_frozen_tensors_of_a_whole_model_are_saved_and_have_no_moments(tmp_path):
    model = GPTForSequenceClassification(CONFIG.with_(labels=("bad", "good")))
    initialize(model, 0)
    for parameter in model.transformer.parameters():
        parameter.stop_gradient = True
    before = to_hf(model)
    path, optimizer = saved(tmp_path, model)
    stored = load_file(path / "model.safetensors")
    assert stored.keys() == before.keys()
    for name, value in stored.items():
        assert np.array_equal(value, before[name]) == (name != "score.weight"), name
    assert {key.rpartition(".")[0] for key in load_file(path / "optimizer.safetensors")} == {
        "score.weight"}
    again = checkpoint.load_model(path)
    for parameter in again.transformer.parameters():
        parameter.stop_gradient = True
    fresh = build_optimizer(again, learning_rate=0.01, weight_decay=0.1)
    checkpoint.load_optimizer(path, fresh)
    expected, got = optimizer.state(), fresh.state()
    assert expected.keys() == got.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(got[key], value)


def test_what_a_checkpoint_must_have_follows_its_contents():
    always = {"config.json", "optimizer.safetensors", "training_state.json"}
    assert manifest.required({}) == always | {"model.safetensors"}
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert manifest.required({name}) == always | {"adapter_model.safetensors",
                                                      "adapter_config.json"}
    index = "model.safetensors.index.json"
    assert manifest.required({index}) == always | {index}
