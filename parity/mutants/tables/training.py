"""Bugs of the optimizer, clipping, the schedule, the training loop and data parallel ranks."""

from parity.mutants.mutant import room

_ADAMW = "paddle_impl.optim.adamw.AdamW.__init__"
_CLIP = "paddle_impl.optim.clip.clip_grad_norm"
_RATE = "paddle_impl.optim.schedule.lr_at"
_TRAIN = "paddle_impl.training.trainer.Trainer.train"
_STEP = "paddle_impl.training.trainer.Trainer.step"
_FORWARD = "paddle_impl.training.trainer.Trainer._forward"
_EVALUATION = "paddle_impl.training.measuring.measure"
_MEANS = "paddle_impl.training.measuring.Totals.means"
_SEED = "paddle_impl.training.trainer.dropout_seed"
_GROUP = "paddle_impl.parallel.ranks.Group"

_MATRICES = "len(p.shape) >= 2"
_NORM = 'math.sqrt(float(paddle.stack(squares).astype("float64").sum()))'
_SHRINK = "grad.scale_(max_norm / (norm + 1e-6))"
_COSINE = "min_lr + 0.5 * (1.0 + math.cos(math.pi * progress)) * (max_lr - min_lr)"
_BACKWARD = "self.scaler.scaled(mean(loss_sum, weight)).backward()"
_ADD_LOSS = "loss += mean(float(loss_sum), weight)"
_UPDATE = "self.optimizer.step()"
_NORM_CALL = "norm = self.optimizer.clip_gradients(self.grad_clip)"
_SUM_GRADS = "self.optimizer.reduce_gradients()"
_WEIGHT = "weight, stop = self.ranks.world.total(own_weight, float(self.stop()))"


def _by_hand(wrong: str) -> tuple[str, str, str]:
    return _STEP, _UPDATE, (
        "from parity.mutants import adamw; "
        f"adamw.step(self.model, self.optimizer, lr, {wrong!r})"
    )


