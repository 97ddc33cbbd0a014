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
    """Moments and beta powers after a step, named after the parameters: `<parameter>.<slot>`.

    Slots: moment1, moment2, beta1_pow_acc, beta2_pow_acc.
    """
    internal = optimizer.state_dict()
    return {key: internal[name].numpy() for key, name in _slots(model, optimizer).items()}


def load_optimizer_state(model, optimizer, state: dict[str, np.ndarray]) -> None:
    """The inverse of `optimizer_state`; ValueError unless state and parameters match entirely."""
    # Paddle makes the slots, and their names, in the first step. One that changes nothing:
    rate = optimizer.get_lr()
    optimizer.set_lr(0.0)
    for parameter in model.parameters():
        (parameter * 0.0).sum().backward()
    optimizer.step()
    optimizer.clear_grad()
    optimizer.set_lr(rate)
    slots = _slots(model, optimizer)
    missing, extra = slots.keys() - state.keys(), state.keys() - slots.keys()
    if missing or extra:
        raise ValueError(
            f"the optimizer state does not fit the model: {len(missing)} missing "
            f"{sorted(missing)[:2]}, {len(extra)} unknown {sorted(extra)[:2]}"
        )
    optimizer.set_state_dict(
        optimizer.state_dict() | {slots[key]: paddle.to_tensor(v) for key, v in state.items()}
    )


def _slots(model, optimizer) -> dict[str, str]:
    """`<parameter>.<slot>` -> Paddle's name, such as `linear_3.w_0_moment1_0`.

    Both numbers in it are counters of the process, so they mean nothing in a file.
    """
    named = {p.name: name for name, p in model.named_parameters()}
    slots = {}
    for internal in optimizer.state_dict():
        owner = max((n for n in named if internal.startswith(n + "_")), key=len, default=None)
        if owner is not None:
            slot = internal[len(owner) + 1 :].rpartition("_")[0]
            slots[f"{named[owner]}.{slot}"] = internal
    return slots
