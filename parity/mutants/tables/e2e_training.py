"""Bugs of label smoothing, of the legacy AdamW, and of microsoft/LoRA's schedules."""

from parity.mutants.mutant import room

_SMOOTHED = "paddle_impl.finetuning.label_smoothing.label_smoothed"
_ABOVE = "paddle_impl.finetuning.label_smoothing.above_mean"
_ADAMW = "paddle_impl.optim.legacy_adamw.LegacyAdamW"
_UPDATE = f"{_ADAMW}._update"
_CHOSEN = "paddle_impl.optim.choice.chosen_optimizer"
_SCHEDULE = "paddle_impl.optim.legacy_schedules.LegacySchedule"
_COSINE = "paddle_impl.optim.legacy_schedules.lora_cosine_lr"
_CYCLE = "paddle_impl.optim.legacy_schedules.cycle_lr"

_EPSILON = "above * paddle.full([], epsilon, above.dtype)"
_MEAN = "near_zero.sum(axis=-1) / vocab_size"
_NOTHING = "paddle.zeros_like(target)"
_STEP = "parameter.subtract_(number(rate) * first / (second.sqrt() + number(self._epsilon)))"
_DECAY = "parameter.subtract_(number(self._rate * self._decay) * parameter)"
_CORRECTION = "math.sqrt(1.0 - beta2**count) / (1.0 - beta1**count)"
_DECAYED = "if self._decays_all or parameter.ndim >= 2:"

