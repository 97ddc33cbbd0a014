"""Paddle's AdamW, with weight decay on matrices and embeddings only."""

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

    Load the model's weights before this call. With master weights (see precision.py) these are
    copied from the model, which is then cast to the lower type; weights loaded later would not
    reach the masters, nor parameters that another process owns. ranks, stage: how the state is
    sharded, see sharding.py. ValueError if no parameter is trainable.
    """
    def rule(parameters: Mapping[str, paddle.Tensor]) -> AdamW:
        return AdamW(parameters, learning_rate=learning_rate, weight_decay=weight_decay,
                     beta1=beta1, beta2=beta2, epsilon=epsilon)

    return Optimizer(model, rule, ranks=ranks, precision=precision, stage=stage)


class AdamW:
    """AdamW (Loshchilov & Hutter 2019) as an UpdateRule of optimizer.py.

    parameters: name -> the tensor that it updates. Tensors of two dimensions or more decay.
    """

    slots = ("moment1", "moment2", "beta1_pow_acc", "beta2_pow_acc")

    def __init__(
        self, parameters: Mapping[str, paddle.Tensor], *, learning_rate: float,
        weight_decay: float, beta1: float, beta2: float, epsilon: float,
    ):
        self._named = dict(parameters)
        # Paddle calls the filter with its own names, such as `layer_norm_1.w_0`. They are selected
        # by dimensions: a search for "norm" and "bias" in the model's names, as is usual, would
        # decay LayerNorm gains, which are called `ln_1.weight`.
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
        """The shape of a slot of a parameter with that shape; a beta power is one number."""
        return list(shape) if slot.startswith("moment") else [1]

    def tensors(self) -> dict[str, paddle.Tensor]:
        """`<parameter>.<slot>` -> Paddle's state tensor, for every parameter.

        Paddle's own names, such as `linear_3.w_0_moment1_0`, contain two counters of the process,
        so they cannot be used in files.
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
        """Make the state tensors, which Paddle makes in the first step.

        This takes a step with zero gradients and learning rate 0, and then resets the beta powers.
        """
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
