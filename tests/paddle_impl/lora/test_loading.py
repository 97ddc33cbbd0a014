"""Adapters of this project and of peft, opened by the other."""

import json
import shutil
from dataclasses import replace

import numpy as np
import paddle
import pytest
from safetensors.numpy import load_file, save_file

from paddle_impl import checkpoint, lora
from paddle_impl.checkpoint import TrainingState, plain
from paddle_impl.lora import LoraOptions
from paddle_impl.optim.adamw import build_optimizer
from tests.paddle_impl.lora import tiny

PEFT = {"peft_type": "LORA", "r": 2, "lora_alpha": 8, "target_modules": ["c_attn"],
        "fan_in_fan_out": True, "base_model_name_or_path": "elsewhere"}


@pytest.fixture
def base(tmp_path):
    plain.write_model(tmp_path / "base", tiny.model("float32"), None)
    return tmp_path / "base"


@pytest.fixture
def adapter(tmp_path):
    """A directory as peft writes it, without a digest."""
    place = tmp_path / "adapter"
    place.mkdir()
    (place / "adapter_config.json").write_text(json.dumps(PEFT))
    save_file({f"base_model.model.{name}": values for name, values in tensors().items()},
              place / "adapter_model.safetensors", {"format": "pt"})
    return place


def tensors():
    return {name: tiny.sine(name, shape, 0.1).astype(np.float32)
            for layer in (0, 1) for part, shape in (("A", (2, 8)), ("B", (24, 2)))
            for name in [f"transformer.h.{layer}.attn.c_attn.lora_{part}.weight"]}


def change(adapter, config=None, drop=(), **more):
    """Write the adapter with other entries and tensors; names in `more` have no prefix."""
    told = json.loads((adapter / "adapter_config.json").read_text()) | (config or {})
    (adapter / "adapter_config.json").write_text(json.dumps(told))
    held = load_file(adapter / "adapter_model.safetensors")
    held = {name: value for name, value in held.items() if not name.endswith(tuple(drop) or "?")}
    save_file(held | {f"base_model.model.{name}": value for name, value in more.items()},
              adapter / "adapter_model.safetensors", {"format": "pt"})


def logits(model):
    model.eval()
    with paddle.no_grad():
        return model(paddle.to_tensor(tiny.IDS)).numpy()


def saved(base, tmp_path, **flags):
    """An adapter that this project writes, after a step of training: (its path, the model)."""
    model = checkpoint.load_language_model(base)
    lora.apply_lora(model, LoraOptions(lora_dim=2, **flags), base=base)
    tiny.fill(model)
    optimizer = build_optimizer(model, learning_rate=0.01, weight_decay=0.1)
    tiny.loss(model).backward()
    optimizer.step()
    state = TrainingState(1, 4, 1, "k", "o", None, 4, {})
    return checkpoint.save(tmp_path / "run", model, optimizer, state, None), model


def test_pefts_adapter_is_opened_as_it_is(base, adapter):
    model = lora.load_adapted(base, adapter)
    own = dict(model.named_parameters())
    for name, values in tensors().items():
        np.testing.assert_array_equal(own[name].numpy(), values)
    expected = tiny.model("float32")
    lora.apply_lora(expected, LoraOptions(lora_dim=2, lora_alpha=8))
    tiny.fill(expected)
    np.testing.assert_array_equal(logits(model), logits(expected))
    np.testing.assert_allclose(
        logits(lora.load_merged(base, adapter)), logits(model), rtol=0, atol=1e-6)


@pytest.mark.parametrize("flags", [
    {}, {"lora_enable": "q,v"}, {"lora_tokens": ["7", "3"]}, {"lora_bias": "all"},
    {"lora_scaling": "alpha", "lora_target_modules": ["c_proj"]},
    {"lora_modules_to_save": ["ln_f"], "lora_rank_pattern": [r"h\.0\..*=4"]},
])
def test_ours_is_opened_by_peft_and_by_us(base, tmp_path, flags):
    peft = pytest.importorskip("peft")
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    path, model = saved(base, tmp_path, **flags)
    theirs = peft.PeftModel.from_pretrained(
        transformers.GPT2LMHeadModel.from_pretrained(base), path).eval()
    stored = load_file(path / "adapter_model.safetensors")
    held = peft.get_peft_model_state_dict(theirs)
    assert held.keys() == stored.keys()
    for name, values in stored.items():
        np.testing.assert_array_equal(held[name].numpy(), values)
    with torch.no_grad():
        found = theirs(torch.tensor(tiny.IDS)).logits.numpy()
    np.testing.assert_allclose(found, logits(model), rtol=0, atol=2e-5)
    np.testing.assert_array_equal(logits(lora.load_adapted(None, path)), logits(model))


