"""The model registry: published parameter counts, every alias, and configurations not of GPT-2."""

import pytest

from paddle_impl.config.model import ModelConfig
from paddle_impl.config.registry import ALIASES, MODELS, named_model

# Requirements table M: formula checked against the published numbers of the GPT-2 family.
PARAMETERS = {
    "distilgpt2": 81_912_576, "gpt2-en": 124_439_808, "gpt2-medium-en": 354_871_296,
    "gpt2-medium": 354_823_168, "gpt2-large-en": 774_030_080, "gpt2-xl-en": 1_557_611_200,
    "gpt2-small-en": 102_946_816, "gpt-cpm-large-cn": 2_597_073_920,
    "gpt-cpm-small-cn-distill": 108_882_432, "gpt3-1.3B-en": 1_313_722_368,
    "gpt3-6.7B-en": 6_654_402_560, "gpt3-13B-en": 12_848_384_000, "pycpilot": 125_778_432,
}


@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_parameter_counts(name, count):
    assert named_model(name).num_parameters() == count


def test_the_formula_counts_the_real_model(tiny_model):
    built = sum(p.size for p in tiny_model.parameters())
    assert built == tiny_model.config.num_parameters()


@pytest.mark.parametrize("alias", ["gpt2", "gpt2_medium", "gpt2_large", "gpt2.sm", "gpt2.md",
                                   "gpt2.lg", "gpt2-small (124M)", "355M", "774M", "1558M"])
def test_names_of_the_source_documents_resolve(alias):
    assert named_model(alias) is MODELS[ALIASES[alias]]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"gpt5.*gpt2-en.*gpt3-1.3B-en.*gpt2.sm"):
        named_model("gpt5")


def test_hf_round_trip():
    config = named_model("gpt2-en").with_(eos_token_id=0, attn_pdrop=0.0)
    assert ModelConfig.from_hf(config.to_hf()) == config


def test_the_width_of_the_mlp_is_written_out():
    """PaddleNLP does not take null."""
    assert named_model("gpt2-en").to_hf()["n_inner"] == 3072
    assert named_model("gpt2-en").with_(n_inner=5).to_hf()["n_inner"] == 5
    assert ModelConfig.from_hf(named_model("gpt2-en").to_hf()).with_(n_embd=24).inner == 96


def test_scores_are_divided_by_the_block_where_config_json_says_so():
    plain = named_model("gpt2-en")
    scaled = ModelConfig.from_hf(plain.to_hf() | {"scale_attn_by_inverse_layer_idx": True})
    assert [plain.attention_scale(layer) for layer in (0, 1, 11)] == [0.125] * 3
    assert [scaled.attention_scale(layer) for layer in (0, 1, 3)] == [0.125, 0.0625, 0.03125]
    assert scaled.to_hf()["scale_attn_by_inverse_layer_idx"] is True
    assert ModelConfig.from_hf(scaled.to_hf()) == scaled != plain


def test_several_end_tokens_are_kept():
    several = named_model("gpt2-en").to_hf() | {"eos_token_id": [7, 0]}
    config = ModelConfig.from_hf(several)
    assert config.end_tokens == (7, 0) == config.eos_token_id
    assert ModelConfig.from_hf(config.to_hf()) == config
    assert "generation_config" not in config.with_(generation_config={}).to_hf()


@pytest.mark.parametrize(("change", "message"), [
    ({"model_type": "llama"}, "llama"),
    ({"activation_function": "relu"}, "activation_function='relu'"),
    ({"tie_word_embeddings": False}, "tie_word_embeddings"),
    ({"reorder_and_upcast_attn": True}, "reorder_and_upcast_attn=true"),
    ({"scale_attn_by_inverse_layer_idx": "no"}, "scale_attn_by_inverse_layer_idx is 'no'"),
])
def test_another_computation_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig.from_hf(named_model("gpt2").to_hf() | change)


def test_missing_shape_is_named():
    with pytest.raises(ValueError, match="n_embd, n_head"):
        ModelConfig.from_hf({"model_type": "gpt2", "n_layer": 1, "vocab_size": 9})


def test_impossible_shapes_are_refused():
    with pytest.raises(ValueError, match="multiple of n_head"):
        ModelConfig(n_layer=1, n_embd=10, n_head=3, vocab_size=5)
