"""A checkpoint opens in transformers, is complete or absent, and has bytes that the state decides.
"""

import errno
import json
import os

import numpy as np
import paddle
import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.checkpoint import NoRoom, TrainingState, directory, weights, writing
from paddle_impl.optim.adamw import build_optimizer
from parity.paddle_side import meeting

FILES = ["config.json", "manifest.json", "model.safetensors", "optimizer.safetensors",
         "training_state.json"]


def state(step):
    return TrainingState(
        step=step, samples=4 * step, seed=1, order_key="k", sample_order="o", tokenizer=None,
        global_batch_size=4, schedule={"max_lr": 0.1},
        data={"ids_sha256": ["ab", None], "eos_token_id": 0},
        world={"world_size": 2, "sharding_degree": 1, "mp_degree": 1}, precision="float32",
        progress={"loss_scale": 32768.0, "skipped_steps": 1},
    )


@pytest.fixture
def trained(tiny_model):
    optimizer = build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1)
    (tiny_model(paddle.to_tensor([[1, 2, 3]])) ** 2).mean().backward()
    optimizer.step()
    optimizer.clear_grad()
    return tiny_model, optimizer


@pytest.fixture
def tokenizer():
    return Tokenizer.train(iter(["def f(x):\n    return x\n" * 9]), 270)


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
    checkpoint.load_optimizer(path, fresh)
    expected, got = optimizer.state(), fresh.state()
    assert expected.keys() == got.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(value, got[key])


def test_moments_are_read_one_by_one(trained, tmp_path, monkeypatch):
    """A process that shards asks for its own: all of them, in each process, are too many."""
    model, optimizer = trained
    path = checkpoint.save(tmp_path, model, optimizer, state(3), None)
    read, get = [], weights.LazyTensors.__getitem__
    monkeypatch.setattr(weights.LazyTensors, "__getitem__",
                        lambda tensors, name: read.append(name) or get(tensors, name))
    name = "transformer.wte.weight.moment1"
    expected = optimizer.state()[name]
    monkeypatch.setattr(optimizer, "load_state",
                        lambda state: np.testing.assert_array_equal(state[name], expected))
    checkpoint.load_optimizer(path, optimizer)
    assert read == [name]


def test_equal_states_give_equal_bytes(trained, tmp_path):
    first = checkpoint.save(tmp_path / "a", *trained, state(3), None)
    second = checkpoint.save(tmp_path / "b", *trained, state(3), None)
    assert sorted(file.name for file in first.iterdir()) == FILES
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes()
        assert (first / name).stat().st_mode & 0o777 == 0o644


def test_an_unfinished_checkpoint_is_not_found(trained, tmp_path):
    assert checkpoint.newest(tmp_path / "absent") is None
    checkpoint.save(tmp_path, *trained, state(3), None)
    checkpoint.save(tmp_path, *trained, state(12), None)
    (tmp_path / ".model_20.tmp").mkdir()
    (tmp_path / "damaged_model_30").mkdir()
    (tmp_path / "model_40").write_text("a file")
    assert checkpoint.newest(tmp_path) == tmp_path / "model_12"


def test_what_killed_runs_left_is_removed_at_the_next_save(trained, tmp_path):
    for name in (".model_2.tmp", ".model_3.tmp"):
        (tmp_path / name / "deeper").mkdir(parents=True)
        (tmp_path / name / "model.safetensors").write_bytes(b"half")
    (tmp_path / ".mine").mkdir()
    checkpoint.save(tmp_path, *trained, state(3), None)
    assert sorted(os.listdir(tmp_path)) == [".mine", "model_3"]
    assert sorted(os.listdir(tmp_path / "model_3")) == FILES


def test_the_newest_are_kept(trained, tmp_path):
    outside = checkpoint.save(tmp_path / "other", *trained, state(1), None)
    out = tmp_path / "out"
    for step in (2, 10, 9, 11):
        checkpoint.save(out, *trained, state(step), None)
    (out / "model_1").symlink_to(outside)
    (out / "damaged_model_3").mkdir()
    checkpoint.save(out, *trained, state(12), None, keep=3)
    assert sorted(os.listdir(out)) == ["damaged_model_3", "model_1", "model_10", "model_11",
                                       "model_12"]
    checkpoint.save(out, *trained, state(13), None, keep=1)
    assert sorted(checkpoint.checkpoints(out)) == [1, 13]
    assert sorted(os.listdir(outside)) == FILES


