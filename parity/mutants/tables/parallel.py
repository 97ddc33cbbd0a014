"""Bugs of parallel training: shares of the model, the optimizer and the norm; loss scaling."""

from parity.mutants.mutant import room

_PARTS = "paddle_impl.parallel.tensor.Parts"
_ENTER = "paddle_impl.parallel.regions.CopyTo.backward"
_LEAVE = "paddle_impl.parallel.regions.ReduceFrom.forward"
_SPLIT_EMBEDDING = "paddle_impl.parallel.tensor.SplitEmbedding.forward"
_PIECES = "paddle_impl.parallel.tensor._pieces"
_HEAD = "paddle_impl.model.GPTForCausalLM._own_head"
_ROW = "paddle_impl.layers.linear.RowLinear.forward"
_SPLIT_LOSS = "paddle_impl.objectives._CrossEntropy"
_COMPLETE = "paddle_impl.optim.clip.NormReduction.complete"
_CLIP = "paddle_impl.optim.clip.clip_grad_norm"
_STATE = "paddle_impl.optim.optimizer.Optimizer.state"
_SHARE = "paddle_impl.optim.sharding.Share"
_OPTIMIZER = "paddle_impl.optim.optimizer.Optimizer"
_SCALER = "paddle_impl.optim.precision.LossScaler"
_STEP = "paddle_impl.training.trainer.Trainer.step"

BUGS = {
    "gradient of a split region from one share": (
        _ENTER, "ctx.group.all_reduce_([total])", "pass"),
    "output of a split region from one share": (_LEAVE, "group.all_reduce_([total])", "pass"),
    "q, k and v cut as one": (_PIECES, 'return 3 if ".c_attn." in name else 1', "return 1"),
    "shares overlap by a row": (
        f"{_PARTS}.own", "slice(*self.bounds(pieces[0].shape[axis]))",
        "slice(max(0, self.bounds(pieces[0].shape[axis])[0] - 1),"
        " self.bounds(pieces[0].shape[axis])[1] - min(1, self.index))"),
    "shares put together in reverse": (
        f"{_PARTS}.gathered", "self.group.gather(x), ranges",
        "self.group.gather(x)[::-1], ranges[::-1]"),
    "every share embeds foreign tokens": (
        _SPLIT_EMBEDDING, "factor = own.astype(self.weight.dtype) +", "factor = 1.0 +"),
    "head outside of the split region": (_HEAD, "self.parts.copy_to(", "("),
    "row bias of every share": (
        _ROW, "product = self.parts.reduce_from(paddle.matmul(x, self.weight))",
        "product = self.parts.reduce_from(paddle.matmul(x, self.weight) + 0.5 * self.bias)"),
    "logit of a foreign label counted": (
        f"{_SPLIT_LOSS}.forward", "target = paddle.where(own, target, paddle.zeros_like(target))",
        "pass"),
    "a foreign label's -inf counted": (
        f"{_SPLIT_LOSS}.forward", "paddle.where(own, target, paddle.zeros_like(target))",
        "target * own.astype(target.dtype)"),
    "sum of exponentials of one share": (
        f"{_SPLIT_LOSS}.forward", "all_reduce_([total, target])", "all_reduce_([target])"),
    "label's logit of one share": (
        f"{_SPLIT_LOSS}.forward", "all_reduce_([total, target])", "all_reduce_([total])"),
    "largest logit of one share": (
        f"{_SPLIT_LOSS}.forward", "parts.group.all_reduce_max_(highest)", "pass"),
    "onehot in every share": (
        f"{_SPLIT_LOSS}.backward", "-gradient * own", "-gradient"),
    "norm of one share": (_COMPLETE, "self.model.all_reduce_([shares])", "pass"),
    "replicated gradients counted for each share": (
        _COMPLETE, "return paddle.where(split, shares, parts).unbind()",
        "self.model.all_reduce_([parts]); return paddle.where(split, shares, parts).unbind()"),
    "norm without the other shares": (
        _CLIP, "squares = reduction.complete(parameters, squares)", "pass"),
    "updates not spread": (
        f"{_SHARE}.broadcast",
        "self.ranks.sharding.broadcast_(weight.parameter, weight.owner)", "pass"),
    "updates spread by the wrong owner": (
        f"{_SHARE}.broadcast", "broadcast_(weight.parameter, weight.owner)",
        "broadcast_(weight.parameter, 0)"),
    "moments of the wrong owner": (
        f"{_SHARE}.from_owner", "broadcast_(held, weight.owner)", "broadcast_(held, 0)"),
    "moments of one owner's only": (
        _STATE, "self.share.from_owner(weight, tensors.get(key), shape)",
        "tensors.get(key, paddle.zeros(shape))"),
    "gradients of other owners kept": (
        f"{_OPTIMIZER}.clear_grad", "weight.clear_grad()",
        "weight.clear_grad() if weight.updated is not None else None"),
    "gradients not unscaled": (f"{_SCALER}.unscale_", "gradient.scale_(inverse)", "pass"),
    "loss not scaled": (f"{_SCALER}.scaled", "return loss * self.scale if", "return loss if"),
    "gradients unscaled after the clip": [
        (_STEP, "self.scaler.unscale_(self.optimizer.gradients())", "pass"),
        (_STEP, "self.scaler.update(math.isfinite(norm))",
         "self.scaler.update(math.isfinite(norm));"
         " self.scaler.unscale_(self.optimizer.gradients())")],
    "scale kept at an overflow": (f"{_SCALER}.update", "self.scale * 0.5", "self.scale"),
    "scale grows a step late": (
        f"{_SCALER}.update", "self.good_steps == self.growth_interval",
        "self.good_steps > self.growth_interval"),
    "good steps counted through an overflow": (
        f"{_SCALER}.update", "float(np.float32(self.scale * 0.5)), 0",
        "float(np.float32(self.scale * 0.5)), self.good_steps"),
    "scale never grows": (f"{_SCALER}.update", "self.scale *= 2.0", "pass"),
    "overflow applied": (
        _STEP, "if math.isfinite(loss) and math.isfinite(norm):", "if math.isfinite(loss):"),
}

CONTROLS = {
    "differences to the highest logit by negation": (
        f"{_SPLIT_LOSS}.forward", "softmax = logits - highest", "softmax = -(highest - logits)"),
    "a power of two more in the scale": (
        "paddle_impl.optim.precision.LossScaler.scaled", "return loss * self.scale if",
        "return loss * (2.0 * self.scale) * 0.5 if"),
}

MUTANTS = room("parallel", BUGS, CONTROLS)
