"""Bugs of what a run counts and continues, of its flags, of checkpoints' names, and of measures."""

from parity.mutants.mutant import room

_RUN = "paddle_impl.training.run.Run"
_SCHEDULE = "paddle_impl.optim.schedule._values"
_SCALER = "paddle_impl.optim.precision.LossScaler"
_STOP = "paddle_impl.training.early_stop.EarlyStop"
_LEAVE_OUT = "paddle_impl.training.trainer.Trainer._leave_out"
_LOAD = "paddle_impl.optim.optimizer.Optimizer.load_state"
_CODE = "paddle_impl.evaluation.code_length.CodeLength"
_WORDS = "paddle_impl.evaluation.lambada.LastWords"

_DECAY = "options.decay_steps or total_steps"
_SCALE_STATE = '{"loss_scale": self.scale, "good_steps": self.good_steps}'
_SINCE = 'int(state.get("evaluations_since_best") or 0)'

BUGS = {
    "no decay steps taken literally": (_SCHEDULE, _DECAY, "options.decay_steps"),
    "decay over the steps that are left": (
        _SCHEDULE, _DECAY, "options.decay_steps or total_steps - 1"),
    "decay over all steps whatever is asked": (_SCHEDULE, _DECAY, "total_steps"),
    "always a cosine": (_SCHEDULE, '"style": options.lr_decay_style', '"style": "cosine"'),
    "always a warm-up": (
        _SCHEDULE, '"warmup_rate": options.warmup_rate',
        '"warmup_rate": options.warmup_rate or 0.01'),
    "loss scale not saved": (f"{_RUN}._state", "**self.scaler.state(), ", ""),
    "loss scale not restored": (f"{_RUN}._restore", "self.scaler.restore(progress)", "pass"),
    "good steps saved as none": (
        f"{_SCALER}.state", _SCALE_STATE, '{"loss_scale": self.scale, "good_steps": 0}'),
    "good steps not restored": (
        f"{_SCALER}.restore", 'float(state["loss_scale"]), int(state["good_steps"])',
        'float(state["loss_scale"]), 0'),
    "scale of the beginning restored": (
        f"{_SCALER}.restore", 'float(state["loss_scale"])', "self.scale"),
    "run's loss not scaled": (f"{_RUN}.train", "scaler=self.scaler,", ""),
    "early stop not saved": (f"{_RUN}._state", "**self.early_stop.state(),", ""),
    "early stop not restored": (f"{_RUN}._restore", "self.early_stop.restore(progress)", "pass"),
    "early stop's count not restored": (f"{_STOP}.restore", _SINCE, "0"),
    "early stop's best not restored": (
        f"{_STOP}.restore", "self.best = self._worst if best is None else float(best)", "pass"),
    "an equal loss is a better one": (f"{_STOP}.saw", "value < self.best", "value <= self.best"),
    "an evaluation too patient": (
        f"{_STOP}.over", "0 < self.patience <= self.since", "0 < self.patience < self.since"),
    "an evaluation too impatient": (
        f"{_STOP}.over", "0 < self.patience <= self.since",
        "0 < self.patience <= self.since + 1 and self.since > 0"),
    "early stop ignored in a run": (f"{_RUN}._evaluate", "return votes > 0", "return False"),
    "skips not saved": (f"{_RUN}._save", "self.skipped = self.trainer.skipped", "pass"),
    "skips saved as none": (
        f"{_RUN}._state", '"skipped_steps": self.skipped', '"skipped_steps": 0'),
    "skips not restored": (
        f"{_RUN}._restore", 'int(progress.get("skipped_steps", 0))', "0"),
    "skips counted from none": (f"{_RUN}.train", "skipped=self.skipped,", ""),
    "one skip too few": (
        _LEAVE_OUT, "self.skipped <= self.skip_nonfinite", "self.skipped < self.skip_nonfinite"),
    "one skip too many": (
        _LEAVE_OUT, "self.skipped <= self.skip_nonfinite",
        "self.skipped <= self.skip_nonfinite + 1"),
    "an overflow counts as a skip": (
        _LEAVE_OUT, "if math.isfinite(loss) and self.scaler.overflows():", "if False:"),
    "a loss that is no number counts as an overflow": (
        _LEAVE_OUT, "if math.isfinite(loss) and self.scaler.overflows():",
        "if self.scaler.overflows():"),
    "whole moments for a share of the model": (
        _LOAD, "self.model.parts.own(key, state[key])",
        "state[key][tuple(slice(n) for n in tensor.shape)]"),
    "bits per byte in nats": (f"{_CODE}.bits_per_byte", "/ math.log(2)", ""),
    "bits per token": (f"{_CODE}.bits_per_byte", "/ self.bytes", "/ self.tokens"),
    "gzip's bytes per byte": (f"{_CODE}.gzip_bits_per_byte", "8.0 * ", ""),
    "loss a byte": (f"{_CODE}.loss", "self.nats / self.tokens", "self.nats / self.bytes"),
    "perplexity a byte": (f"{_CODE}.perplexity", "self.tokens", "self.bytes"),
    "accuracy by bytes": (f"{_CODE}.accuracy", "self.right / self.tokens",
                          "self.right / self.bytes"),
    "bytes with the end token's": (
        "paddle_impl.evaluation.code_length.code_length", "parts.append(decode_bytes(text))",
        "parts.append(decode_bytes(np.append(text, eos_token_id)))"),
    "LAMBADA's perplexity of the right ones": (
        f"{_WORDS}.perplexity", "self.passages", "max(1, self.right)"),
    "LAMBADA's accuracy of the wrong ones": (
        f"{_WORDS}.accuracy", "self.right / self.passages", "1 - self.right / self.passages"),
}

CONTROLS = {
    "skips that are not told are none": (
        f"{_RUN}._restore", 'progress.get("skipped_steps", 0)', 'progress.get("skipped_steps") or 0'
    ),
    "bits by another logarithm": (
        f"{_CODE}.bits_per_byte", "self.nats / math.log(2)", "self.nats * math.log2(math.e)"),
}

MUTANTS = room("resume", BUGS, CONTROLS)
