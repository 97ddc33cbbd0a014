"""An adapter's checkpoint restores the trained tensors bit for bit, on the base that it records."""

import hashlib
import json
import shutil
import subprocess

import numpy as np
import pytest
from safetensors.numpy import load_file

from paddle_impl import checkpoint
from paddle_impl.checkpoint import contents
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.optim.adamw import build_optimizer
from parity.__main__ import main as parity
from tests.paddle_impl.checkpoint.low_rank import CONFIG, LowRank, adapted, saved


def test_an_adapter_is_what_was_trained_and_names_its_base(base, tmp_path):
    path, _ = saved(tmp_path / "adapter", adapted(base))
    assert sorted(file.name for file in path.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "config.json", "manifest.json",
        "optimizer.safetensors", "training_state.json"]
    digest = hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()
    assert json.loads((path / "adapter_config.json").read_text()) == {
        "base_model_name_or_path": str(base), "base_sha256": digest, "peft_type": "LORA", "r": 2}
    assert {name: value.shape for name, value in
            load_file(path / "adapter_model.safetensors").items()} == {
        f"base_model.model.transformer.h.{layer}.attn.c_attn.lora_{which}": shape
        for layer in (0, 1) for which, shape in (("A", (2, 16)), ("B", (48, 2)))}
    assert len(load_file(path / "optimizer.safetensors")) == 4 * 4


def test_an_adapter_is_restored_to_the_bit(base, tmp_path):
    model = adapted(base)
    path, optimizer = saved(tmp_path / "adapter", model)
    assert checkpoint.newest(tmp_path / "adapter") == path
    again = adapted(base, seed=7)
    checkpoint.load_weights(path, again)
    fresh = build_optimizer(again, learning_rate=0.01, weight_decay=0.1)
    checkpoint.load_optimizer(path, fresh)
    for (name, one), (_, other) in zip(
        model.named_parameters(), again.named_parameters(), strict=True
    ):
        np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=name)
    for key, value in optimizer.state().items():
        np.testing.assert_array_equal(fresh.state()[key], value)
    state = checkpoint.load_state(path)
    copy = checkpoint.save(tmp_path / "copy", again, fresh, state, None)
    for file in path.iterdir():
        assert file.read_bytes() == (copy / file.name).read_bytes(), file.name


def test_an_adapter_of_another_base_is_refused(base, tmp_path):
    path, _ = saved(tmp_path / "adapter", adapted(base))
    other = GPTForCausalLM(CONFIG)
    initialize(other, 1)
    wrong = saved(tmp_path / "other", other)[0]
    model = adapted(wrong)
    before = {name: p.numpy() for name, p in model.named_parameters()}
    with pytest.raises(ValueError, match=rf"holds an adapter of {base} \(SHA-256 \w{{12}}\.\.\.\), "
                                         rf"this model stands on {wrong} \(SHA-256"):
        checkpoint.load_weights(path, model)
    for name, parameter in model.named_parameters():
        np.testing.assert_array_equal(parameter.numpy(), before[name])
    moved = adapted(shutil.copytree(base, tmp_path / "elsewhere"))
    checkpoint.load_weights(path, moved)  # the same weights under another name


def test_an_adapter_without_a_digest_is_refused(base, tmp_path):
    path, _ = saved(tmp_path / "adapter", adapted(base))
    (path / "manifest.json").unlink()
    (path / "training_state.json").unlink()
    (path / "adapter_config.json").write_text('{"base_model_name_or_path": "somewhere"}')
    with pytest.raises(ValueError, match=r"an adapter of somewhere \(no SHA-256 recorded\)"):
        checkpoint.load_weights(path, adapted(base))


def test_an_adapter_whose_base_is_nowhere_cannot_be_saved(base, tmp_path):
    model = adapted(base)
    model.adapter_config["base_model_name_or_path"] = "gpt2"
    with pytest.raises(ValueError, match="base_model_name_or_path, gpt2, is no directory"):
        saved(tmp_path / "adapter", model)
    model.adapter_config["base_sha256"] = "ab" * 32
    path, _ = saved(tmp_path / "adapter", model)
    assert json.loads((path / "adapter_config.json").read_text())["base_sha256"] == "ab" * 32


def test_an_adapter_alone_is_no_model(base, tmp_path, capsys):
    path, _ = saved(tmp_path / "adapter", adapted(base))
    told = f"{path} holds an adapter of {base}, not a whole model: name {base}, or "
    for load in (checkpoint.load_model, checkpoint.load_language_model,
                 lambda path: checkpoint.load_weights(path, GPTForCausalLM(CONFIG))):
        with pytest.raises(ValueError, match=told):
            load(path)
    with pytest.raises(SystemExit):
        parity(["--checkpoint", str(path), "--output", str(tmp_path / "report")])
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(("change", "said"), [
    (lambda block: setattr(block.attn, "c_proj", LowRank(block.attn.c_proj, 5)), "2 missing"),
    (lambda block: setattr(block.attn, "c_attn", block.attn.c_attn.linear), "2 unknown"),
    (lambda block: setattr(block.attn.c_attn, "lora_A", block.attn.c_attn._matrix(
        np.zeros((3, 16)))), r"lora_A has shape \(2, 16\) in the checkpoint, \(3, 16\)"),
])
def test_layers_that_do_not_match_the_adapter_are_named(base, tmp_path, change, said):
    path, _ = saved(tmp_path / "adapter", adapted(base))
    model = adapted(base)
    change(model.transformer.h[1])
    with pytest.raises(ValueError, match=f"adapter_model.safetensors: .*{said}"):
        checkpoint.load_weights(path, model)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_damaged_adapter_is_named_and_not_resumed_from(base, tmp_path, name):
    output = tmp_path / "adapter"
    for step in (3, 6):
        path, _ = saved(output, adapted(base), step)
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    with pytest.raises(ValueError, match=f"model_6/{name}: damaged, its SHA-256"):
        checkpoint.load_weights(path, adapted(base))
    (path / name).unlink()
    notes = []
    assert checkpoint.newest(output, notes) == output / "model_3"
    assert f"model_6 is damaged ({name}: missing)" in notes[0]


def test_the_digest_of_shards_is_what_sha256sum_says(tmp_path):
    for name in ("model-2.safetensors", "model-1.safetensors"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(
        {"weight_map": {"a": "model-2.safetensors", "b": "model-1.safetensors"}}))
    printed = subprocess.run("sha256sum model-*.safetensors | sha256sum", shell=True, text=True,
                             cwd=tmp_path, capture_output=True, check=True).stdout
    assert contents.weights_sha256(tmp_path) == printed.split()[0]