BUGS = {
    "Adam with L2 instead of AdamW": [
        (_ADAMW, "paddle.optimizer.AdamW(", "paddle.optimizer.Adam("),
        (_ADAMW, "apply_decay_param_fun=decayed.__contains__,", "")],
    "decay on LayerNorm and biases": (_ADAMW, _MATRICES, "len(p.shape) >= 1"),
    "decay by Paddle's names": (
        _ADAMW, "decayed.__contains__",
        'lambda name: "norm" not in name and "bias" not in name'),
    "embeddings not decayed": (_ADAMW, _MATRICES, f'{_MATRICES} and "embedding" not in p.name'),
    "no decay": (_ADAMW, "weight_decay=weight_decay", "weight_decay=0.0"),
    "Paddle's default decay of 0.01": (_ADAMW, "weight_decay=weight_decay,", ""),
    "decay after the update": _by_hand("decay afterwards"),
    "decay not scheduled": _by_hand("decay unscheduled"),
    "beta1 not passed on": (_ADAMW, "beta1=beta1,", ""),
    "beta2 not passed on": (_ADAMW, "beta2=beta2,", ""),
    "betas swapped": [
        (_ADAMW, "beta1=beta1", "beta1=beta2"), (_ADAMW, "beta2=beta2", "beta2=beta1")],
    "epsilon not passed on": (_ADAMW, "epsilon=epsilon,", ""),
    "epsilon inside the root": _by_hand("epsilon inside the root"),
    "epsilon not corrected": _by_hand("epsilon uncorrected"),
    "first moment not corrected": _by_hand("moment 1 uncorrected"),
    "second moment not corrected": _by_hand("moment 2 uncorrected"),
    "positions left out of the optimizer": (
        _ADAMW, "parameters=list(parameters.values()),",
        'parameters=[p for name, p in parameters.items() if "wpe" not in name],'),
    "half the rate for biases": (
        _ADAMW, "self.adamw = paddle.optimizer.AdamW(",
        'for p in parameters.values():\n'
        '        p.optimize_attr["learning_rate"] = 1.0 if len(p.shape) >= 2 else 0.5\n'
        "    self.adamw = paddle.optimizer.AdamW("),
    "no clip": (_CLIP, _SHRINK, "pass"),
    "clip by value": (_CLIP, _SHRINK, "grad.clip_(-max_norm, max_norm)"),
    "clip of each parameter": (
        _CLIP, _SHRINK, "grad.scale_(min(1.0, max_norm / (float((grad * grad).sum()) ** 0.5)))"),
    "clip by the sum of magnitudes": (_CLIP, "(grad * grad).sum()", "grad.abs().sum() ** 2"),
    "clip by the squared norm": (_CLIP, _NORM, _NORM.replace("math.sqrt(float(", "(float(")),
    "clip without 1e-6": (_CLIP, _SHRINK, "grad.scale_(max_norm / norm)"),
    "clip rests just below its bound": (_CLIP, "norm + 1e-6 > max_norm", "norm > max_norm"),
    "clip grows small gradients": (_CLIP, "norm + 1e-6 > max_norm and", ""),
    "norm measured after the clip": (_CLIP, "return norm", "return min(norm, max_norm or norm)"),
    "norm in float32": (_CLIP, '.astype("float64").sum()', '.astype("float32").sum()'),
    "clip leaves vectors out": (
        _CLIP, "if p.grad is not None]", "if p.grad is not None and len(p.shape) >= 2]"),
    "warm-up starts at zero": (
        _RATE, "return max_lr * step / warmup", "return max_lr * (step - 1) / warmup"),
    "warm-up one step ahead": (
        _RATE, "return max_lr * step / warmup", "return max_lr * (step + 1) / warmup"),
    "warm-up steps rounded": (
        _RATE, "warmup = warmup_rate * decay_steps", "warmup = int(warmup_rate * decay_steps)"),
    "cosine to zero": (_RATE, "* (max_lr - min_lr)", "* max_lr - min_lr"),
    "cosine from the first step": (
        _RATE, "(step - warmup) / (decay_steps - warmup)", "step / decay_steps"),
    "decay in a line": (_RATE, "(1.0 + math.cos(math.pi * progress))", "2.0 * (1.0 - progress)"),
    "cosine goes up again": (_RATE, "if step > decay_steps:", "if False:"),
    "no warm-up": (_RATE, "if warmup > 0 and step <= warmup:", "if False:"),
    "no decay of the rate": (_RATE, 'if style == "none":', 'if style != "none":'),
    "rate of the step before": (
        _TRAIN, "self.cadence.learning_rate(step)", "self.cadence.learning_rate(step - 1)"),
    "rate of the step after": (
        _TRAIN, "self.cadence.learning_rate(step)", "self.cadence.learning_rate(step + 1)"),
    "rate advances twice a step": (
        _TRAIN, "self.cadence.learning_rate(step)", "self.cadence.learning_rate(2 * step)"),
    "rate set after the update": [
        (_STEP, "self.optimizer.set_lr(lr)", "pass"),
        (_STEP, "self.optimizer.clear_grad()",
         "self.optimizer.clear_grad()\n    self.optimizer.set_lr(lr)")],
    "batch of the step after": (_TRAIN, "self.loader.step(step - 1)", "self.loader.step(step)"),
    "first batch again and again": (_TRAIN, "self.loader.step(step - 1)", "self.loader.step(0)"),
    "gradients not cleared": (_STEP, "self.optimizer.clear_grad()", "pass"),
    "accumulation undivided": (_STEP, _BACKWARD, "loss_sum.backward()"),
    "accumulation divided twice": (
        _STEP, _BACKWARD, "(mean(loss_sum, weight) / len(micro_batches)).backward()"),
    "mean of the micro batches' means": [
        (_STEP, _BACKWARD,
         "(loss_sum / self.objective.weight(batch) / len(micro_batches)).backward()")],
    "loss of the last micro batch": (_STEP, _ADD_LOSS, _ADD_LOSS.replace("+=", "=")),
    "an update for each micro batch": (
        _STEP, _BACKWARD,
        f"{_BACKWARD}\n        if index == 0 < len(micro_batches) - 1:\n            {_UPDATE}"),
    "dropout stays off": (_TRAIN, "self.model.train()", "self.model.eval()"),
    "same masks at every step": (_SEED, "[seed, step, micro_batch, rank]",
                                 "[seed, micro_batch, rank]"),
    "same masks for every micro batch": (
        _SEED, "[seed, step, micro_batch, rank]", "[seed, step, rank]"),
    "same masks on every rank": (
        _SEED, "[seed, step, micro_batch, rank]", "[seed, step, micro_batch]"),
    "masks of neighbouring steps overlap": (
        _SEED, "[seed, step, micro_batch, rank]", "[seed, step + micro_batch, rank]"),
    "same masks for every seed": (
        _SEED, "[seed, step, micro_batch, rank]", "[step, micro_batch, rank]"),
    "masks not seeded": (_FORWARD, "paddle.seed(", "int("),
    "gradients of one rank": (_STEP, _SUM_GRADS, "pass"),
    "gradients summed after the clip": [
        (_STEP, _SUM_GRADS, "pass"),
        (_STEP, _NORM_CALL, f"{_NORM_CALL}\n    {_SUM_GRADS}")],
    "gradients averaged over ranks": (
        f"{_GROUP}.all_reduce_", "paddle.distributed.all_reduce(flat, group=self.handle)",
        "paddle.distributed.all_reduce(flat, group=self.handle); flat.scale_(1 / self.size)"),
    "weight of one rank": (_STEP, _WEIGHT, "weight, stop = own_weight, 0.0"),
    "loss of one rank": (_STEP, "(loss,) = self.ranks.data.total(loss)", "pass"),
    "evaluation without the masks' weights": (
        _EVALUATION, "objective.weight(batch)", 'batch["labels"].size'),
    "evaluation by the mean of means": (
        _EVALUATION, "(loss_sum, objective.weight(batch))",
        "(loss_sum / objective.weight(batch), 1)"),
    "evaluation of the last batch": (_EVALUATION, "totals.add(", "totals = Totals(); totals.add("),
    "evaluation divided by the largest count": (
        _MEANS, "mean(total, count)", "mean(total, max(flat[1::2]) + 1)"),
    "evaluation with dropout": (_EVALUATION, "model.eval()", "pass"),
    "dropout off after an evaluation": (_EVALUATION, "model.train()", "pass"),
}

