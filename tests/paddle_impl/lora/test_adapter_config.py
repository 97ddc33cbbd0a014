"""adapter_config.json in and out, and what is refused by its name."""

import math

import pytest

from paddle_impl.lora import AdapterConfig

PLAIN = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["c_attn"]}
# What peft 0.21.2 writes of what is not used.
UNUSED = {
    "alora_invocation_tokens": None, "auto_mapping": {"base_model_class": "GPT2LMHeadModel"},
    "bias": "none", "corda_config": None, "ensure_weight_tying": False, "eva_config": None,
    "exclude_modules": None, "fan_in_fan_out": True, "inference_mode": True,
    "init_lora_weights": True, "layer_replication": None, "layers_pattern": None,
    "layers_to_transform": None, "loftq_config": {}, "lora_bias": False, "lora_dropout": 0.0,
    "megatron_config": None, "megatron_core": "megatron.core", "modules_to_save": None,
    "peft_version": "0.21.2", "qalora_group_size": 16, "rank_pattern": {}, "revision": None,
    "task_type": "CAUSAL_LM", "trainable_token_indices": None, "use_dora": False,
    "use_rslora": False, "velora_config": None,
}


def test_what_peft_writes_is_read():
    found = AdapterConfig.of(PLAIN | UNUSED)
    assert found == AdapterConfig(r=4, lora_alpha=8, target_modules=("c_attn",),
                                  task_type="CAUSAL_LM")
    assert AdapterConfig.of(found.to_json()) == found


def test_all_that_is_built_survives():
    config = AdapterConfig(
        r=4, lora_alpha=8.5, target_modules=r".*c_attn", lora_dropout=0.1, bias="lora_only",
        use_rslora=True, rank_pattern={"a": 2}, alpha_pattern={"b": 3.5},
        exclude_modules=("c_fc",), layers_to_transform=(0, 2), layers_pattern=("h",),
        modules_to_save=("ln_f",), trainable_token_indices=(5, 3), init_lora_weights="gaussian",
        enable_lora=(True, False, True), base_model_name_or_path="base", base_sha256="ab" * 32,
        task_type="CAUSAL_LM")
    assert AdapterConfig.of(config.to_json()) == config


def test_other_forms_of_the_same():
    found = AdapterConfig.of(PLAIN | {
        "target_modules": "all-linear", "layers_to_transform": 1, "layers_pattern": "h",
        "trainable_token_indices": {"wte": [3]}})
    assert found.target_modules == "all-linear" and found.layers_to_transform == (1,)
    assert found.layers_pattern == ("h",) and found.trainable_token_indices == (3,)
    assert AdapterConfig.of(PLAIN | {"target_modules": None}).target_modules == ("c_attn",)


def test_the_factor_is_by_the_layers_own_rank_and_alpha():
    config = AdapterConfig(r=4, lora_alpha=8, rank_pattern={"c_fc": 16},
                           alpha_pattern={"mlp.c_fc": 5})
    assert config.size("h.0.mlp.c_fc") == (16, 5) and config.size("h.0.attn.c_attn") == (4, 8)
    assert config.scaling("h.0.mlp.c_fc") == 5 / 16
    rooted = AdapterConfig(r=2, lora_alpha=8, use_rslora=True)
    assert rooted.scaling("h.0.attn.c_attn") == 8 / math.sqrt(2)


@pytest.mark.parametrize(("key", "value"), [
    ("use_dora", True), ("lora_bias", True), ("use_qalora", True), ("loftq_config", {"bits": 4}),
    ("megatron_config", {"a": 1}), ("eva_config", {"rho": 2.0}), ("corda_config", {"a": 1}),
    ("alora_invocation_tokens", [1]), ("layer_replication", [[0, 1]]), ("use_bdlora", {"a": 1}),
    ("target_parameters", ["x"]), ("arrow_config", {"a": 1}), ("of_tomorrow", "yes"),
    ("init_lora_weights", "pissa"), ("init_lora_weights", "eva"), ("bias", "some"),
    ("task_type", "SEQ_2_SEQ_LM"), ("peft_type", "LOHA"), ("peft_type", None), ("r", 0),
    ("r", "4"), ("lora_alpha", None), ("lora_dropout", 1.0), ("lora_dropout", 2.0),
    ("rank_pattern", {"a": 0}), ("alpha_pattern", {"a": "b"}), ("layers_to_transform", [-1]),
    ("trainable_token_indices", {"lm_head": [1]}), ("enable_lora", [False, False, False]),
    ("base_sha256", "ab"),
])
def test_what_is_not_built_is_refused_by_its_name(key, value):
    with pytest.raises(ValueError, match=f"^{key} "):
        AdapterConfig.of(PLAIN | {key: value})


def test_a_broken_expression_is_told():
    for key in ("target_modules", "exclude_modules"):
        with pytest.raises(ValueError, match="is no regular expression"):
            AdapterConfig.of(PLAIN | {key: "("})
    for key in ("rank_pattern", "alpha_pattern"):
        with pytest.raises(ValueError, match="is no regular expression"):
            AdapterConfig.of(PLAIN | {key: {"(": 3}})


def test_missing_numbers_are_told():
    with pytest.raises(ValueError, match="^r is missing"):
        AdapterConfig.of({"peft_type": "LORA", "lora_alpha": 8})
