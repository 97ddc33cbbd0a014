"""A model whose base is frozen and whose trainable tensors are two low-rank layers."""

import numpy as np
import paddle
from paddle import nn

from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState
from paddle_impl.config.model import ModelConfig
from paddle_impl.model import GPTForCausalLM
from paddle_impl.optim.adamw import build_optimizer

CONFIG = ModelConfig(
    n_layer=2, n_embd=16, n_head=2, vocab_size=50, n_positions=24, embd_pdrop=0.0, attn_pdrop=0.0,
    resid_pdrop=0.0, bos_token_id=0, eos_token_id=0, pad_token_id=0,
)


class LowRank(nn.Layer):
    """A frozen Linear plus B A x of rank two, in peft's shapes."""

    def __init__(self, linear, seed):
        super().__init__()
        self.linear = linear
        inputs, outputs = linear.weight.shape
        draw = np.random.default_rng(seed)
        self.lora_A = self._matrix(draw.standard_normal((2, inputs)))
        self.lora_B = self._matrix(draw.standard_normal((outputs, 2)))

    def _matrix(self, values):
        return self.create_parameter(list(values.shape),
                                     default_initializer=nn.initializer.Assign(values))

    def forward(self, x):
        return self.linear(x) + (x @ self.lora_A.T) @ self.lora_B.T


def adapted(base, seed=0) -> GPTForCausalLM:
    """The model in the directory, frozen, with two trainable low-rank layers."""
    model = checkpoint.load_model(base)
    for parameter in model.parameters():
        parameter.stop_gradient = True
    for number, block in enumerate(model.transformer.h):
        block.attn.c_attn = LowRank(block.attn.c_attn, seed + number)
    model.adapter_config = {"base_model_name_or_path": str(base), "peft_type": "LORA", "r": 2}
    return model


def saved(output, model, step=3, steps=1):
    """Update the model `steps` times and save it as `step`: (checkpoint's path, optimizer)."""
    optimizer = build_optimizer(model, learning_rate=0.01, weight_decay=0.1)
    for _ in range(steps):
        (model(paddle.to_tensor([[1, 2, 3]])) ** 2).mean().backward()
        optimizer.step()
        optimizer.clear_grad()
    state = TrainingState(step, 4 * step, 1, "k", "o", None, 4, {})
    return checkpoint.save(output, model, optimizer, state, None), optimizer
