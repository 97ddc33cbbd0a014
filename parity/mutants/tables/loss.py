"""Bugs of the loss and of the code length of documents."""

from parity.mutants.mutant import room

_LM = "paddle_impl.objectives.causal_lm"
_WEIGHT = "paddle_impl.objectives.counted_labels"
_MEAN = "paddle_impl.objectives.mean"
_LABELS = 'labels = batch["labels"]'
_WINDOWS = "paddle_impl.evaluation.windows.windows"
_STRIDED = "paddle_impl.evaluation.windows.strided"
_SCORE = "paddle_impl.evaluation.scoring.score"
_LENGTH = "paddle_impl.evaluation.code_length.code_length"

_KERNEL = "paddle_impl.objectives._CrossEntropy"
_DOUBT = "paddle_impl.objectives._may_be_wrong"
_BY_HAND = "paddle_impl.objectives._by_hand"
_ENTROPY = "cross_entropy(logits, labels, model.parts, model.config.vocab_size)"
_SUM = f"losses = {_ENTROPY}  # (B, T)\n    return losses.sum(), {{}}"
# Without the values that are ignored it is right for ordinary logits of a single process.
_PADDLE = "paddle.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORED"


def _summed(code: str) -> tuple[str, str, str]:
    return _LM, _SUM, f"losses = {_ENTROPY}\n    return {code}, {{}}"


BUGS = {
    "labels not shifted": (_LM, _LABELS, 'labels = batch["input_ids"]'),
    "labels shifted twice": (
        _LM, _LABELS,
        'batch = {k: (v[:, 1:] if k != "input_ids" else v[:, :-1]) for k, v in batch.items()}\n'
        f"    {_LABELS}"),
    "last token dropped": (
        _LM, _LABELS,
        f"batch = {{k: v[:, :-1] for k, v in batch.items()}}\n    {_LABELS}"),
    "masked labels cost as token 0": (_LM, _LABELS, 'labels = paddle.clip(batch["labels"], min=0)'),
    "masked labels cost and count as token 0": [
        (_LM, _LABELS, 'labels = paddle.clip(batch["labels"], min=0)'),
        (_WEIGHT, '(batch["labels"] != IGNORED).sum()', 'batch["labels"].size')],
    "mean over masked labels too": (
        _WEIGHT, '(batch["labels"] != IGNORED).sum()', 'batch["labels"].size'),
    "token 0 not counted": (_WEIGHT, "!= IGNORED", "> 0"),
    "mask one token late": (
        _LM, _LABELS,
        f"{_LABELS}\n    late = paddle.roll(labels, 1, axis=1) == IGNORED\n"
        "    labels = paddle.where(late, paddle.full_like(labels, IGNORED), labels)"),
    "Paddle's default reduction": _summed(
        f"{_PADDLE}, reduction='mean') * labels.size"),
    "mean of the rows' means": _summed(
        "(losses.reshape(labels.shape).sum(1) / (labels != IGNORED).astype(losses.dtype).sum(1))"
        ".mean() * (labels != IGNORED).astype(losses.dtype).sum()"),
    "sum over the batch size": (_WEIGHT, '(batch["labels"] != IGNORED).sum()',
                                'len(batch["labels"])'),
    "weight off by one": (_MEAN, "total / (weight or 1.0)", "total / (weight + 1.0)"),
    "sum not divided": (_MEAN, "total / (weight or 1.0)", "total"),
    "label smoothing of 0.01": _summed(
        "(0.99 * losses - 0.01 * (labels != IGNORED).astype(losses.dtype)"
        " * paddle.nn.functional.log_softmax(logits).mean(-1)).sum()"),
    "Paddle's cross entropy, at most 64 nats": _summed(f"{_PADDLE}, reduction='sum')"),
    "losses that are no numbers left out": _summed(
        "paddle.where(losses.isnan(), paddle.zeros_like(losses), losses).sum()"),
    "losses of at most 100 nats": _summed("losses.clip(max=100.0).sum()"),
    "large losses trusted to Paddle's kernel": (_DOUBT, "(losses > 60.0)", "(losses > 1e9)"),
    "losses above 75 nats doubted": (_DOUBT, "(losses > 60.0)", "(losses > 75.0)"),
    "NaN logits trusted to Paddle's kernel": (
        _DOUBT, "paddle.isfinite(logits.sum(axis=-1)).all()", "True"),
    "ignored labels cost as token 0": (
        _BY_HAND, "paddle.where(ignored, paddle.zeros_like(losses), losses)", "losses"),
    "exponentials of the logits themselves": (
        f"{_KERNEL}.forward", "highest = logits.max(axis=-1, keepdim=True)",
        "highest = paddle.zeros_like(logits.max(axis=-1, keepdim=True))"),
    "gradient of the exponentials": (f"{_KERNEL}.forward", "softmax.divide_(total)", "pass"),
    "loss in bits": _summed("losses.sum() / 0.6931471805599453"),
    "cross entropy in float32": (
        _LM, _ENTROPY, _ENTROPY.replace("(logits,", '(logits.astype("float32"),')
        + ".astype(logits.dtype)"),
    "softmax taken twice": (
        _LM, "cross_entropy(logits,", "cross_entropy(paddle.nn.functional.softmax(logits),"),
    "logits' temperature of 1.001": (
        _LM, "cross_entropy(logits,", "cross_entropy(logits / 1.001,"),
    "overlap of the windows counted twice": (
        _STRIDED, "sequence[first + 1 :", "sequence[start + 1 :"),
    "first token of a window not counted": (
        _STRIDED, "sequence[first + 1 :", "sequence[min(first + 2, end) :"),
    "windows without overlap": (
        _WINDOWS, "yield max(0, end - size), end, counted", "yield counted, end, counted"),
    "windows a token too far apart": (_WINDOWS, "counted + stride)", "counted + stride + 1)"),
    "last window dropped": (
        _WINDOWS, "while counted < length:", "while counted < max(1, length - stride):"),
    "window of the first tokens": (_WINDOWS, "max(0, end - size), end", "max(0, counted - 1), end"),
    "code length without the end token": (
        _LENGTH, "text, [eos_token_id]]", "text]"),
    "code length without a start": (_LENGTH, "[[eos_token_id], text,", "[text,"),
    "code length with dropout": (_SCORE, "model.eval()", "model.train()"),
}

CONTROLS = {
    "mask applied twice": _summed(
        "(losses.reshape(labels.shape) * (labels != IGNORED).astype(losses.dtype)).sum()"),
    "cross entropy always by hand": ("paddle_impl.objectives.cross_entropy",
                                     "if parts.degree == 1:", "if False:"),
    "cross entropy by Paddle's logsumexp": _summed(
        "paddle.where(labels == IGNORED, paddle.zeros_like(losses), paddle.logsumexp(logits, -1)"
        " - paddle.take_along_axis(logits, labels.clip(min=0).unsqueeze(-1), -1).squeeze(-1)"
        ").sum() if model.parts.degree == 1 else losses.sum()"),
}

MUTANTS = room("loss", BUGS, CONTROLS)
