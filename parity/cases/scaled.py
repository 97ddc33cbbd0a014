"""A model whose attention scores are divided by the number of the block, from 1."""

from dataclasses import replace

from parity.cases import Case

PROMPT, LENGTH = 5, 40  # tokens before the first step of a decoder, and in all
PROMPTS = [[3, 250, 7, 7, 41, 0, 19], [12, 5]]
NEW = 8  # by an exported model, whose tokenizer has 257 tokens
VOCABULARY = 257


def scaled(case: Case) -> Case:
    return replace(case, config=case.config.with_(scale_attn_by_inverse_layer_idx=True))
