"""AdamW with decay on matrices and embeddings only, and gradient clipping as PyTorch does it."""

import math

import numpy as np
import paddle


def build_optimizer(
    model: paddle.nn.Layer,
    *,
    learning_rate: float,
    weight_decay: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> paddle.optimizer.AdamW:
    """Decoupled weight decay (Loshchilov & Hutter 2019) on tensors of two dimensions and more."""
    # Paddle hands the filter its own names (`layer_norm_1.w_0`), where looking for "norm" or "bias"
    # decays LayerNorm gains; so the decayed names are collected from the tensors themselves.
    decayed = {p.name for p in model.parameters() if len(p.shape) >= 2}
    return paddle.optimizer.AdamW(
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
        weight_decay=weight_decay,
        parameters=model.parameters(),
        apply_decay_param_fun=decayed.__contains__,
    )


@paddle.no_grad()
def clip_grad_norm(parameters: list[paddle.Tensor], max_norm: float) -> float:
    """Global gradient norm before clipping; scales the gradients in place where it is too large.

    The coefficient is min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_. Paddle's
    ClipGradByGlobalNorm lacks the 1e-6. max_norm 0 only measures.
    """
    grads = [p.grad for p in parameters if p.grad is not None]
    # Not paddle.nn.utils.clip_grad_norm_: its p_norm adds one element after another, in float32 on
    # a CPU 5 % short for the 38.6 million entries of GPT-2's embedding (and ten times slower).
    squares = [(grad * grad).sum() for grad in grads]
    norm = math.sqrt(float(paddle.stack(squares).astype("float64").sum()))
    if max_norm > 0 and norm + 1e-6 > max_norm and math.isfinite(norm):
        for grad in grads:
            grad.scale_(max_norm / (norm + 1e-6))
    return norm


def optimizer_state(model, optimizer) -> dict[str, np.ndarray]:
    """Moments and beta powers, named after the model's parameters: `<parameter>.<slot>`.

    Paddle names them after its own counters (`linear_3.w_0_moment1_0`), which change with whatever
    else a process has built.
    """
    named = {p.name: name for name, p in model.named_parameters()}
    state = {}
    for key, value in optimizer.state_dict().items():
        if key == "LR_Scheduler" or not hasattr(value, "numpy"):
            continue
        parameter = _owner(key, named)
        state[f"{named[parameter]}.{key[len(parameter) + 1:]}"] = value.numpy()
    return state


def load_optimizer_state(model, optimizer, state: dict[str, np.ndarray]) -> None:
    """The inverse of `optimizer_state`; ValueError unless every slot belongs to a parameter."""
    internal = {name: p.name for name, p in model.named_parameters()}
    restored = {}
    for key, value in state.items():
        name, _, slot = key.rpartition(".")
        if name not in internal:
            raise ValueError(f"optimizer state {key!r} belongs to no parameter of the model")
        restored[f"{internal[name]}_{slot}"] = paddle.to_tensor(value)
    if missing := internal.keys() - {key.rpartition(".")[0] for key in state}:
        raise ValueError(f"the optimizer state lacks {len(missing)} parameters: {min(missing)} ...")
    optimizer.set_state_dict(restored)


def _owner(key: str, names) -> str:
    """The parameter an accumulator belongs to: the longest name that starts its key."""
    owners = [name for name in names if key.startswith(name + "_")]
    assert owners, f"accumulator {key} has no parameter"
    return max(owners, key=len)
