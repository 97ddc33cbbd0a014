"""AdamW, Paddle's own, with decay on matrices and embeddings only."""

from collections.abc import Mapping

import numpy as np
import paddle

from paddle_impl.optim.optimizer import Optimizer
from paddle_impl.optim.precision import FULL, Precision
from paddle_impl.parallel.ranks import Ranks

_ONE_PROCESS = Ranks()


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
) -> Optimizer:
    """AdamW over the model's trainable parameters: those whose stop_gradient is False.

    The model's weights are final before this is called: where precision has master weights they
    start from them, and then the model is cast down. What is loaded into the model later does not
    reach masters, or weights of other owners. ranks, stage: what processes share, see sharding.py.
    """
    def rule(parameters: Mapping[str, paddle.Tensor]) -> AdamW:
        return AdamW(parameters, learning_rate=learning_rate, weight_decay=weight_decay,
                     beta1=beta1, beta2=beta2, epsilon=epsilon)

    return Optimizer(model, rule, ranks=ranks, precision=precision, stage=stage)


class AdamW:
    """Decoupled weight decay (Loshchilov & Hutter 2019) on tensors of two dimensions and more.

    An update rule, as Optimizer takes it. parameters: name -> the tensors that it changes.
    """

    slots = ("moment1", "moment2", "beta1_pow_acc", "beta2_pow_acc")

    def __init__(
        self, parameters: Mapping[str, paddle.Tensor], *, learning_rate: float,
        weight_decay: float, beta1: float, beta2: float, epsilon: float,
    ):
        self._named = dict(parameters)
        # Paddle hands the filter its own names (`layer_norm_1.w_0`), where looking for "norm" or
        # "bias" decays LayerNorm gains; so the decayed names are collected from the tensors.
        decayed = {p.name for p in parameters.values() if len(p.shape) >= 2}
        self.adamw = paddle.optimizer.AdamW(
            learning_rate=learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            weight_decay=weight_decay,
            parameters=list(parameters.values()),
            apply_decay_param_fun=decayed.__contains__,
        )

    def set_lr(self, rate: float) -> None:
        self.adamw.set_lr(rate)

    def get_lr(self) -> float:
        return self.adamw.get_lr()

    def step(self) -> None:
        self.adamw.step()

    @staticmethod
    def slot_shape(slot: str, shape: list[int]) -> list[int]:
        """Of a slot of a parameter of that shape; beta powers are one number."""
        return list(shape) if slot.startswith("moment") else [1]

    def tensors(self) -> dict[str, paddle.Tensor]:
        """`<parameter>.<slot>` -> Paddle's tensor, of every parameter.

        Paddle's names, such as `linear_3.w_0_moment1_0`, hold two counters of the process, so they
        mean nothing in a file.
        """
        if not self.adamw.state_dict():
            self._make_slots()
        named = {p.name: name for name, p in self._named.items()}
        slots = {}
        for internal, tensor in self.adamw.state_dict().items():
            owner = max((n for n in named if internal.startswith(n + "_")), key=len, default=None)
            if owner is not None:
                slot = internal[len(owner) + 1 :].rpartition("_")[0]
                slots[f"{named[owner]}.{slot}"] = tensor
        return slots

    @paddle.no_grad()
    def _make_slots(self) -> None:
        """Paddle makes them in the first step. One that changes nothing, and is not counted."""
        optimizer, parameters = self.adamw, self._named.values()
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
