"""AdamW with decay on matrices and embeddings only, and gradient clipping as PyTorch does it."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import paddle

from paddle_impl.optim.precision import FULL, HALF, Precision
from paddle_impl.optim.sharding import ShardedOptimizer, Share
from paddle_impl.parallel.ranks import ALONE, Group, Ranks

_ONE_PROCESS = Ranks()
_SLOTS = ("moment1", "moment2", "beta1_pow_acc", "beta2_pow_acc")


def build_optimizer(
    model: paddle.nn.Layer,
    *,
    learning_rate: float,
    weight_decay: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    ranks: Ranks = _ONE_PROCESS,
    precision: Precision = FULL,
    stage: int = 1,
) -> paddle.optimizer.AdamW | ShardedOptimizer:
    """Decoupled weight decay (Loshchilov & Hutter 2019) on tensors of two dimensions and more.

    Paddle's AdamW itself, unless ranks.sharding has several processes, of which each then updates
    its share (stage: what else is shared, see sharding.py), or precision has master weights. Those
    start from the model's weights, and then the model is cast down. So weights come first: what is
    loaded into the model later does not reach masters, or weights of other owners.
    """
    share = None
    if ranks.sharding.size > 1 or precision.has_masters:
        model = share = Share(model, ranks, precision, stage)
    # Paddle hands the filter its own names (`layer_norm_1.w_0`), where looking for "norm" or "bias"
    # decays LayerNorm gains; so the decayed names are collected from the tensors themselves.
    decayed = {p.name for p in model.parameters() if len(p.shape) >= 2}
    adamw = paddle.optimizer.AdamW(
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
        weight_decay=weight_decay,
        parameters=model.parameters(),
        apply_decay_param_fun=decayed.__contains__,
    )
    return adamw if share is None else ShardedOptimizer(share, adamw)


def gradient_holders(model, optimizer) -> list:
    """What has the gradients as `.grad`, in the order of the model's parameters: these, or records.

    Gradients of a process that are with another one are None.
    """
    return optimizer.share.weights if _sharded(optimizer) else model.parameters()


def still_to_sum(optimizer, ranks: Ranks) -> Group:
    """The processes over which the holders' gradients must be summed before the update."""
    summed = _sharded(optimizer) and optimizer.share.stage > 1
    return ALONE if summed else ranks.data


def used_alone(optimizer) -> AbstractContextManager[None]:
    """The context in which a process may use the model for itself, forwards and backwards.

    All processes enter and leave it together. Gradients of such a pass are the parameters' own.
    """
    return optimizer.share.used_alone() if _sharded(optimizer) else nullcontext()


@dataclass(frozen=True)
class NormReduction:
    """What other processes have of the squares in a gradient norm.

    split: for each holder, whether the processes of `model` have a share each. owners: processes of
    which one has the gradient and the others none.
    """

    split: tuple[bool, ...]
    model: Group = ALONE
    owners: Group = ALONE

    @classmethod
    def of(cls, model, optimizer, ranks: Ranks) -> "NormReduction | None":
        """None where every process has all."""
        divided = _sharded(optimizer) and optimizer.share.stage > 1
        if ranks.model.size == 1 and not divided:
            return None
        split = tuple(model.parts.splits(name) for name, _ in model.named_parameters())
        return cls(split, ranks.model, ranks.sharding if divided else ALONE)

    def complete(self, holders, squares: list[paddle.Tensor]) -> list[paddle.Tensor]:
        """The squares of all holders, in their order and of entire tensors, in every process.

        A sum in the same order has the same bits, however many processes there are.
        """
        own = iter(squares)
        nothing = paddle.zeros([], "float64")
        parts = paddle.stack([nothing if holder.grad is None else next(own).astype("float64")
                              for holder in holders])
        self.owners.all_reduce_([parts])
        split = paddle.to_tensor(self.split)
        shares = paddle.where(split, parts, paddle.zeros_like(parts))
        self.model.all_reduce_([shares])
        return paddle.where(split, shares, parts).unbind()


@paddle.no_grad()
def clip_grad_norm(holders: list, max_norm: float, reduction: NormReduction | None = None) -> float:
    """Global gradient norm before clipping; scales the gradients in place where it is too large.

    The coefficient is min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_. Paddle's
    ClipGradByGlobalNorm lacks the 1e-6. max_norm 0 only measures. holders: parameters, or what
    `gradient_holders` returns. reduction: where this process does not have all of the gradients.
    """
    grads = [p.grad for p in holders if p.grad is not None]
    # Not paddle.nn.utils.clip_grad_norm_: its p_norm adds one element after another, in float32 on
    # a CPU 5 % short for the 38.6 million entries of GPT-2's embedding (and ten times slower).
    squares = [(grad * grad).sum() for grad in map(_squarable, grads)]
    if reduction is not None:
        squares = reduction.complete(holders, squares)
    norm = math.sqrt(float(paddle.stack(squares).astype("float64").sum()))
    if max_norm > 0 and norm + 1e-6 > max_norm and math.isfinite(norm):
        for grad in grads:
            grad.scale_(max_norm / (norm + 1e-6))
    return norm