CONTROLS = {
    "AdamW by hand": _by_hand(""),
    "decay by the parameters' names": (
        _ADAMW, "{p.name for p in parameters.values() if len(p.shape) >= 2}",
        '{p.name for name, p in parameters.items()'
        ' if name.endswith("weight") and ".ln_" not in name}'),
    "rate rearranged": [
        (_RATE, "max_lr * step / warmup", "step / warmup * max_lr"),
        (_RATE, _COSINE,
         "max_lr - (max_lr - min_lr) * math.sin(0.5 * math.pi * progress) ** 2")],
    "cosine from the end of the warm-up": (  # but where no steps are left for it
        _RATE, "step <= warmup", "(step < warmup or step == warmup == decay_steps)"),
    "clip by the largest coefficient": (
        _CLIP, _SHRINK, "grad.scale_(min(1.0, max_norm / (norm + 1e-6)))"),
    "micro batches divided afterwards": [
        (_STEP, _BACKWARD, "self.scaler.scaled(loss_sum).backward()"),
        (_STEP, "(loss,) = self.ranks.data.total(loss)",
         "with paddle.no_grad():\n        for gradient in self.optimizer.gradients():\n"
         "            gradient.scale_(1.0 / weight)\n"
         "    (loss,) = self.ranks.data.total(loss)")],
}

MUTANTS = room("training", BUGS, CONTROLS)
