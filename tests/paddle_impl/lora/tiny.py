"""The model of the published values: value k of a tensor is 0.2 sin(0.7 k + c), c from its name."""

import numpy as np
import paddle

from paddle_impl import lora
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.model import GPTForCausalLM

CONFIG = ModelConfig(
    n_layer=2, n_embd=8, n_head=2, vocab_size=64, n_positions=32, embd_pdrop=0.0, attn_pdrop=0.0,
    resid_pdrop=0.0, layer_norm_epsilon=1e-5, bos_token_id=0, eos_token_id=0)
IDS = [[1, 5, 9, 13, 2, 40, 17, 33], [60, 3, 3, 7, 21, 8, 50, 11]]


def sine(name: str, shape, height: float = 0.2) -> np.ndarray:
    c = sum(map(ord, name)) % 97
    return (height * np.sin(0.7 * np.arange(np.prod(shape)) + c)).reshape(shape)


def weights() -> dict[str, np.ndarray]:
    model = GPTForCausalLM(CONFIG)
    return {name: sine(name, value.shape) + (".ln_" in name and name.endswith("weight"))
            for name, value in model.named_parameters()}


def model(dtype: str = "float64") -> GPTForCausalLM:
    before = paddle.get_default_dtype()
    paddle.set_default_dtype(dtype)
    built = GPTForCausalLM(CONFIG)
    paddle.set_default_dtype(before)
    hugging_face.load_weights(built, weights())
    built.eval()
    return built


def fill(adapted) -> None:
    """Set A and B of each adapter; what lies outside of B's blocks stays zero."""
    for name, layer in lora.adapters(adapted):
        for part in ("lora_A", "lora_B"):
            value = getattr(layer, part).weight
            values = sine(f"{name}.{part}.weight", value.shape, 0.1)
            if part == "lora_B" and layer.blocks is not None:
                values = values * layer.blocks.numpy()
            value.set_value(values.astype(value.numpy().dtype))


def loss(adapted) -> paddle.Tensor:
    """Over labels that are shifted by one."""
    ids = paddle.to_tensor(IDS)
    logits = adapted(ids)[:, :-1].reshape([-1, CONFIG.vocab_size])
    return paddle.nn.functional.cross_entropy(logits, ids[:, 1:].reshape([-1]))
