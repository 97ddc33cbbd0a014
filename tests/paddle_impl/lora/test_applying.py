"""What is adapted, trained and counted; merging gives the same output."""

import math

import numpy as np
import paddle
import pytest

from paddle_impl import lora
from paddle_impl.config.model import ModelConfig
from paddle_impl.heads import GPTForSequenceClassification
from paddle_impl.lora import AdapterConfig, LoraOptions
from paddle_impl.model import GPTForCausalLM
from tests.paddle_impl.lora import tiny

BLOCK = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")


def adapted(**flags):
    model = tiny.model()
    names = lora.apply_lora(model, LoraOptions(lora_dim=2, **flags))
    tiny.fill(model)
    model.eval()
    return model, names


def trained(model):
    return {name for name, value in model.named_parameters() if not value.stop_gradient}


def logits(model):
    with paddle.no_grad():
        return model(paddle.to_tensor(tiny.IDS)).numpy()


def test_only_adapters_are_trained_and_the_base_keeps_its_values():
    model, names = adapted()
    assert names == [f"transformer.h.{layer}.attn.c_attn" for layer in (0, 1)]
    assert trained(model) == {f"{name}.lora_{part}.weight" for name in names for part in "AB"}
    for name, values in tiny.weights().items():
        own = dict(model.named_parameters())
        found = own.get(name, own.get(name.replace("c_attn.", "c_attn.base_layer.")))
        np.testing.assert_array_equal(found.numpy(), values)


def test_a_new_adapter_changes_nothing_and_its_a_is_kaimings():
    model = tiny.model()
    before = logits(model)
    lora.apply_lora(model, LoraOptions(lora_dim=64, lora_target_modules=["all-linear"]), seed=3)
    model.eval()
    np.testing.assert_array_equal(logits(model), before)
    for _, layer in lora.adapters(model):
        a = layer.lora_A.weight.numpy()
        bound = 1 / math.sqrt(a.shape[1])
        assert a.shape[0] == 64 and not layer.lora_B.weight.numpy().any()
        assert 0.9 * bound < np.abs(a).max() <= bound
        assert a.std() == pytest.approx(bound / math.sqrt(3), rel=0.15)


def test_the_start_is_by_seed_and_name():
    def a(seed, kind="kaiming", part="lora_A"):
        model = tiny.model()
        lora.apply_lora(model, LoraOptions(lora_dim=2, lora_init=kind), seed=seed)
        return [getattr(layer, part).weight.numpy() for _, layer in lora.adapters(model)]

    one, again, other = a(1), a(1), a(2)
    np.testing.assert_array_equal(one[0], again[0])
    assert not np.array_equal(one[0], other[0]) and not np.array_equal(one[0], one[1])
    assert a(1, "random", "lora_B")[0].any() and not a(1, "gaussian", "lora_B")[0].any()
    assert np.abs(a(1, "gaussian")[0]).max() > 1 / math.sqrt(8)


@pytest.mark.parametrize(("flags", "kinds"), [
    ({}, BLOCK[:1]), ({"lora_target_modules": ["c_proj"]}, (BLOCK[1], BLOCK[3])),
    ({"lora_target_modules": ["all-linear"]}, BLOCK),
    ({"lora_target_modules": ["all-linear"], "lora_scaling": "rslora"}, BLOCK),
    ({"lora_scaling": "alpha"}, BLOCK[:1]), ({"lora_enable": "q,v"}, BLOCK[:1]),
    ({"lora_enable": "k", "lora_target_modules": ["c_attn", "c_fc"]}, (BLOCK[0], BLOCK[2])),
    ({"lora_tokens": ["5", "2"]}, BLOCK[:1]), ({"lora_tokens": ["all"]}, BLOCK[:1]),
])
def test_merged_it_is_a_plain_model_with_the_same_output(flags, kinds):
    model, names = adapted(**flags)
    assert names == [f"transformer.h.{layer}.{kind}" for layer in (0, 1) for kind in kinds]
    for name, value in model.named_parameters():
        if "trainable_tokens" in name:
            value.set_value(tiny.sine(name, value.shape))
    before = logits(model)
    assert np.abs(before - logits(tiny.model())).max() > 1e-3
    plain = lora.merged(model)
    np.testing.assert_allclose(logits(plain), before, rtol=0, atol=1e-13)
    assert {name for name, _ in plain.named_parameters()} == tiny.weights().keys()
    assert trained(plain) == tiny.weights().keys() and plain.adapter_config is None
    with pytest.raises(ValueError, match="no adapters to merge"):
        lora.merged(plain)


@pytest.mark.parametrize("layers, width, rank, count", [(6, 768, 4, 73_728), (12, 768, 4, 147_456)])
def test_the_trained_count_of_q_and_v(layers, width, rank, count):
    shape = ModelConfig(n_layer=layers, n_embd=width, n_head=12, vocab_size=50, n_positions=16)
    model = GPTForCausalLM(shape)
    lora.apply_lora(model, LoraOptions(lora_dim=rank, lora_enable="q,v"))
    told = lora.describe(model)
    assert f"LoRA on {layers} layers, attn.c_attn in blocks 0-{layers - 1}; {count:,} of " in told


