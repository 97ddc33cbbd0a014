"""Bugs of sharded gradients and weights (stages 2 and 3), and of dropout in several processes."""

from parity.mutants.mutant import room

_SHARE = "paddle_impl.optim.sharding.Share"
_COLLECT = f"{_SHARE}._collector"
_OPTIMIZER = "paddle_impl.optim.optimizer.Optimizer"
_WEIGHT = "paddle_impl.optim.ownership.Weight"
_BLOCK = "paddle_impl.optim.ownership.OffloadedBlock"
_FORWARD = "paddle_impl.training.trainer.Trainer._forward"
_HEADS = "paddle_impl.parallel.tensor.HeadDropout.forward"

_SUM = "self.ranks.data.all_reduce_([gradient])"
_RECOMPUTE = "recompute_block(block.without_past, x, mask)"

BUGS = {
    "sharded gradients of one rank": (_COLLECT, _SUM, "pass"),
    "sharded gradients summed over the sharding group alone": (
        _COLLECT, _SUM, _SUM.replace("data", "sharding")),
    "sharded gradients of the last micro batch": (
        f"{_WEIGHT}.collect", "self.collected.add_(gradient)", "gradient"),
    "sharded gradients with every rank": (
        _COLLECT, "if self.stage == 1 or weight.updated is not None:", "if True:"),
    "sharded gradients are not assigned": (
        f"{_SHARE}.assign_gradients", "weight.updated._copy_gradient_from(weight.collected)",
        "pass"),
    "sharded gradients collected through the steps": (
        f"{_WEIGHT}.clear_grad", "self.collected = None\n", "pass\n"),
    "sharded gradients summed a second time": (
        f"{_OPTIMIZER}.reduce_gradients", "if self.share.stage == 1:", "if True:"),
    "norm of the gradients that a rank owns": (
        f"{_OPTIMIZER}._norm_reduction", "divided = self.share.stage > 1", "divided = False"),
    "norm of one owner's share of the model": (
        f"{_OPTIMIZER}._norm_reduction", "self.ranks.model,", "ALONE,"),
    "block's weights of the first rank": (
        f"{_BLOCK}.fetch", "self.group.broadcast_(values, weight.owner)",
        "self.group.broadcast_(values, 0)"),
    "block's weights of the step before": (
        f"{_WEIGHT}.free", "self.gathered = False", "self.gathered = self.updated is None"),
    "block's weights saved as they are here": (
        f"{_SHARE}.value", "and id(weight) not in self.offloaded", ""),
    "all weights saved as they are here": (
        f"{_OPTIMIZER}.weights", "self.share.value(trained[name]) if name in trained else "
        "parameter", "parameter"),
    "masters of lowered weights": (
        f"{_SHARE}._updated", "paddle.assign(parameter, master)",
        "paddle.assign(parameter.astype('float32').astype(master.dtype), master)"),
    "no masters": (f"{_SHARE}._updated", "if parameter.name not in lowered:", "if True:"),
    "masters not cast into the weights": (
        f"{_SHARE}.broadcast",
        "paddle.assign(weight.master.astype(weight.parameter.dtype), weight.parameter)", "pass"),
    "lowered weights saved, not masters": (
        f"{_SHARE}.value", "weight.dtype == weight.parameter.dtype and ", ""),
    "gradients of masters summed in the lower type": (
        f"{_WEIGHT}.collect", "self.collected.add_(gradient)",
        "(self.collected.astype('float32') + gradient.astype('float32')).astype(gradient.dtype)"),
    "LayerNorms lowered too": (
        "paddle_impl.optim.precision.Precision.lowered",
        "and not isinstance(layer, nn.LayerNorm)", "and True"),
    "seed of dropout of every process": (
        _FORWARD, "self.ranks.data.rank", "self.ranks.rank"),
    "seed of dropout of the share of the model": (
        _FORWARD, "self.ranks.data.rank", "self.ranks.model.rank"),
    "attention masks of the first heads in every share": (
        _HEADS, "scale[:, first:end]", "scale[:, :own]"),
    "attention masks of a share's own heads": [
        (_HEADS, "ones([batch, heads, *rest]", "ones([batch, own, *rest]"),
        (_HEADS, "scale[:, first:end]", "scale")],
    "attention masks not scaled in a share": (
        _HEADS, "weights * scale[:, first:end]",
        "weights * (scale[:, first:end] != 0).astype(weights.dtype)"),
    "other masks when blocks are recomputed": (
        "paddle_impl.model.GPTModel.forward", _RECOMPUTE,
        _RECOMPUTE.replace("mask)", "mask, preserve_rng_state=False)")),
}

CONTROLS = {
    # They cost memory until the backward pass frees them, but they are the weights of this step.
    "blocks' weights stay after the forward pass": (
        f"{_BLOCK}._computed", "self.release()", "pass"),
    "smallest tensors are given out first": (
        "paddle_impl.optim.ownership.owners", "key=lambda index: -sizes[index]",
        "key=lambda index: sizes[index]"),
    "evaluation draws from the random stream": (
        "paddle_impl.training.measuring.measure", "model.train()",
        "model.train(); paddle.rand([7])"),
}

MUTANTS = room("sharding", BUGS, CONTROLS)
