"""The optimizer: from gradients to new weights, in one process or in several.

It works on the trainable parameters, those whose stop_gradient is False, under their names in the
model. The update rule, such as AdamW, is an argument. Reducing and clipping gradients, the state
and sharding are the same for every rule.
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
    """Updates parameters from their `.grad`. It does not communicate with other processes.

    slots: names of the tensors it keeps for each parameter, in the order in which a checkpoint
    gathers them.
    """

    slots: tuple[str, ...]

    def set_lr(self, rate: float) -> None: ...

    def get_lr(self) -> float: ...

    def step(self) -> None:
        """Change every parameter that has a gradient."""

    def slot_shape(self, slot: str, shape: list[int]) -> list[int]:
        """The shape of a slot of a parameter with that shape."""

    def tensors(self) -> dict[str, paddle.Tensor]:
        """`<parameter>.<slot>` -> its tensor. They exist before the first step too."""


class Optimizer:
    """Applies an update rule to the parameters that this process owns.

    All processes make every call together. rule: a function from {name: parameter}, those that this
    process updates, to an UpdateRule. precision: if it has master weights, the rule gets these in
    place of the parameters. stage: the ZeRO stage within ranks.sharding, see sharding.py; ignored
    if that group has one process.
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
        """The gradients that this process holds, in the order of the model's parameters."""
        return [weight.grad for weight in self.share.weights if weight.grad is not None]

    def reduce_gradients(self) -> None:
        """Sum the gradients over ranks.data. In stages 2 and 3 the backward pass has done so."""
        if self.share.stage == 1:
            self.ranks.data.all_reduce_(self.gradients())

    def clip_gradients(self, max_norm: float) -> float:
        """Clip the global gradient norm and return it as it was before; see clip_grad_norm."""
        return clip_grad_norm(self.share.weights, max_norm, self._norm_reduction())

    def step(self) -> None:
        self.share.assign_gradients()
        self.rule.step()
        self.share.broadcast()

    def clear_grad(self) -> None:
        """Clear the gradients of all parameters, also of those that other processes own."""
        for weight in self.share.weights:
            weight.clear_grad()

    def without_sharding(self) -> AbstractContextManager[None]:
        """A context in which a process can run passes of its own, whatever the stage.

        In it every process holds all parameters, and gradients are not reduced but stay in the
        parameters' `.grad`. All processes enter it together. Tensor parallelism is not affected.
        """
        return self.share.without_sharding()

    @paddle.no_grad()
    def weights(self, keep: bool = True) -> dict[str, np.ndarray]:
        """Name -> entire parameter; the master weight if there is one, a frozen one as it was.

        keep: with False this process takes part in the collective calls and returns nothing, so
        that only the process that writes the checkpoint holds all tensors at once.
        """
        trained = {weight.name: weight for weight in self.share.weights}
        found = {}
        for name, parameter in self.model.named_parameters():
            tensor = self.share.value(trained[name]) if name in trained else parameter
            array = self.model.parts.whole(name, tensor)
            if keep:
                found[name] = self.share.frozen.get(name, array)
        return found

    @paddle.no_grad()
    def state(self, keep: bool = True) -> dict[str, np.ndarray]:
        """`<parameter>.<slot>` -> entire tensor of the rule's state. keep: as in `weights`."""
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
        """The inverse of `state`; ValueError unless all names and shapes match.

        state: entire tensors; each process reads those of the parameters that it updates.
        """
        self._check_trainable({key.rpartition(".")[0] for key in state})
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

    def _check_trainable(self, was: set[str]) -> None:
        """ValueError unless `was`, the trainable parameters of a state, are those of the model."""
        now = {weight.name for weight in self.share.weights}
        known = {name for name, _ in self.model.named_parameters()}
        told = [f"{_listed(names)} {what}" for names, what in (
            ((was & known) - now, "trained there and frozen now"),
            (now - was, "trained now and not there")) if names]
        if told and was <= known:
            raise ValueError(f"the optimizer state is of other trainable parameters: "
                             f"{'; '.join(told)}; train the same ones, or start anew from the "
                             "weights alone")

    def _norm_reduction(self) -> NormReduction | None:
        """None if every process holds all gradients entirely."""
        divided = self.share.stage > 1
        if self.ranks.model.size == 1 and not divided:
            return None
        split = [self.model.parts.splits(weight.name) for weight in self.share.weights]
        return NormReduction(split, self.ranks.model, self.ranks.sharding if divided else ALONE)


def _listed(names: set[str]) -> str:
    """The first few names, and how many more there are."""
    first = sorted(names)[:3]
    return ", ".join(first) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
