"""A short training run with every stage of sharding; two gloo processes run it as a script."""

import sys
from pathlib import Path

import numpy as np
import paddle

from paddle_impl.config.model import ModelConfig
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.objectives import causal_lm
from paddle_impl.optim.adamw import build_optimizer
from paddle_impl.parallel import ranks
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.parallel.tensor import Parts

CONFIG = ModelConfig(
    n_layer=2, n_embd=16, n_head=2, vocab_size=51, n_positions=12,
    embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0, bos_token_id=0, eos_token_id=0,
)
# (steps, micro batches of all processes, B, T + 1)
IDS = np.random.default_rng(0).integers(0, 51, (3, 12, 1, 13))
# Of two numbers the sum is the same in any order; of more it is not.
PAIRS = IDS.reshape(3, 2, 6, 13)


def train(ranks: Ranks, ids=IDS, dtype: str = "float64", stage: int = 1, recompute: bool = False,
          steps=range(3), state: dict | None = None, trained: str = "") -> dict[str, np.ndarray]:
    """Train with the trainer's own calls: (weights, moments, norms). state: where to start from.

    trained: a part of the names of the parameters that are not frozen.
    """
    model = build(ranks, dtype)
    model.recompute = recompute
    for name, parameter in model.named_parameters():
        parameter.stop_gradient = trained not in name
    if state is not None:
        for name, parameter in model.named_parameters():
            parameter.set_value(model.parts.own(name, state[f"weight {name}"]))
    optimizer = build_optimizer(model, learning_rate=1.0, weight_decay=0.1, ranks=ranks,
                                stage=stage)
    if state is not None:
        moments = {key: value for key, value in state.items() if " " not in key}
        optimizer.load_state(moments)
    norms = [one_step(ranks, model, optimizer, ids[step], 0.01 * (step + 1)) for step in steps]
    weights = {f"weight {name}": value for name, value in optimizer.weights().items()}
    return optimizer.state() | {"norms of": np.array(norms)} | weights


def build(ranks: Ranks, dtype: str) -> GPTForCausalLM:
    paddle.set_default_dtype(dtype)
    try:
        model = GPTForCausalLM(CONFIG, Parts(ranks.model))
    finally:
        paddle.set_default_dtype("float32")
    initialize(model, 0)
    return model


def built(ranks: Ranks, stage: int):
    """(model, optimizer) in float32."""
    model = build(ranks, "float32")
    return model, build_optimizer(
        model, learning_rate=0.01, weight_decay=0.1, ranks=ranks, stage=stage)


def one_step(ranks: Ranks, model, optimizer, ids: np.ndarray, lr: float) -> float:
    """Take one step; returns the gradient norm before clipping."""
    backward(ranks, model, ids)
    optimizer.reduce_gradients()
    norm = optimizer.clip_gradients(0.5)
    optimizer.set_lr(lr)
    optimizer.step()
    optimizer.clear_grad()
    return norm


def backward(ranks: Ranks, model, ids: np.ndarray) -> None:
    """Forward and backward passes of this process's micro batches."""
    count = len(ids) // ranks.data.size
    for micro in ids[count * ranks.data.rank : count * (ranks.data.rank + 1)]:
        loss, _ = causal_lm(model, batch(micro))
        (loss / ids[..., 1:].size).backward()


def batch(ids: np.ndarray) -> dict[str, paddle.Tensor]:
    return {"input_ids": paddle.to_tensor(ids[:, :-1]), "labels": paddle.to_tensor(ids[:, 1:])}


if __name__ == "__main__":
    job = ranks.join(sharding=2)
    for number in (1, 2, 3):
        got = train(job, PAIRS, "float32", number, recompute=number == 3)
        if job.is_main:
            np.savez(Path(sys.argv[1]) / f"{number}.npz", **got)
