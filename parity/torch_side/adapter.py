"""A base as transformers opens it, with an adapter as peft opens it."""

import peft
import torch
from transformers import GPT2LMHeadModel

from parity.cases.adapter import AdaptedCase
from parity.cases.lora import named
from parity.compare import Point, Trace
from parity.torch_side import weights


def logits(case: AdaptedCase, dtype: str) -> Trace:
    """(B, T, V) and the most probable next tokens, of the adapted model and of the merged one."""
    base = weights.build(case, dtype)
    _grow(base, case.config.vocab_size)
    model = peft.PeftModel.from_pretrained(base, case.adapter).eval()
    trace = named(_scored(model, case), "adapted")
    return trace | named(_scored(model.merge_and_unload(), case), "merged")


@torch.no_grad()
def _scored(model, case: AdaptedCase) -> Trace:
    values = model(torch.from_numpy(case.batch["input_ids"]), use_cache=False).logits
    return {Point(0, "logits", "next token"): values.numpy(),
            Point(0, "choice", "next token"): values.argmax(dim=-1).numpy()}


@torch.no_grad()
def _grow(model: GPT2LMHeadModel, vocabulary: int) -> None:
    """Rows for more tokens, each the mean of the others: peft replaces those that were trained."""
    old = len(model.transformer.wte.weight)
    if vocabulary > old:
        model.resize_token_embeddings(vocabulary, mean_resizing=False)
        rows = model.transformer.wte.weight
        rows[old:] = rows[:old].double().mean(dim=0).to(rows)
