"""The shape of a new model: a registry name or a config.json, and flags over it."""

import json
import shutil

import pytest

from data_tools.token_files.writer import TokenFileWriter
from paddle_impl import checkpoint
from paddle_impl.config.architecture import ArchitectureOptions
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.config.registry import named_model
from paddle_impl.pretraining import pretraining_run
from paddle_impl.training.resume import Start
from paddle_impl.training.shapes import shape_of

SMALL = ModelConfig(n_layer=2, n_embd=16, n_head=2, vocab_size=400, n_positions=24, n_inner=40,
                    layer_norm_epsilon=1e-3)


def shape(name="gpt2-en", vocabulary=300, **flags) -> ModelConfig:
    return shape_of(Start(None), name, ArchitectureOptions.of(**flags), vocabulary)


@pytest.fixture
def config(tiny_data, tmp_path):
    def build(**more) -> PretrainConfig:
        return PretrainConfig.of(**{
            "model_type": "gpt", "model_name_or_path": "code-mini", "input_dir": str(tiny_data),
            "output_dir": str(tmp_path / "run"), "split": "80,15,5", "max_seq_len": 16,
            "micro_batch_size": 2, "max_steps": 1, "eval_iters": 0, "device": "cpu",
            "report_to": "none", "peak_tflops": 1.0, **more})

    return build


def refusal(config) -> str:
    with pytest.raises(ValueError) as raised:
        pretraining_run(config)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_name_alone_keeps_its_shape():
    assert shape() == named_model("gpt2-en")


@pytest.mark.parametrize(("flags", "expected"), [
    ({"n_layer": 6}, {"n_layer": 6, "vocab_size": 300}),
    ({"n_embd": 48, "n_head": 3}, {"n_embd": 48, "n_head": 3, "vocab_size": 300, "inner": 192}),
    ({"n_inner": 100, "vocab_size": 512}, {"n_inner": 100, "vocab_size": 512}),
    ({"vocab_size": 300}, {"vocab_size": 300}),
    ({"scale_attn_by_inverse_layer_idx": True},
     {"scale_attn_by_inverse_layer_idx": True, "vocab_size": 300}),
    ({}, {"scale_attn_by_inverse_layer_idx": False, "vocab_size": 50257}),
])
def test_flags_lie_over_a_name(flags, expected):
    found = shape(**flags)
    assert {name: getattr(found, name) for name in expected} == expected
    unchanged = {"n_layer", "n_positions"} - expected.keys()
    assert all(getattr(found, name) == getattr(named_model("gpt2-en"), name) for name in unchanged)


def test_without_a_vocabulary_of_the_data_the_names_counts():
    assert shape(vocabulary=None, n_layer=1).vocab_size == 50257


def test_positions_have_both_of_their_names(capsys):
    found = shape(n_positions=32)
    assert found.n_positions == found.to_hf()["n_ctx"] == found.to_hf()["n_positions"] == 32
    given = PretrainConfig.checked({"n_ctx": 32})
    assert given == {"n_positions": 32}


@pytest.mark.parametrize(("flags", "said"), [
    ({"n_embd": 100}, "gpt2-en with --n_embd 100: n_embd 100 is not a multiple of n_head 12"),
    ({"n_head": 5}, "gpt2-en with --n_head 5: n_embd 768 is not a multiple of n_head 5"),
    ({"vocab_size": 299}, "--vocab_size 299 is below the 300 tokens of the data"),
    ({"n_layer": 0}, "--n_layer must be at least 1, got 0"),
    ({"n_inner": -1}, "--n_inner must be at least 1, got -1"),
])
def test_shapes_that_no_model_has(flags, said):
    with pytest.raises(ValueError, match=said):
        shape(**flags)


@pytest.mark.parametrize("form", ["file", "directory"])
def test_a_config_without_weights(tmp_path, form):
    (tmp_path / "config.json").write_text(json.dumps(SMALL.to_hf()))
    (tmp_path / "tokenizer.json").write_text("{}")
    name = str(tmp_path if form == "directory" else tmp_path / "config.json")
    assert shape(name) == SMALL.with_(vocab_size=300)
    assert shape(name, vocab_size=400, n_layer=3) == SMALL.with_(n_layer=3)
    assert shape(name, vocabulary=None) == SMALL


@pytest.mark.parametrize(("values", "said"), [
    ({"n_ctx": 12}, "n_ctx 12 and n_positions 24 are two names of one size"),
    ({"n_embd": 15}, "n_embd 15 is not a multiple of n_head 2"),
    ({"model_type": "llama"}, "model_type in config.json is 'llama'"),
])
def test_a_config_that_is_wrong_is_named(tmp_path, values, said):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(SMALL.to_hf() | values))
    with pytest.raises(ValueError, match=said) as raised:
        shape(str(path))
    assert str(path) in str(raised.value)


def test_the_older_name_of_the_positions_alone_counts(tmp_path):
    values = SMALL.to_hf() | {"n_ctx": 12}
    del values["n_positions"]
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert shape(str(tmp_path)).n_positions == 12


def test_a_checkpoint_that_lost_its_weights_is_no_config(tmp_path, config):
    pretraining_run(config(n_layer=1)).train()
    lost = shutil.copytree(tmp_path / "run" / "model_1", tmp_path / "lost")
    (lost / "model.safetensors").unlink()
    assert checkpoint.config_alone(str(lost)) is None
    assert "model.safetensors" in refusal(config(
        model_name_or_path=str(lost), output_dir=str(tmp_path / "b"), max_steps=2))


def test_a_run_has_the_shape_and_weights_refuse_another(tmp_path, config):
    flags = {"n_layer": 1, "n_embd": 24, "n_head": 3, "n_inner": 50, "n_positions": 20,
             "scale_attn_by_inverse_layer_idx": True}
    pretraining_run(config(**flags)).train()
    saved = tmp_path / "run" / "model_1"
    values = json.loads((saved / "config.json").read_text())
    assert {name: values[name] for name in flags} == flags
    assert values["vocab_size"] == 300 and values["n_ctx"] == 20
    assert values["eos_token_id"] == 0
    other = {"output_dir": str(tmp_path / "b"), "model_name_or_path": None,
             "init_from": str(saved)}
    said = refusal(config(n_inner=51, **other))
    assert f"--n_inner 51 is for a new model: the weights in {saved} have n_inner 50" in said
    said = refusal(config(max_steps=2, resume=True, **flags | {"n_layer": 2}))
    assert "--n_layer 2 is for a new model" in said and "leave --n_layer out" in said
    # What agrees with the weights may stand there: the same command goes on with --resume.
    assert pretraining_run(config(max_steps=2, resume=True, **flags)).start_step == 1


def test_data_without_a_tokenizer_tell_their_vocabulary(tmp_path, config):
    with TokenFileWriter(tmp_path / "ids", 77, None) as writer:
        for _ in range(40):
            writer.append([1, 2, 3, 76] * 9)
    run = pretraining_run(config(input_dir=str(tmp_path / "ids_ids.npy"), n_layer=1))
    assert run.model.config.vocab_size == 77


def test_the_scale_of_a_config_json_can_be_switched_off():
    assert ArchitectureOptions(scale_attn_by_inverse_layer_idx=False).shape() == {
        "scale_attn_by_inverse_layer_idx": False}
    assert ArchitectureOptions().shape() == {}
