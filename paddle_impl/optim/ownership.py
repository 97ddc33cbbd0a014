"""Ownership of parameters: which process updates each one, and which processes hold its values."""

from collections.abc import Sequence
from dataclasses import dataclass

import paddle
from paddle import nn

from paddle_impl.parallel.ranks import Group


def owners(sizes: Sequence[int], processes: int) -> list[int]:
    """The process that owns each tensor. sizes: elements of each tensor.

    Tensors are assigned from the largest to the smallest, each to the process with the fewest
    elements so far. ValueError if there are more processes than tensors.
    """
    if processes > len(sizes):
        raise ValueError(f"--sharding_degree {processes} is more than the {len(sizes)} tensors "
                         "to train, each of which has one owner: name a smaller one")
    loads, chosen = [0] * processes, [0] * len(sizes)
    for index in sorted(range(len(sizes)), key=lambda index: -sizes[index]):
        chosen[index] = loads.index(min(loads))
        loads[chosen[index]] += sizes[index]
    return chosen


@dataclass(eq=False)
class Weight:
    """A parameter of the model in this process.

    owner: rank in the sharding group of the process that updates it. updated: in the owner, the
    tensor that the rule updates, which is the parameter or its master weight; None in other
    processes. dtype: the type of `updated`. separate_grad: the gradient is kept in `collected`, in
    type dtype, and not in parameter.grad. gathered: all processes hold the parameter's values now.
    """

    name: str
    parameter: paddle.Tensor
    owner: int
    updated: paddle.Tensor | None
    dtype: paddle.dtype
    separate_grad: bool
    collected: paddle.Tensor | None = None
    gathered: bool = True

    @property
    def grad(self) -> paddle.Tensor | None:
        return self.collected if self.separate_grad else self.parameter.grad

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

    def free(self) -> None:
        """Free the parameter's memory, except in the owner."""
        if self.updated is None:
            self.parameter._clear_data()
        self.gathered = False


class OffloadedBlock:
    """A layer whose weights only their owners hold, and other processes while it computes.

    stays: if true, the weights are not freed.
    """

    def __init__(self, layer: nn.Layer, weights: list[Weight], group: Group):
        self.weights, self.group, self.stays = weights, group, False
        layer.register_forward_pre_hook(lambda layer, inputs: self.fetch())
        layer.register_forward_post_hook(self._computed)
        self.release()

    @paddle.no_grad()
    def fetch(self) -> None:
        """Broadcast the weights from their owners. All processes of the group call it together."""
        for weight in self.weights:
            if weight.gathered:
                continue
            if weight.updated is not None:
                self.group.broadcast_(weight.parameter, weight.owner)
            else:
                values = paddle.empty(weight.parameter.shape, weight.parameter.dtype)
                self.group.broadcast_(values, weight.owner)
                # The parameter must stay the same tensor object: the backward pass has kept it.
                values._share_buffer_to(weight.parameter)
            weight.gathered = True

    def release(self) -> None:
        if not self.stays:
            for weight in self.weights:
                weight.free()

    def _computed(self, layer, inputs, outputs) -> None:
        self.release()
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        if not first.stop_gradient:
            # The gradient of a block's output is the first that the backward pass computes there.
            first.register_hook(lambda gradient: self.fetch())


def blocks(model: nn.Layer, weights: list[Weight], group: Group) -> list[OffloadedBlock]:
    """An OffloadedBlock for every layer in a LayerList of the model."""
    named = {weight.parameter.name: weight for weight in weights}
    lists = [layer for layer in model.sublayers() if isinstance(layer, nn.LayerList)]
    return [OffloadedBlock(layer, [named[parameter.name] for parameter in layer.parameters()
                                   if parameter.name in named], group)
            for layers in lists for layer in layers]
