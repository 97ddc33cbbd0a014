"""Greedy text as people write it in torch, on transformers' GPT-2 and its weights.

Shapes: N prompts, T new tokens, S past + new tokens, H heads, D head size, C = H x D, V vocabulary.
"""

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import GPT2Config, GPT2LMHeadModel


class Generation:
    """generate: transformers' own. static: a loop of its own over a cache made once."""

    framework = f"torch {torch.__version__}"

    def __init__(self, kind: str, folder: str, new_tokens: int, cores: int):
        torch.set_num_threads(cores)
        self.model = GPT2LMHeadModel(GPT2Config.from_pretrained(folder)).eval()
        found = self.model.load_state_dict(load_file(f"{folder}/model.safetensors"), strict=False)
        if found.unexpected_keys or found.missing_keys != ["lm_head.weight"]:
            raise ValueError(f"the weights do not fit transformers' GPT-2: {found}")
        # No end token: all sides write the same number of tokens.
        self.model.generation_config.eos_token_id = None
        self.new_tokens = new_tokens
        self.run = self._generate if kind == "generate" else StaticLoop(self.model, new_tokens)

    @torch.inference_mode()
    def tokens(self, prompts: np.ndarray) -> list[list[int]]:
        """prompts (N, P) -> N lists of new tokens."""
        return self.run(torch.from_numpy(prompts)).tolist()

    @torch.inference_mode()
    def logits(self, ids: list[int]) -> np.ndarray:
        """After the last of the ids, (V,)."""
        return self.model(torch.tensor([ids])).logits[0, -1].numpy()

    def threads(self) -> int:
        return torch.get_num_threads()

    def _generate(self, prompts):
        found = self.model.generate(
            prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=self.new_tokens,
            do_sample=False, pad_token_id=0,
        )
        return found[:, prompts.shape[1] :]


class StaticLoop:
    """The same computation without transformers around it."""

    def __init__(self, model: GPT2LMHeadModel, new_tokens: int):
        self.gpt, self.new_tokens = model.transformer, new_tokens
        self.heads, self.width = model.config.n_head, model.config.n_embd
        # [out, in], as torch's own Linear: a product with one row reads it in order.
        self.weights = [[part.weight.t().contiguous() for part in _linears(block)]
                        for block in self.gpt.h]

    def __call__(self, prompts):
        count, length = prompts.shape
        shape = (count, self.heads, length + self.new_tokens, self.width // self.heads)
        cache = [(torch.empty(shape), torch.empty(shape)) for _ in self.gpt.h]
        ids, past, found = prompts, 0, []
        for _ in range(self.new_tokens):
            found.append(self._logits(ids, past, cache).argmax(-1))
            past, ids = past + ids.shape[1], found[-1][:, None]
        return torch.stack(found, dim=1)

    def _logits(self, ids, past: int, cache):
        """ids (N, T) -> logits (N, V) after the last."""
        gpt, (count, new) = self.gpt, ids.shape
        x = gpt.wte.weight[ids] + gpt.wpe.weight[past : past + new]  # (N, T, C)
        for block, weights, (keys, values) in zip(gpt.h, self.weights, cache, strict=True):
            qkv, out, fc, proj = [
                lambda x, weight=weight, bias=part.bias: F.linear(x, weight, bias)
                for weight, part in zip(weights, _linears(block), strict=True)
            ]
            q, k, v = qkv(block.ln_1(x)).view(count, new, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            keys[:, :, past : past + new], values[:, :, past : past + new] = k, v
            mixed = F.scaled_dot_product_attention(
                q, keys[:, :, : past + new], values[:, :, : past + new], is_causal=new > 1
            )  # (N, H, T, D)
            x = x + out(mixed.transpose(1, 2).reshape(count, new, self.width))
            x = x + proj(F.gelu(fc(block.ln_2(x)), approximate="tanh"))
        return F.linear(gpt.ln_f(x[:, -1]), gpt.wte.weight)


def _linears(block):
    return block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj
