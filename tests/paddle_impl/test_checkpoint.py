"""A directory transformers opens as it is; whole or absent; the same bytes from the same state."""

import json

import numpy as np
import paddle
import pytest

from data_tools.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState
from paddle_impl.optim import build_optimizer, optimizer_state


def state(step):
    return TrainingState(
        step=step, samples=4 * step, seed=1, order_key="k", sample_order="o", tokenizer=None,
        global_batch_size=4, schedule={"max_lr": 0.1},
    )


@pytest.fixture
def trained(tiny_model):
    optimizer = build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1)
    (tiny_model(paddle.to_tensor([[1, 2, 3]])) ** 2).mean().backward()
    optimizer.step()
    optimizer.clear_grad()
    return tiny_model, optimizer


def test_round_trip(trained, tmp_path):
    model, optimizer = trained
    path = checkpoint.save(tmp_path, model, optimizer, state(3), None)
    assert path == tmp_path / "model_3"
    loaded = checkpoint.load_model(path)
    assert loaded.config == model.config
    for (name, p), (other, q) in zip(
        model.named_parameters(), loaded.named_parameters(), strict=True
    ):
        assert name == other
        np.testing.assert_array_equal(p.numpy(), q.numpy())
    assert checkpoint.load_state(path) == state(3)
    fresh = build_optimizer(loaded, learning_rate=0.01, weight_decay=0.1)
    checkpoint.load_optimizer(path, loaded, fresh)
    expected, got = optimizer_state(model, optimizer), optimizer_state(loaded, fresh)
    assert expected.keys() == got.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(value, got[key])


def test_equal_states_give_equal_bytes(trained, tmp_path):
    first = checkpoint.save(tmp_path / "a", *trained, state(3), None)
    second = checkpoint.save(tmp_path / "b", *trained, state(3), None)
    files = sorted(file.name for file in first.iterdir())
    assert files == ["config.json", "model.safetensors", "optimizer.safetensors",
                     "training_state.json"]
    for name in files:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_an_unfinished_checkpoint_is_not_found(trained, tmp_path):
    assert checkpoint.newest(tmp_path / "absent") is None
    checkpoint.save(tmp_path, *trained, state(3), None)
    checkpoint.save(tmp_path, *trained, state(12), None)
    (tmp_path / ".model_20.tmp").mkdir()
    (tmp_path / "model_30").mkdir()
    assert checkpoint.newest(tmp_path) == tmp_path / "model_12"


def test_a_failure_while_writing_leaves_no_checkpoint(trained, tmp_path, monkeypatch):
    def fail(*names):
        raise OSError("no")

    monkeypatch.setattr(checkpoint.os, "rename", fail)
    with pytest.raises(OSError, match="no"):
        checkpoint.save(tmp_path, *trained, state(3), None)
    assert checkpoint.newest(tmp_path) is None
    monkeypatch.undo()
    assert checkpoint.save(tmp_path, *trained, state(3), None) == checkpoint.newest(tmp_path)


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.safetensors"])
def test_a_cut_file_is_named(trained, tmp_path, file):
    model, optimizer = trained
    path = checkpoint.save(tmp_path, model, optimizer, state(3), None)
    (path / file).write_bytes((path / file).read_bytes()[:-9])
    with pytest.raises(ValueError, match=f"{file}: damaged"):
        checkpoint.load_weights(path, model)
        checkpoint.load_optimizer(path, model, optimizer)


def test_what_is_no_checkpoint_is_said_so(tmp_path):
    with pytest.raises(ValueError, match="has no config.json"):
        checkpoint.load_model(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json"):
        checkpoint.load_model(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(ValueError, match="llama"):
        checkpoint.load_model(tmp_path)


def test_transformers_opens_it_as_it_is(trained, tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model, optimizer = trained
    tokenizer = Tokenizer.train(iter(["def f(x):\n    return x\n" * 9]), 270)
    path = checkpoint.save(tmp_path, model, optimizer, state(1), tokenizer)
    reference = transformers.AutoModelForCausalLM.from_pretrained(path)
    tokens = np.arange(12)[None]
    with torch.no_grad(), paddle.no_grad():
        expected = reference(torch.from_numpy(tokens)).logits.numpy()
        got = model(paddle.to_tensor(tokens)).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-6)
    text = "def g(y):\n    return f(y)"
    assert transformers.AutoTokenizer.from_pretrained(path)(text)["input_ids"] == list(
        tokenizer.encode(text)
    )
