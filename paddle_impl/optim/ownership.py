"""Who owns which weight of a model, and weights that are here only while they are needed."""

from collections.abc import Sequence
from dataclasses import dataclass

import paddle
from paddle import nn

from paddle_impl.parallel.ranks import Group


def owners(sizes: Sequence[int], processes: int) -> list[int]:
    """Who owns each tensor: the largest first, to the process that has least so far.

    ValueError where there are more processes than tensors.
    """
    if processes > len(sizes):
        raise ValueError(f"--sharding_degree {processes} is more than the {len(sizes)} tensors of "
                         "the model, each of which has one owner: name a smaller one")
    loads, chosen = [0] * processes, [0] * len(sizes)
    for index in sorted(range(len(sizes)), key=lambda index: -sizes[index]):
        chosen[index] = loads.index(min(loads))
        loads[chosen[index]] += sizes[index]
    return chosen


@dataclass(eq=False)
class Weight:
    """A parameter of the model, as this process has it.

    owner: the place in the sharding group of the process that updates it. updated: what AdamW
    changes there, the parameter or its master; None in the other processes. dtype: that tensor's.
    apart: the gradient is not left with the parameter but collected, in that type. lent: the other
    processes have the owner's values at the moment.
    """

    name: str
    parameter: paddle.Tensor
    owner: int
    updated: paddle.Tensor | None
    dtype: paddle.dtype
    apart: bool
    collected: paddle.Tensor | None = None
    lent: bool = True

    @property
    def grad(self) -> paddle.Tensor | None:
        return self.collected if self.apart else self.parameter.grad

    @property
    def master(self) -> paddle.Tensor | None:
        return None if self.updated is self.parameter else self.updated

    def collect(self, gradient: paddle.Tensor) -> None:
        self.collected = gradient if self.collected is None else self.collected.add_(gradient)

    def clear_grad(self) -> None:
        self.collected = None
        for tensor in (self.parameter, self.updated):
            if tensor is not None:
                tensor.clear_gradient(False)

    def let_go(self) -> None:
        """Free the memory in every process but the owner's."""
        if self.updated is None:
            self.parameter._clear_data()
        self.lent = False


class OffloadedBlock:
    """A layer whose weights processes other than their owners have only while it computes.

    stays: they are not let go of.
    """

    def __init__(self, layer: nn.Layer, weights: list[Weight], group: Group):
        self.weights, self.group, self.stays = weights, group, False
        layer.register_forward_pre_hook(lambda layer, inputs: self.fetch())
        layer.register_forward_post_hook(self._computed)
        self.release()

    @paddle.no_grad()
    def fetch(self) -> None:
        """All processes of the group call together, here and below: they compute in step."""
        for weight in self.weights:
            if weight.lent:
                continue
            if weight.updated is not None:
                self.group.broadcast_(weight.parameter, weight.owner)
            else:
                values = paddle.empty(weight.parameter.shape, weight.parameter.dtype)
                self.group.broadcast_(values, weight.owner)
                # The parameter remains the same tensor: the backward pass reads it as kept.
                values._share_buffer_to(weight.parameter)
            weight.lent = True

    def release(self) -> None:
        if not self.stays:
            for weight in self.weights:
                weight.let_go()

    def _computed(self, layer, inputs, outputs) -> None:
        self.release()
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        if not first.stop_gradient:
            # Its gradient is the first that the backward pass has of this block.
            first.register_hook(lambda gradient: self.fetch())


def blocks(model: nn.Layer, weights: list[Weight], group: Group) -> list[OffloadedBlock]:
    """The members of the model's lists of layers, which are alike and compute one by one."""
    named = {weight.parameter.name: weight for weight in weights}
    lists = [layer for layer in model.sublayers() if isinstance(layer, nn.LayerList)]
    return [OffloadedBlock(layer, [named[parameter.name] for parameter in layer.parameters()
                                   if parameter.name in named], group)
            for layers in lists for layer in layers]
