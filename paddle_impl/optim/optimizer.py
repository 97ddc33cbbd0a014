"""The optimizer: one object from gradients to new weights, however many processes share the work.

It works on the trainable parameters, those whose stop_gradient is False, under their names in the
model. What differs between optimizers, the rule of the update, is an argument; gradients, clipping,
state and sharding are the same for all of them.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import paddle

from paddle_impl.optim.clip import NormReduction, clip_grad_norm
from paddle_impl.optim.precision import Precision
from paddle_impl.optim.sharding import Share
from paddle_impl.parallel.ranks import ALONE, Ranks


class UpdateRule(Protocol):
    """How parameters change by their `.grad`. It knows no other process.

    slots: what it keeps for each parameter, in the order in which a checkpoint gathers it.
    """

    slots: tuple[str, ...]

    def set_lr(self, rate: float) -> None: ...

    def get_lr(self) -> float: ...

    def step(self) -> None:
        """Change every parameter that has a gradient."""

    def slot_shape(self, slot: str, shape: list[int]) -> list[int]:
        """Of a slot of a parameter of that shape."""

    def tensors(self) -> dict[str, paddle.Tensor]:
        """`<parameter>.<slot>` -> the tensor that holds it, before the first step too."""


class Optimizer:
    """A rule over this process's share of a model. All processes make every call together.

    rule: makes an UpdateRule of the parameters that this process updates, by name. precision: may
    have master weights, which the rule then changes in the parameters' place. stage: what the
    processes of ranks.sharding share, see sharding.py; without several of them it means nothing.
    """

    def __init__(
        self, model: paddle.nn.Layer,
        rule: Callable[[Mapping[str, paddle.Tensor]], UpdateRule], *,
        ranks: Ranks, precision: Precision, stage: int = 1,
    ):
        self.model, self.ranks = model, ranks
        self.share = Share(model, ranks, precision, stage if ranks.sharding.size > 1 else 1)
        self.rule = rule(dict(self.share.named_parameters()))

    def set_lr(self, rate: float) -> None:
        self.rule.set_lr(rate)

    def get_lr(self) -> float:
        return self.rule.get_lr()

    def gradients(self) -> list[paddle.Tensor]:
        """Those that this process has, in the order of the model's parameters."""
        return [weight.grad for weight in self.share.weights if weight.grad is not None]

    def reduce_gradients(self) -> None:
        """Sum them over ranks.data, unless the backward pass has done it (stages 2 and 3)."""
        if self.share.stage == 1:
            self.ranks.data.all_reduce_(self.gradients())

    def clip_gradients(self, max_norm: float) -> float:
        """The norm of all gradients before clipping; see clip_grad_norm."""
        return clip_grad_norm(self.share.weights, max_norm, self._norm_reduction())

    def step(self) -> None:
        self.share.hand_over()
        self.rule.step()
        self.share.broadcast()

    def clear_grad(self) -> None:
        """Of all parameters, those of other owners too."""
        for weight in self.share.weights:
            weight.clear_grad()

    def used_alone(self) -> AbstractContextManager[None]:
        """The context in which a process may use the model for itself, forwards and backwards.

        Gradients of such a pass are the parameters' own.
        """
        return self.share.used_alone()

    @paddle.no_grad()
    def weights(self, keep: bool = True) -> dict[str, np.ndarray]:
        """The entire model by name, frozen parameters too; masters where there are some.

        keep: False takes part and returns nothing, so that only the process that writes them has
        all tensors at once.
        """
        trained = {weight.name: weight for weight in self.share.weights}
        found = {}
        for name, parameter in self.model.named_parameters():
            tensor = self.share.value(trained[name]) if name in trained else parameter
            array = self.model.parts.whole(name, tensor)
            if keep:
                found[name] = array
        return found

    @paddle.no_grad()
    def state(self, keep: bool = True) -> dict[str, np.ndarray]:
        """What the rule keeps, entire, as `<parameter>.<slot>`. keep: as in `weights`."""
        tensors = self.rule.tensors()
        found = {}
        for weight in self.share.weights:
            for slot in self.rule.slots:
                key = f"{weight.name}.{slot}"
                shape = self.rule.slot_shape(slot, weight.parameter.shape)
                tensor = self.share.from_owner(weight, tensors.get(key), shape)
                array = self.model.parts.whole(key, tensor)
                if keep:
                    found[key] = array
        return found

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """The inverse of `state`; ValueError unless names and shapes match entirely.

        state: entire tensors, of which each process reads those that it updates.
        """
        needed = {f"{weight.name}.{slot}" for weight in self.share.weights
                  for slot in self.rule.slots}
        missing, extra = needed - state.keys(), state.keys() - needed
        if missing or extra:
            raise ValueError(
                f"the optimizer state does not fit the model: {len(missing)} missing "
                f"{sorted(missing)[:2]}, {len(extra)} unknown {sorted(extra)[:2]}"
            )
        for key, tensor in self.rule.tensors().items():
            values = self.model.parts.own(key, state[key])
            if list(values.shape) != list(tensor.shape):
                raise ValueError(f"{key} has shape {list(values.shape)} in the optimizer state, "
                                 f"{list(tensor.shape)} in the model")
            dtype = str(tensor.dtype).rpartition(".")[2]
            tensor.set_value(np.ascontiguousarray(values, dtype=dtype))

    def _norm_reduction(self) -> NormReduction | None:
        """None where every process has all of every gradient."""
        divided = self.share.stage > 1
        if self.ranks.model.size == 1 and not divided:
            return None
        split = [self.model.parts.splits(weight.name) for weight in self.share.weights]
        return NormReduction(split, self.ranks.model, self.ranks.sharding if divided else ALONE)