def test_the_digest_of_the_base_is_checked(base, adapter, tmp_path):
    path, _ = saved(base, tmp_path)
    other = tmp_path / "other"
    shutil.copytree(base, other)
    lora.load_adapted(other, path)  # the same weights under another name
    weights = load_file(other / "model.safetensors")
    save_file(weights | {"transformer.ln_f.bias": weights["transformer.ln_f.bias"] + 1},
              other / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"holds an adapter of .*base with SHA-256 \w{12}\.\.\., "):
        lora.load_adapted(other, path)
    lora.load_adapted(other, adapter)  # peft records none


def test_a_base_that_is_nowhere_is_told(adapter):
    with pytest.raises(ValueError, match="is an adapter of elsewhere, which is no directory here"):
        lora.load_adapted(None, adapter)
    with pytest.raises(ValueError, match="holds no adapter"):
        lora.load_adapted(None, adapter.parent)


@pytest.mark.parametrize(("config", "said"), [
    ({"use_dora": True}, "adapter_config.json: use_dora is true, which is not built here"),
    ({"r": 3}, r"lora_A.weight has shape \(2, 8\) in the checkpoint, \(3, 8\)"),
    ({"target_modules": ["c_attn", "c_fc"]}, "4 missing"),
    ({"target_modules": ["h.0.attn.c_attn"]}, "2 unknown"),
    ({"task_type": "SEQ_CLS"}, "an adapter for SEQ_CLS"),
    ({"enable_lora": [True, False, True]}, "mixes the parts of c_attn"),
])
def test_what_does_not_fit_is_told(base, adapter, config, said):
    change(adapter, config)
    with pytest.raises(ValueError, match=said):
        lora.load_adapted(base, adapter)


def test_a_pickle_is_not_read(base, adapter):
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(ValueError, match="in a pickle, adapter_model.bin, which is not read"):
        lora.load_adapted(base, adapter)


def test_a_saved_embedding_must_be_the_bases(base, adapter):
    rows = tiny.weights()["transformer.wte.weight"].astype(np.float32)
    change(adapter, {"modules_to_save": ["wte"]}, **{"transformer.wte.weight": rows})
    before = logits(lora.load_adapted(base, adapter))
    change(adapter, {"modules_to_save": None}, drop=["wte.weight"])
    np.testing.assert_array_equal(before, logits(lora.load_adapted(base, adapter)))
    change(adapter, {"modules_to_save": ["wte"]}, **{"transformer.wte.weight": rows + 1})
    with pytest.raises(ValueError, match="wte.weight differs from the base's, and the head is not"):
        lora.load_adapted(base, adapter)


def test_a_vocabulary_that_peft_has_resized(base, adapter):
    rows = np.concatenate([tiny.weights()["transformer.wte.weight"], np.ones((2, 8))])
    both = {f"{name}.weight": rows.astype(np.float32) for name in ("transformer.wte", "lm_head")}
    change(adapter, **both)
    model = lora.load_adapted(base, adapter)
    assert model.config.vocab_size == 66
    np.testing.assert_array_equal(model.transformer.wte.weight.numpy()[64:], np.ones((2, 8)))
    change(adapter, **both | {"lm_head.weight": both["lm_head.weight"] + 1})
    with pytest.raises(ValueError, match="lm_head.weight differs from the embedding's"):
        lora.load_adapted(base, adapter)


def test_rows_of_tokens_that_the_base_lacks(base, adapter):
    key = "transformer.wte.token_adapter.trainable_tokens_delta"
    change(adapter, {"trainable_token_indices": [3, 65, 64]},
           **{key: np.arange(24, dtype=np.float32).reshape(3, 8)})
    plain_one = lora.load_merged(base, adapter)
    rows = plain_one.transformer.wte.weight.numpy()
    assert rows.shape == (66, 8)
    np.testing.assert_array_equal(rows[[3, 65, 64]], np.arange(24).reshape(3, 8))
    change(adapter, {"trainable_token_indices": [3, 70, 64]})
    with pytest.raises(ValueError, match="token 70 cannot be trained: the model has 64|65"):
        lora.load_adapted(base, adapter)


def test_a_merged_model_is_for_the_decoder_in_c(base, adapter):
    from paddle_impl.decoding.native_decoder import refusal
    assert "LoraLinear" in refusal(lora.load_adapted(base, adapter))
    assert refusal(lora.load_merged(base, adapter)) == ""


def test_q_and_v_as_they_were_trained_are_read_again(base, tmp_path):
    path, model = saved(base, tmp_path, lora_enable="q,v")
    config = lora.read_config(path)
    assert (config.r, config.lora_alpha, config.enable_lora) == (4, 64, (True, False, True))
    assert replace(config, base_sha256=None) == lora.AdapterConfig.of(
        {key: value for key, value in model.adapter_config.items() if key != "base_sha256"})
    b = load_file(path / "adapter_model.safetensors")[
        "base_model.model.transformer.h.0.attn.c_attn.lora_B.weight"]
    assert b[:8, :2].all() and b[16:, 2:].all() and np.count_nonzero(b) == 32