def test_bias_modes():
    model, _ = adapted(lora_bias="all")
    assert {name.replace(".base_layer", "") for name in trained(model) if "lora_" not in name} == {
        name for name in tiny.weights() if name.endswith(".bias")}
    model, _ = adapted(lora_bias="lora_only")
    assert {name for name in trained(model) if "lora_" not in name} == {
        f"transformer.h.{layer}.attn.c_attn.base_layer.bias" for layer in (0, 1)}


def test_trained_rows_are_those_of_the_head_too():
    model, _ = adapted(lora_tokens=["5", "2"])
    (rows,) = [value for name, value in model.named_parameters() if "trainable_tokens" in name]
    np.testing.assert_array_equal(rows.numpy(), tiny.weights()["transformer.wte.weight"][[5, 2]])
    before = logits(model)
    with paddle.no_grad():
        rows.set_value(rows + paddle.to_tensor([[1.0], [0.0]], "float64"))
    changed = np.abs(logits(model) - before).max(axis=(0, 1)) > 0
    assert changed[5]  # as an output, beside what it changes as an input
    before, after = before[1, :5], logits(model)[1, :5]  # of which no input is token 5
    assert np.flatnonzero(np.abs(after - before).max(axis=0)).tolist() == [5]


def test_dropout_is_of_the_adapters_input_alone():
    model, names = adapted(lora_dropout=0.5)
    layer = dict(lora.adapters(model))[names[0]]
    x = paddle.to_tensor(np.random.default_rng(0).standard_normal((50, 8)))
    layer.eval()
    whole, own = layer(x).numpy(), layer.base_layer(x).numpy()
    layer.train()
    paddle.seed(1)
    noisy = layer(x).numpy()
    a, b = layer.lora_A.weight.numpy(), layer.lora_B.weight.numpy()
    assert np.abs(whole - noisy).max() > 0.01
    paddle.seed(1)
    mask = paddle.nn.functional.dropout(paddle.ones_like(x), 0.5).numpy()
    np.testing.assert_allclose(noisy, own + (x.numpy() * mask) @ (b @ a * layer.scaling).T,
                               rtol=0, atol=1e-12)


def test_a_classifiers_head_is_trained_and_not_adapted():
    model = GPTForSequenceClassification(tiny.CONFIG.with_(labels=("a", "b"), pad_token_id=0))
    names = lora.apply_lora(model, LoraOptions(lora_dim=2, lora_target_modules=["all-linear"]))
    assert len(names) == 8 and "score.weight" in trained(model)
    assert model.adapter_config["task_type"] == "SEQ_CLS"
    assert model.adapter_config["modules_to_save"] == ["score"]


def test_patterns_that_mean_nothing_are_refused():
    for flag in ("lora_rank_pattern", "lora_alpha_pattern"):
        with pytest.raises(ValueError, match="the pattern c_fc means no layer that LoRA adapts, "
                                             "which are attn.c_attn in blocks 0-1"):
            adapted(**{flag: ["c_fc=3"]})


@pytest.mark.parametrize(("flags", "said"), [
    ({"lora_target_modules": ["q_proj"]}, "q_proj means no layer of the model"),
    ({"lora_layers": [7]}, "c_attn means no layer of the model in blocks 7"),
    ({"lora_enable": "q", "lora_target_modules": ["c_fc"]}, "--lora_enable q is of c_attn"),
    ({"lora_modules_to_save": ["wte"]}, "--lora_tokens all"),
    ({"lora_modules_to_save": ["ln_9"]}, "the model has no layer ln_9"),
    ({"lora_tokens": ["64"]}, "token 64 cannot be trained: the model has 64"),
])
def test_what_cannot_be_adapted_is_told(flags, said):
    with pytest.raises(ValueError, match=said):
        adapted(**flags)


def test_a_model_is_adapted_once():
    model, _ = adapted()
    with pytest.raises(ValueError, match="has adapters already"):
        lora.apply_lora(model, LoraOptions(lora_dim=2))
    with pytest.raises(ValueError, match="for GPT-2's own layers, not for those of Linear"):
        lora.apply_lora(paddle.nn.Linear(2, 2), LoraOptions(lora_dim=2))


def test_a_rank_that_is_shared_by_parts_is_checked():
    with pytest.raises(ValueError, match="rank 3 is of 2 parts together"):
        lora.apply_lora(tiny.model(), AdapterConfig(
            r=3, lora_alpha=1, enable_lora=(True, False, True)))


def test_c_proj_is_of_two_layers_and_this_is_said():
    (note,) = lora.notes(LoraOptions(lora_dim=2, lora_target_modules=["c_proj"]))
    assert "attn.c_proj and mlp.c_proj" in note
    assert lora.notes(LoraOptions(lora_dim=2, lora_target_modules=["mlp.c_proj"])) == []


def test_loralibs_form_and_back():
    a, b = np.arange(6.0).reshape(2, 3), np.arange(1.0, 13.0).reshape(12, 1)
    for enabled in ((True, False, True), (False, True, True)):
        _, whole = lora.to_peft(a, b, enabled)
        assert whole.shape == (18, 2) and np.count_nonzero(whole) == 12
        np.testing.assert_array_equal(lora.from_peft(a, whole, enabled)[1], b)
    whole[0, 0] = 1.0
    with pytest.raises(ValueError, match="mixes the parts of c_attn"):
        lora.from_peft(a, whole, enabled)
