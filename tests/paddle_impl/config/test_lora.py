"""Flags of LoRA that are not valid are refused by their names."""

import pytest

from paddle_impl.config.lora import LoraOptions


@pytest.mark.parametrize(("flags", "said"), [
    ({"lora_dim": -1}, "--lora_dim must not be negative"),
    ({"lora_dropout": 1.0}, r"--lora_dropout must lie in \[0, 1\)"),
    ({"lora_alpha": float("nan")}, "--lora_alpha must be finite"),
    ({"lora_enable": "q,w"}, "--lora_enable takes q, k and v"),
    ({"lora_enable": "q,q"}, "--lora_enable takes q, k and v"),
    ({"lora_target_modules": ["a"], "lora_target_pattern": "b"}, "leave one out"),
    ({"lora_target_modules": ["all-linear", "c_fc"]}, "all-linear stands alone"),
    ({"lora_target_modules": ["all-linear"], "lora_layers": [1]}, "does not go with all-linear"),
    ({"lora_target_pattern": "a", "lora_layers": [1]}, "write the blocks into it"),
    ({"lora_layers": [-1]}, "counts blocks from 0"),
    ({"lora_rank_pattern": ["c_fc"]}, "takes PATTERN=NUMBER, got c_fc"),
    ({"lora_rank_pattern": ["c_fc=0"]}, "a rank is at least 1"),
    ({"lora_rank_pattern": ["c_fc=1.5"]}, "takes PATTERN=NUMBER"),
    ({"lora_alpha_pattern": ["=3"]}, "takes PATTERN=NUMBER"),
    ({"lora_alpha_pattern": ["a=inf"]}, "takes PATTERN=NUMBER"),
    ({"lora_tokens": ["new", "3"]}, "--lora_tokens takes new, none, all or different numbers"),
    ({"lora_tokens": ["3", "3"]}, "--lora_tokens takes new, none, all or different numbers"),
])
def test_what_means_nothing_is_refused(flags, said):
    with pytest.raises(ValueError, match=said):
        LoraOptions(**{"lora_dim": 2} | flags)


def test_values_of_words():
    options = LoraOptions(lora_dim=2, lora_enable="v, q", lora_rank_pattern=["a=b=3"],
                          lora_alpha_pattern=["c=1.5"], lora_tokens=["7", "1"])
    assert options.enabled == (True, False, True) and options.ranks == {"a=b": 3}
    assert options.alphas == {"c": 1.5} and options.tokens == (7, 1)
    assert options.targets == ("c_attn",) and LoraOptions().tokens == "new"
    assert LoraOptions(lora_target_modules=["all-linear"]).targets == "all-linear"