def _squarable(grad: paddle.Tensor) -> paddle.Tensor:
    """The square of 256 is more than float16 can hold."""
    return grad.astype("float32") if grad.dtype in HALF else grad


@paddle.no_grad()
def master_weights(model, optimizer, keep: bool = True) -> dict[str, np.ndarray]:
    """The entire weights by name: masters where the optimizer has them, else the parameters.

    All processes call it together. keep: False takes part and returns nothing, so that only the
    process that writes them has all tensors at once.
    """
    sharded = _sharded(optimizer)
    holders = gradient_holders(model, optimizer)
    weights = {}
    for (name, _), holder in zip(model.named_parameters(), holders, strict=True):
        array = model.parts.whole(name, optimizer.share.value(holder) if sharded else holder)
        if keep:
            weights[name] = array
    return weights


@paddle.no_grad()
def optimizer_state(model, optimizer, keep: bool = True) -> dict[str, np.ndarray]:
    """Moments and beta powers, entire, named after the parameters: `<parameter>.<slot>`.

    Slots: moment1, moment2, beta1_pow_acc, beta2_pow_acc. All processes call it together; `keep` as
    in `master_weights`.
    """
    slots = _slots(model, optimizer)
    sharded = _sharded(optimizer)
    state = {}
    for (name, parameter), holder in zip(
        model.named_parameters(), gradient_holders(model, optimizer), strict=True
    ):
        for slot in () if parameter.stop_gradient else _SLOTS:
            key = f"{name}.{slot}"
            tensor = slots.get(key)
            if sharded:
                shape = parameter.shape if slot.startswith("moment") else [1]
                tensor = optimizer.share.from_owner(holder, tensor, shape)
            array = model.parts.whole(key, tensor)
            if keep:
                state[key] = array
    return state


def load_optimizer_state(model, optimizer, state: Mapping[str, np.ndarray]) -> None:
    """The inverse of `optimizer_state`; ValueError unless state and parameters match entirely.

    state: entire tensors, of which each process reads those that it updates.
    """
    needed = {f"{name}.{slot}" for name, parameter in model.named_parameters()
              if not parameter.stop_gradient for slot in _SLOTS}
    missing, extra = needed - state.keys(), state.keys() - needed
    if missing or extra:
        raise ValueError(
            f"the optimizer state does not fit the model: {len(missing)} missing "
            f"{sorted(missing)[:2]}, {len(extra)} unknown {sorted(extra)[:2]}"
        )
    for key, tensor in _slots(model, optimizer).items():
        values = model.parts.own(key, state[key])
        if list(values.shape) != list(tensor.shape):
            raise ValueError(f"{key} has shape {list(values.shape)} in the optimizer state, "
                             f"{list(tensor.shape)} in the model")
        dtype = str(tensor.dtype).rpartition(".")[2]
        tensor.set_value(np.ascontiguousarray(values, dtype=dtype))


def _slots(model, optimizer) -> dict[str, paddle.Tensor]:
    """`<parameter>.<slot>` -> Paddle's tensor, of what this process updates.

    Paddle's names, such as `linear_3.w_0_moment1_0`, hold two counters of the process, so they mean
    nothing in a file.
    """
    if _sharded(optimizer):
        model, optimizer = optimizer.share, optimizer.adamw
    if not optimizer.state_dict():
        _make_slots(model.parameters(), optimizer)
    named = {p.name: name for name, p in model.named_parameters()}
    slots = {}
    for internal, tensor in optimizer.state_dict().items():
        owner = max((n for n in named if internal.startswith(n + "_")), key=len, default=None)
        if owner is not None:
            slot = internal[len(owner) + 1 :].rpartition("_")[0]
            slots[f"{named[owner]}.{slot}"] = tensor
    return slots


@paddle.no_grad()
def _make_slots(parameters: list[paddle.Tensor], optimizer: paddle.optimizer.AdamW) -> None:
    """Paddle makes them in the first step. One that changes nothing, and is not counted."""
    rate = optimizer.get_lr()
    optimizer.set_lr(0.0)
    for parameter in parameters:
        parameter._copy_gradient_from(paddle.zeros_like(parameter))
    optimizer.step()
    optimizer.clear_grad(False)
    optimizer.set_lr(rate)
    for internal, tensor in optimizer.state_dict().items():
        for power, beta in (("beta1_pow", optimizer._beta1), ("beta2_pow", optimizer._beta2)):
            if power in internal:
                tensor.set_value(np.full_like(tensor.numpy(), beta))


def _sharded(optimizer) -> bool:
    return isinstance(optimizer, ShardedOptimizer)