def test_old_checkpoints_go_only_after_the_new_one_is_whole(trained, tmp_path, monkeypatch):
    checkpoint.save(tmp_path, *trained, state(1), None)
    seen = []
    drop = directory.shutil.rmtree

    def watched(path, **options):
        seen.append((path.name, str(checkpoint.newest(tmp_path).name)))
        drop(path, **options)

    monkeypatch.setattr(directory.shutil, "rmtree", watched)
    checkpoint.save(tmp_path, *trained, state(2), None, keep=1)
    assert seen == [(".model_1.tmp", "model_2")]


def test_an_old_checkpoint_that_stays_is_told_and_the_new_one_is_saved(
    trained, tmp_path, monkeypatch
):
    checkpoint.save(tmp_path, *trained, state(1), None)
    rename = os.rename

    def fail(source, target):
        if source.name == "model_1":
            raise OSError(errno.EBUSY, "busy")
        rename(source, target)

    monkeypatch.setattr(directory.os, "rename", fail)
    with pytest.warns(UserWarning, match="model_1 cannot be removed: .* busy"):
        assert checkpoint.save(tmp_path, *trained, state(2), None, keep=1).is_dir()


def test_another_error_while_writing_leaves_nothing(trained, tokenizer, tmp_path, monkeypatch):
    def fail(self, directory, model_max_length):
        (directory / "vocab.json").write_text("{")
        raise ValueError("no such word")

    monkeypatch.setattr(Tokenizer, "save", fail)
    with pytest.raises(ValueError, match="no such word"):
        checkpoint.save(tmp_path, *trained, state(3), tokenizer)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("error", "kind"), [
    (OSError(errno.ENOSPC, "full"), NoRoom), (ValueError("a bug"), RuntimeError),
])
def test_every_process_learns_that_the_main_one_failed(
    trained, tmp_path, monkeypatch, error, kind
):
    """The other would wait in the next step for ever."""

    def fail(*arguments):
        raise error

    def work(ranks):
        try:
            return checkpoint.save(tmp_path, *trained, state(3), None, ranks=ranks)
        except (OSError, ValueError, RuntimeError) as raised:
            return raised

    main, other = meeting.run(2, work)
    assert main == other == tmp_path / "model_3"
    monkeypatch.setattr(writing, "_fill", fail)
    main, other = meeting.run(2, work)
    assert type(main) is (NoRoom if kind is NoRoom else ValueError)
    assert type(other) is kind and "main process could not save step 3" in str(other)


def test_one_process_writes(trained, tmp_path, monkeypatch):
    writers = []
    monkeypatch.setattr(writing, "_write", lambda *arguments: writers.append(arguments))
    meeting.run(2, lambda ranks: checkpoint.save(tmp_path, *trained, state(3), None, ranks=ranks))
    assert len(writers) == 1


def test_format_1_is_read(trained, tmp_path):
    path = checkpoint.save(tmp_path, *trained, state(3), None)
    as_format_1(path)
    found = checkpoint.load_state(path)
    assert found == TrainingState(step=3, samples=12, seed=1, order_key="k", sample_order="o",
                                  tokenizer=None, global_batch_size=4, schedule={"max_lr": 0.1})
    assert (found.data, found.world, found.precision, found.progress) == ({}, {}, None, {})
    assert checkpoint.newest(tmp_path) == path
    with pytest.warns(UserWarning, match="model_3 is of format 1, without manifest.json"):
        checkpoint.load_model(path)


def as_format_1(path):
    (path / "manifest.json").unlink()
    values = json.loads((path / "training_state.json").read_text()) | {"format_version": 1}
    for name in ("data", "world", "precision", "progress"):
        del values[name]
    (path / "training_state.json").write_text(json.dumps(values))


@pytest.mark.parametrize(("change", "what"), [
    ({"format_version": 3}, "has format 3, this version reads 1 to 2"),
    ({"format_version": 1, "moon": "full"}, "no training state of format 1: .*moon"),
])
def test_a_state_that_is_not_understood(tmp_path, change, what):
    path = tmp_path / "training_state.json"
    path.write_text(json.dumps({"format_version": 1, **vars(state(3))} | change))
    with pytest.raises(ValueError, match=what):
        checkpoint.state.read(path)


def test_transformers_opens_it_as_it_is(trained, tokenizer, tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model, optimizer = trained
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
