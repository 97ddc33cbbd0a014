"""An optimizer of which every process has a share: ZeRO's three stages, and master weights.

    stage 1  all processes have all weights and gradients; moments and masters are with one owner
    stage 2  gradients too: each is summed as soon as the backward pass has it, its owner keeps it
    stage 3  weights of blocks too: they come from their owners before a block computes, forwards
             and backwards, and are let go of afterwards. Embeddings and the last LayerNorm, which
             a pass needs from its beginning to its end, stay everywhere.

A tensor is owned as a whole, so the largest one bounds how even the shares can be. AdamW works on
each number alone: whoever computes it, the bits are the same. All of it has been run with gloo, on
CPUs; NCCL has the same calls, but no GPU was there to run them.
Source: Rajbhandari et al. 2020 (ZeRO).

Paddle's own group_sharded_parallel is no base for this. It refuses a CPU, so nothing about it could
be tested here; it averages gradients where masked labels call for a weighted sum, and it unscales
half precision gradients in half precision. The tensors' methods that it is built on are used here.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import paddle
from paddle import nn

from paddle_impl.optim.ownership import Weight, blocks, owners
from paddle_impl.optim.precision import Precision
from paddle_impl.parallel.ranks import Ranks


class Share:
    """What this process updates of a model's trainable parameters.

    The model's weights are final when this is built: masters start from them, those of the lower
    type are cast down from them, and in stage 3 those of other owners are let go of.
    """

    def __init__(self, model: nn.Layer, ranks: Ranks, precision: Precision, stage: int = 1):
        self.ranks, self.stage, self.alone = ranks, stage, False
        lowered = {parameter.name for layer in precision.lowered(model)
                   for parameter in layer.parameters(include_sublayers=False)}
        named = [(name, parameter) for name, parameter in model.named_parameters()
                 if not parameter.stop_gradient]
        if not named:
            raise ValueError("the model has no trainable parameter: every one is frozen")
        owned_by = owners([parameter.size for _, parameter in named], ranks.sharding.size)
        apart = stage > 1 or precision.has_masters
        self.weights = [
            Weight(name, parameter, owner, self._updated(parameter, owner, lowered),
                   parameter.dtype, apart)
            for (name, parameter), owner in zip(named, owned_by, strict=True)
        ]
        precision.cast(model)
        if apart:
            for weight in self.weights:
                weight.parameter._register_backward_hook(self._collector(weight))
        self.blocks = blocks(model, self.weights, ranks.sharding) if stage == 3 else []
        self.travelling = {id(weight) for block in self.blocks for weight in block.weights}

    def named_parameters(self) -> Iterator[tuple[str, paddle.Tensor]]:
        """The tensors that change in this process, under the model's names."""
        for weight in self.weights:
            if weight.updated is not None:
                yield weight.name, weight.updated

    @paddle.no_grad()
    def hand_over(self) -> None:
        """Give the collected gradients to what AdamW changes."""
        for weight in self.weights:
            if weight.updated is not None and weight.collected is not None:
                weight.updated._copy_gradient_from(weight.collected)

    @paddle.no_grad()
    def broadcast(self) -> None:
        """After the update: masters down into the weights, and these to all processes."""
        for weight in self.weights:
            if weight.master is not None:
                paddle.assign(weight.master.astype(weight.parameter.dtype), weight.parameter)
            if id(weight) not in self.travelling:
                # One by one: with gloo, joining an owner's tensors in one takes six times as long.
                self.ranks.sharding.broadcast_(weight.parameter, weight.owner)

    def value(self, weight: Weight) -> paddle.Tensor:
        """The weight as AdamW has it, master or not. All processes call together."""
        if weight.dtype == weight.parameter.dtype and id(weight) not in self.travelling:
            return weight.parameter
        return self.from_owner(weight, weight.updated, weight.parameter.shape)

    def from_owner(
        self, weight: Weight, own: paddle.Tensor | None, shape: Sequence[int]
    ) -> paddle.Tensor:
        """A tensor of weight.dtype that its owner has, in every process. All call together."""
        if self.ranks.sharding.size == 1:
            return own
        # By way of numpy: beta powers are in the host's memory, which NCCL does not reach.
        held = (paddle.empty(list(shape), weight.dtype) if own is None
                else paddle.to_tensor(own.numpy()))
        self.ranks.sharding.broadcast_(held, weight.owner)
        return held

    @contextmanager
    def used_alone(self) -> Iterator[None]:
        """All weights are here, and passes meet no other process: gradients stay where they are."""
        for block in self.blocks:
            block.fetch()
            block.stays = True
        self.alone = True
        try:
            yield
        finally:
            self.alone = False
            for block in self.blocks:
                block.stays = False
                block.release()

    def _updated(self, parameter, owner: int, lowered: set[str]) -> paddle.Tensor | None:
        if owner != self.ranks.sharding.rank:
            return None
        if parameter.name not in lowered:
            return parameter
        # The default initializer would draw from the stream that dropout draws from.
        master = paddle.create_parameter(
            parameter.shape, parameter.dtype, default_initializer=nn.initializer.Constant(0.0))
        with paddle.no_grad():
            paddle.assign(parameter, master)
        return master

    def _collector(self, weight: Weight):
        """Called when a backward pass has added all it has to the parameter's gradient."""

        @paddle.no_grad()
        def collect(*_):
            if self.alone:
                return
            # A copy in any case: Paddle's own may be memory that others still read.
            gradient = weight.parameter.grad
            gradient = (gradient.clone() if gradient.dtype == weight.dtype
                        else gradient.astype(weight.dtype))
            weight.parameter.clear_gradient(False)
            if self.stage > 1:
                self.ranks.data.all_reduce_([gradient])
            if self.stage == 1 or weight.updated is not None:
                weight.collect(gradient)
            if id(weight) in self.travelling:
                weight.let_go()

        return collect
