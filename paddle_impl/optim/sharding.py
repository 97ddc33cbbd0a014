"""Sharding of the optimizer over processes: ZeRO's three stages, and master weights.

    stage 1  Every process holds all weights and gradients. Each tensor has one owner, which alone
             holds its moments and its master weight and updates it.
    stage 2  Gradients are sharded too: each is summed as soon as the backward pass has computed it,
             and only its owner keeps it.
    stage 3  Weights of blocks are sharded too: they are broadcast by their owners before a block
             computes, forward and backward, and freed afterwards. Every process keeps the
             embeddings and the last LayerNorm, which are used at both ends of a pass.

A tensor has one owner as a whole, so the largest tensor limits how evenly memory is divided. AdamW
updates each number independently, so the result is the same bit for bit whichever process computes
it. Everything here has been run with gloo on CPUs; NCCL has the same calls but has not been run.
Source: Rajbhandari et al. 2020 (ZeRO).

Paddle's own group_sharded_parallel is not used, for three reasons: it does not run on a CPU; it
averages gradients, where ignored labels require a weighted sum; and it unscales half precision
gradients in half precision. The tensor methods that it is built on are used here too.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import paddle
from paddle import nn

from paddle_impl.optim.ownership import Weight, blocks, owners
from paddle_impl.optim.precision import Precision
from paddle_impl.parallel.ranks import Ranks


class Share:
    """The trainable parameters of a model, and which of them this process owns and updates.

    frozen: the values, as they were, of those frozen parameters that are cast to the lower type.

    Load the model's weights before. Creating this copies the master weights, casts layers to the
    lower type, and in stage 3 frees the block weights of other owners. ValueError if the model has
    no trainable parameter, or fewer than there are processes.
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
        separate_grad = stage > 1 or precision.has_masters
        self.weights = [
            Weight(name, parameter, owner, self._updated(parameter, owner, lowered),
                   parameter.dtype, separate_grad)
            for (name, parameter), owner in zip(named, owned_by, strict=True)
        ]
        self.frozen = {name: parameter.numpy() for name, parameter in model.named_parameters()
                       if parameter.stop_gradient and parameter.name in lowered}
        precision.cast(model)
        if separate_grad:
            for weight in self.weights:
                weight.parameter._register_backward_hook(self._collector(weight))
        self.blocks = blocks(model, self.weights, ranks.sharding) if stage == 3 else []
        self.offloaded = {id(weight) for block in self.blocks for weight in block.weights}

    def named_parameters(self) -> Iterator[tuple[str, paddle.Tensor]]:
        """The tensors that this process updates, under the model's names."""
        for weight in self.weights:
            if weight.updated is not None:
                yield weight.name, weight.updated

    @paddle.no_grad()
    def assign_gradients(self) -> None:
        """Copy the collected gradients to `.grad` of the tensors that the rule updates."""
        for weight in self.weights:
            if weight.updated is not None and weight.collected is not None:
                weight.updated._copy_gradient_from(weight.collected)

    @paddle.no_grad()
    def broadcast(self) -> None:
        """After an update: cast masters into the weights and broadcast these from their owners."""
        for weight in self.weights:
            if weight.master is not None:
                paddle.assign(weight.master.astype(weight.parameter.dtype), weight.parameter)
            if id(weight) not in self.offloaded:
                # One by one: with gloo, one call for an owner's joined tensors is six times slower.
                self.ranks.sharding.broadcast_(weight.parameter, weight.owner)

    def value(self, weight: Weight) -> paddle.Tensor:
        """The weight as the rule updates it, which is the master if there is one. Collective."""
        if weight.dtype == weight.parameter.dtype and id(weight) not in self.offloaded:
            return weight.parameter
        return self.from_owner(weight, weight.updated, weight.parameter.shape)

    def from_owner(
        self, weight: Weight, own: paddle.Tensor | None, shape: Sequence[int]
    ) -> paddle.Tensor:
        """The owner's tensor of weight.dtype, broadcast to every process. Collective.

        own: the tensor in the owner, None in the other processes.
        """
        if self.ranks.sharding.size == 1:
            return own
        # By way of numpy: beta powers are in host memory, from which NCCL cannot send.
        held = (paddle.empty(list(shape), weight.dtype) if own is None
                else paddle.to_tensor(own.numpy()))
        self.ranks.sharding.broadcast_(held, weight.owner)
        return held

    @contextmanager
    def without_sharding(self) -> Iterator[None]:
        """The context of Optimizer.without_sharding."""
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
        # Constant: the default initializer would draw from the random stream of dropout.
        master = paddle.create_parameter(
            parameter.shape, parameter.dtype, default_initializer=nn.initializer.Constant(0.0))
        with paddle.no_grad():
            paddle.assign(parameter, master)
        return master

    def _collector(self, weight: Weight):
        """The hook that Paddle calls when a backward pass has completed a parameter's gradient."""

        @paddle.no_grad()
        def collect(*_):
            if self.alone:
                return
            # Always a copy: Paddle may still read the memory of its own gradient.
            gradient = weight.parameter.grad
            gradient = (gradient.clone() if gradient.dtype == weight.dtype
                        else gradient.astype(weight.dtype))
            weight.parameter.clear_gradient(False)
            if self.stage > 1:
                self.ranks.data.all_reduce_([gradient])
            if self.stage == 1 or weight.updated is not None:
                weight.collect(gradient)
            if id(weight) in self.offloaded:
                weight.free()

        return collect
