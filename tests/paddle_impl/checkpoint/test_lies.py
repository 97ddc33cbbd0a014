"""config.json and training_state.json that were edited: one sentence, or loaded as they say."""

import json
import random
from dataclasses import fields

import pytest

from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState, contents, manifest
from paddle_impl.config.model import ModelConfig
from paddle_impl.pretraining import Pretraining
from paddle_impl.training.resume import PRECISION, SEED, Start, start_step
from tests.lies import lie

WAS = TrainingState(
    step=3, samples=12, seed=1, order_key="k", sample_order="o", tokenizer="c" * 64,
    global_batch_size=4, schedule={"max_lr": 0.1, "decay_steps": 9, "style": "cosine"},
    data={"ids_sha256": ["ab", None], "eos_token_id": 0},
    world={"world_size": 4, "sharding_degree": 2, "mp_degree": 1}, precision="float32",
    progress={"loss_scale": 1.0, "good_steps": 0, "best_valid_loss": 2.5, "skipped_steps": 0,
              "evaluations_since_best": 1},
)
FACTS = (SEED, *Pretraining.facts, PRECISION)
# How many lies, and the seed of their draws; None takes another one each time, and prints it.
LONG = [pytest.mark.exhaustive, pytest.mark.timeout(1800)]
MANY = [pytest.param(400, 14), pytest.param(10_000, None, marks=LONG)]


def lies(count: int, seed: int | None, honest: dict):
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    print(f"seed {seed}")
    draw = random.Random(seed)
    return (lie(draw, honest) for _ in range(count))


def refusal(told: pytest.ExceptionInfo | ValueError, file: str) -> None:
    said = str(told)
    assert file in said and "\n" not in said and said.isprintable() and len(said) < 600, said


@pytest.fixture
def directory(base):
    """A checkpoint of a small model without a manifest, as another program's."""
    (base / "manifest.json").unlink()
    (base / "training_state.json").unlink()
    return base


@pytest.mark.parametrize(("count", "seed"), MANY)
def test_config(directory, count, seed):
    path = directory / "config.json"
    honest = json.loads(path.read_text())
    config = checkpoint.load_config(directory)
    shape = ("n_layer", "n_embd", "vocab_size", "n_positions", "inner")
    loaded = 0
    for content in lies(count, seed, honest):
        path.write_bytes(content)
        try:
            found = checkpoint.load_config(directory)
            assert contents.architecture(directory) == "GPT2LMHeadModel"
        except ValueError as error:
            refusal(error, "config.json" if "holds a" not in str(error) else str(directory))
            continue
        loaded += 1
        told = json.loads(content)
        assert [getattr(found, name) for name in shape] == [getattr(config, n) for n in shape]
        for field in fields(ModelConfig):
            if field.name in ("labels", "n_inner"):  # not a language model's; compared above
                continue
            own, meant = getattr(found, field.name), told.get(field.name, field.default)
            if isinstance(meant, list):
                own, meant = [*own], [*meant]
            assert own == meant and (type(own) is bool) == (field.type is bool), content
    assert 0 < loaded < 0.6 * count


@pytest.mark.parametrize(("count", "seed"), MANY)
def test_training_state(base, count, seed):
    directory = base.rename(base.with_name("model_3"))
    path, loaded, continued = directory / "training_state.json", 0, 0
    for content in lies(count, seed, WAS.to_json()):
        path.write_bytes(content)
        (directory / "manifest.json").unlink(missing_ok=True)
        manifest.write(directory)
        try:
            found = checkpoint.load_state(directory)
        except ValueError as error:
            refusal(error, "training_state.json")
            continue
        loaded += 1
        told = {"task": "pretraining", **json.loads(content)}
        del told["format_version"]
        assert told == vars(found)
        assert found.step == 3 and found.samples == 3 * found.global_batch_size == 12
        try:
            step, notes = start_step(9, Start(directory), WAS, FACTS)
        except ValueError as error:
            refusal(error, str(directory))
            continue
        if found.task == "pretraining":
            continued += 1
            assert step == 3
            for name in ("seed", "order_key", "tokenizer", "global_batch_size", "precision"):
                assert getattr(found, name) == getattr(WAS, name), content
            assert {name: found.data[name] for name in WAS.data} == WAS.data, content
            for name in ("schedule", "world", "sample_order"):
                assert notes or getattr(found, name) == getattr(WAS, name), content
    assert 0 < continued <= loaded < 0.6 * count


