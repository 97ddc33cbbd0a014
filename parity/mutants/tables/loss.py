"""Bugs of the objective and of the held-out code length: what is summed, and over how much."""

from parity.mutants.mutant import room

_LM = "paddle_impl.objectives.causal_lm"
_LOGITS = 'logits = model(batch["input_ids"])  # (B, T, V)'
_SUM = "(losses.reshape(mask.shape) * mask).sum()"
_RETURN = f"return {_SUM}, mask.sum()"
_WINDOWS = "paddle_impl.evaluation.windows.windows"
_STRIDED = "paddle_impl.evaluation.windows.strided"
_SCORE = "paddle_impl.evaluation.scoring.score"
_LENGTH = "paddle_impl.evaluation.code_length.code_length"

_LOSSES = 'F.cross_entropy(logits, batch["labels"], reduction="none")'

BUGS = {
    "labels not shifted": (_LM, 'batch["labels"]', 'batch["input_ids"]'),
    "labels shifted twice": (
        _LM, _LOGITS,
        'batch = {k: (v[:, 1:] if k != "input_ids" else v[:, :-1]) for k, v in batch.items()}\n'
        f"    {_LOGITS}"),
    "last token dropped": (
        _LM, _LOGITS, f"batch = {{k: v[:, :-1] for k, v in batch.items()}}\n    {_LOGITS}"),
    "loss mask ignored": (_LM, _SUM, "losses.sum()"),
    "mask ignored in sum and count": (
        _LM, _RETURN, "return losses.sum(), paddle.ones_like(mask).sum()"),
    "mean over masked labels too": (_LM, "mask.sum()", "paddle.ones_like(mask).sum()"),
    "mask one token late": (
        _LM, 'batch["loss_mask"].astype', 'paddle.roll(batch["loss_mask"], 1, axis=1).astype'),
    "Paddle's default reduction": (
        _LM, _RETURN,
        'labels = paddle.where(mask == 0, paddle.full_like(batch["labels"], -100), batch["labels"])'
        "\n    return F.cross_entropy(logits, labels) * mask.sum(), mask.sum()"),
    "mean of the rows' means": (
        _LM, _RETURN,
        "rows = (losses.reshape(mask.shape) * mask).sum(1) / mask.sum(1)\n"
        "    return rows.mean() * mask.sum(), mask.sum()"),
    "sum over the batch size": (_LM, ", mask.sum()", ", mask.sum() * 0 + mask.shape[0]"),
    "label smoothing of 0.01": (
        _LM, 'labels"], reduction="none"', 'labels"], reduction="none", label_smoothing=0.01'),
    "loss in bits": (_LM, _SUM, f"{_SUM} / 0.6931471805599453"),
    "cross entropy in float32": (
        _LM, _LOSSES, _LOSSES.replace("(logits,", '(logits.astype("float32"),')
        + ".astype(logits.dtype)"),
    "softmax taken twice": (_LM, "cross_entropy(logits,", "cross_entropy(F.softmax(logits),"),
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
    "mask applied twice": (_LM, _SUM, "(losses.reshape(mask.shape) * mask * mask).sum()"),
    "labels ignored, not masked": (
        _LM, _RETURN,
        'labels = paddle.where(mask == 0, paddle.full_like(batch["labels"], -100), batch["labels"])'
        '\n    return F.cross_entropy(logits, labels, reduction="sum"), mask.sum()'),
}

MUTANTS = room("loss", BUGS, CONTROLS)