BUGS = {
    "labels not smoothed": (_SMOOTHED, _EPSILON, "0 * above"),
    "labels smoothed by the rest": (
        _SMOOTHED, _EPSILON, "above * paddle.full([], 1.0 - epsilon, above.dtype)"),
    "smoothing leaves the label's share whole": (
        _SMOOTHED, _EPSILON, "above * paddle.full([], epsilon / (1.0 - epsilon), above.dtype)"),
    "smoothing over the other tokens alone": (
        _SMOOTHED, _EPSILON,
        f"{_EPSILON} * (model.config.vocab_size / (model.config.vocab_size - 1.0))"),
    "smoothing has no gradient": (_SMOOTHED, _EPSILON, _EPSILON.replace("above *",
                                                                       "above.detach() *")),
    "smoothed loss of padding too": (_ABOVE, "labels == IGNORED", "labels == IGNORED - 1"),
    "the smoothed loss logged as the plain one": (
        _SMOOTHED, "losses.detach().sum()", "total.detach()"),
    "the plain loss is a mean over padding": (
        _SMOOTHED, "(labels != IGNORED).sum()", "paddle.ones_like(labels).sum()"),
    "the mean of a process's own logits": (
        _ABOVE, _MEAN, "near_zero.mean(axis=-1)"),
    "the sum of the logits for their mean": (_ABOVE, _MEAN, "near_zero.sum(axis=-1)"),
    "the highest logit of each process alone": (
        _ABOVE, "parts.group.all_reduce_max_(highest)", "pass"),
    "the smoothing of one process alone": (
        _ABOVE, f"parts.reduce_from(target - {_MEAN})", f"target - {_MEAN}"),
    "a label of another process taken for an own one": (
        _ABOVE, f"paddle.where(own, target, {_NOTHING})", "target"),
    "legacy decay before the update": [
        (_UPDATE, _STEP, f"{_DECAYED}\n        parameter.subtract_(parameter * number("
         f"self._rate * self._decay))\n    {_STEP}"),
        (_UPDATE, f"\n    {_DECAYED}\n        {_DECAY}", "")],
    "legacy decay by the corrected rate": (
        _UPDATE, "number(self._rate * self._decay)", "number(rate * self._decay)"),
    "legacy decay unscheduled": (
        _UPDATE, "number(self._rate * self._decay)", "number(1e-3 * self._decay)"),
    "legacy decay left out": (_UPDATE, _DECAYED, "if False:"),
    "legacy decay of biases": (_UPDATE, _DECAYED, "if True:"),
    "legacy decay of matrices alone": (_UPDATE, _DECAYED, "if parameter.ndim >= 2:"),
    "legacy epsilon on the corrected root": (
        _UPDATE, "number(self._epsilon)",
        "number(self._epsilon * math.sqrt(1 - beta2**int(steps.item())))"),
    "legacy epsilon inside the root": (
        _UPDATE, "(second.sqrt() + number(self._epsilon))",
        "(second + number(self._epsilon)).sqrt()"),
    "legacy moments uncorrected": (_UPDATE, "if self._correct_bias:", "if False:"),
    "legacy moments always corrected": (_UPDATE, "if self._correct_bias:", "if True:"),
    "legacy first moment uncorrected": (
        _UPDATE, _CORRECTION, "math.sqrt(1.0 - beta2**count)"),
    "legacy second moment uncorrected": (_UPDATE, _CORRECTION, "1.0 / (1.0 - beta1**count)"),
    "legacy correction without the root": (
        _UPDATE, _CORRECTION, "(1.0 - beta2**count) / (1.0 - beta1**count)"),
    "legacy correction of the step before": (_UPDATE, "int(steps.item())",
                                             "max(1, int(steps.item()) - 1)"),
    "legacy steps not counted": (_UPDATE, "steps.add_(", "steps.multiply_("),
    "legacy betas swapped": (
        _UPDATE, "(beta1, beta2), gradient =", "(beta2, beta1), gradient ="),
    "legacy second moment of the first": (
        _UPDATE, "gradient * gradient * number(", "first * first * number("),
    "legacy second moment of gradients": (
        _UPDATE, "gradient * gradient * number(", "gradient.abs() * number("),
    "legacy rate of the start": (f"{_ADAMW}.set_lr", "self._rate = rate", "pass"),
    "the legacy AdamW is the usual one": (_CHOSEN, "options.optimizer == LEGACY", "False"),
    "the usual AdamW is the legacy one": (_CHOSEN, "options.optimizer == LEGACY", "True"),
    "the flag of the correction not passed on": (
        _CHOSEN, "correct_bias=options.correct_bias,", ""),
    "the flag of the decay the other way round": (
        _CHOSEN, "not options.no_decay_bias", "options.no_decay_bias"),
    "cosine begins behind the warm-up": (
        _COSINE, "progress = min(step, total_steps) / total_steps",
        "progress = (min(step, total_steps) - warmup_steps) / max(1, total_steps - warmup_steps)"),
    "cosine rises after its end": (_COSINE, "min(step, total_steps) /", "step /"),
    "cosine's first rate is not 0": (_COSINE, "if step == 0:", "if step < 0:"),
    "cosine's warm-up a step longer": (
        _COSINE, "step < warmup_steps", "0 < step <= warmup_steps"),
    "cosine of twice the peak": (_COSINE, "max_lr * 0.5 *", "max_lr *"),
    "cosine's warm-up from its first part": (
        _COSINE, "max_lr * step / warmup_steps", "max_lr * (step + 1) / (warmup_steps + 1)"),
    "lines as long as their intervals": (_CYCLE, "(end - begin + 1e-6)", "(end - begin)"),
    "a line's ends swapped": (
        _CYCLE, "part * i_lrs[number + 1] + (1.0 - part) * i_lrs[number]",
        "part * i_lrs[number] + (1.0 - part) * i_lrs[number + 1]"),
    "rates in stairs": (
        _CYCLE, "part * i_lrs[number + 1] + (1.0 - part) * i_lrs[number]", "i_lrs[number]"),
    "a line goes on to its end": (_CYCLE, "if step < end:", "if step <= end:"),
    "lines counted from step 0": (_CYCLE, "(step - begin) /", "step /"),
    "the first rate after the end": (_CYCLE, "return i_lrs[-1]", "return i_lrs[0]"),
    "the rate of the step behind": (
        f"{_SCHEDULE}.learning_rate", "step - 1 + self.first_step", "step + self.first_step"),
    "the index of the first step ignored": (
        f"{_SCHEDULE}.learning_rate", "step - 1 + self.first_step", "step - 1"),
}

CONTROLS = {
    "smoothing of logits as they are": (_ABOVE, "near_zero = wide - highest", "near_zero = wide"),
    "legacy step in another order": (
        _UPDATE, _STEP, "parameter.subtract_(first / (second.sqrt() + number(self._epsilon)) "
        "* number(rate))"),
    "legacy decay as a factor": (
        _UPDATE, _DECAY, "parameter.multiply_(number(1.0 - self._rate * self._decay))"),
    "microsoft/LoRA's cosine by its half angle squared": (
        _COSINE, "0.5 * (1.0 + math.cos(math.pi * progress))",
        "math.cos(math.pi / 2 * progress) ** 2"),
}

MUTANTS = room("e2e training", BUGS, CONTROLS)