@pytest.mark.parametrize(("change", "said"), [
    ({"n_layer": 1_000_000}, "config.json: n_layer is 1000000, but 2 by the shapes of the weights"),
    ({"vocab_size": 2_000_000_000}, "vocab_size is 2000000000, but "),
    ({"n_inner": 1 << 30}, "n_inner is 1073741824, but "),
    ({"n_positions": 7}, "n_positions is 7, but "),
    ({"n_head": "2"}, "config.json: n_head is '2', expected a whole number from 1 to 2147483647"),
    ({"n_head": True}, "n_head is true, expected"),
    ({"eos_token_id": -1}, "eos_token_id is -1, expected"),
    ({"layer_norm_epsilon": float("nan")}, "config.json cannot be read: NaN is no JSON"),
    ({"attn_pdrop": "0.1"}, "attn_pdrop is '0.1', expected a finite number from 0 to 1"),
    ({"architectures": [{}]}, "architectures is a list of 1, expected a list, each item a text"),
    ({"architectures": ["GPT2ForSequenceClassification"], "num_labels": 10**9},
     "num_labels is 1000000000, expected"),
])
def test_a_config_is_checked_before_a_model_is_built(directory, change, said, monkeypatch):
    monkeypatch.setattr("paddle_impl.checkpoint.reading.build",
                        lambda *arguments: pytest.fail("it was built"))
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError) as raised:
        checkpoint.load_model(directory)
    assert said in str(raised.value)


@pytest.mark.parametrize(("change", "said"), [
    ({"step": 4}, "samples is 12, but step 4 x global_batch_size 4 is 16"),
    ({"step": 6, "samples": 24}, "step is 6, but the folder is that of step 3"),
    ({"step": True}, "step is true, expected a whole number from 0 to"),
    ({"samples": 12.0}, "samples is 12.0, expected a whole number"),
    ({"seed": 2**32}, "seed is 4294967296, expected a whole number from 0 to 4294967295"),
    ({"world": {"world_size": 2}}, "world.sharding_degree is missing, expected a whole number"),
    ({"world": {"world_size": 3, "sharding_degree": 2, "mp_degree": 1}},
     "world.world_size is no multiple of sharding_degree x mp_degree: 3, 2 and 1"),
    ({"progress": {"loss_scale": "1"}}, "progress is an object, expected an object, each value a"),
    ({"progress": {"skipped_steps": -1}}, "progress.skipped_steps is -1, expected"),
    ({"schedule": {"max_lr": {}}}, "schedule is an object, expected an object, each value"),
    ({"moon": "full"}, "the field 'moon' is unknown"),
    ({"format_version": True}, "has format true, this version reads 1 to 2"),
])
def test_a_state_is_checked_and_agrees_with_itself(tmp_path, change, said):
    path = tmp_path / "model_3" / "training_state.json"
    path.parent.mkdir()
    path.write_text(json.dumps(WAS.to_json()))
    assert checkpoint.state.read(path) == WAS
    path.write_text(json.dumps(WAS.to_json() | change))
    with pytest.raises(ValueError) as raised:
        checkpoint.state.read(path)
    assert said in str(raised.value) and str(path) in str(raised.value)


def test_what_a_run_always_writes_is_missed(tmp_path):
    """In format 2; without it the run would start with another loss scale, or compare less."""
    directory = tmp_path / "model_3"
    directory.mkdir()
    told = json.loads(json.dumps(WAS.to_json()))
    del told["progress"]["loss_scale"], told["data"]["ids_sha256"]
    (directory / "training_state.json").write_text(json.dumps(told | {"precision": None}))
    manifest.write(directory)
    with pytest.raises(ValueError, match="training_state.json lacks precision, data.ids_sha256, "
                                         "progress.loss_scale"):
        start_step(9, Start(directory), WAS, FACTS)


def test_a_header_of_many_empty_layers_does_not_size_the_model(directory):
    """Its tensors hold fewer numbers than the model that it describes would."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    weights = load_file(directory / "model.safetensors")
    more = {f"transformer.h.{layer}.mlp.c_fc.weight": np.zeros((0, 4), np.float32)
            for layer in range(1, 5000)}
    save_file(weights | more, directory / "model.safetensors")
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"n_layer": 5000}))
    with pytest.raises(ValueError, match=r"config.json describes \d+ parameters, the weights "
                                         r"beside it are \d+"):
        checkpoint.load_config(directory)
