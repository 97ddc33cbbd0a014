"""The AdamW that transformers had before it took torch's, and that microsoft/LoRA trains with.

    m <- beta1 m + (1 - beta1) g          v <- beta2 v + (1 - beta2) g^2
    p <- p - rate x sqrt(1 - beta2^t) / (1 - beta1^t) x m / (sqrt(v) + epsilon)
    p <- p - rate x decay x p

It decays after the update, and epsilon is added to the root of v before that is corrected; torch's
and Paddle's AdamW decay before it and add epsilon to the corrected root.
Source: microsoft/LoRA, examples/NLG/src/optimizer.py.
"""

import math
from collections.abc import Mapping

import paddle


class LegacyAdamW:
    """An UpdateRule of optimizer.py.

    parameters: name -> the tensor that it updates. correct_bias: with False both corrections are
    left out. decays_all: biases and LayerNorm gains decay too, else only tensors of two dimensions
    or more.
    """

    slots = ("moment1", "moment2", "steps")

    def __init__(
        self, parameters: Mapping[str, paddle.Tensor], *, learning_rate: float,
        weight_decay: float, beta1: float, beta2: float, epsilon: float, correct_bias: bool = True,
        decays_all: bool = False,
    ):
        self._named, self._rate = dict(parameters), learning_rate
        self._betas, self._epsilon = (beta1, beta2), epsilon
        self._decay, self._decays_all = weight_decay, decays_all
        self._correct_bias = correct_bias
        self._slots = {
            f"{name}.{slot}": paddle.zeros(self.slot_shape(slot, value.shape), value.dtype)
            for name, value in self._named.items() for slot in self.slots}

    def set_lr(self, rate: float) -> None:
        self._rate = rate

    def get_lr(self) -> float:
        return self._rate

    @paddle.no_grad()
    def step(self) -> None:
        for name, parameter in self._named.items():
            if parameter.grad is not None:
                self._update(parameter, *(self._slots[f"{name}.{slot}"] for slot in self.slots))

    @staticmethod
    def slot_shape(slot: str, shape: list[int]) -> list[int]:
        """The shape of a slot of a parameter with that shape; the number of steps is one number."""
        return list(shape) if slot.startswith("moment") else [1]

    def tensors(self) -> dict[str, paddle.Tensor]:
        """`<parameter>.<slot>` -> its tensor."""
        return self._slots

    def _update(self, parameter, first, second, steps) -> None:
        def number(value: float) -> paddle.Tensor:
            # A Python number would be rounded to float32 beside a tensor of float64.
            return paddle.full([], value, parameter.dtype)

        (beta1, beta2), gradient = self._betas, parameter.grad
        steps.add_(paddle.ones_like(steps))
        first.multiply_(number(beta1)).add_(gradient * number(1.0 - beta1))
        second.multiply_(number(beta2)).add_(gradient * gradient * number(1.0 - beta2))
        rate = self._rate
        if self._correct_bias:
            count = int(steps.item())
            rate *= math.sqrt(1.0 - beta2**count) / (1.0 - beta1**count)
        parameter.subtract_(number(rate) * first / (second.sqrt() + number(self._epsilon)))
        if self._decays_all or parameter.ndim >= 2:
            parameter.subtract_(number(self._rate * self._decay) * parameter)
