"""Bugs of rows that are padded or packed: masks, segments and positions."""

from parity.mutants.mutant import room

_SEEN = "paddle_impl.layers.masks.visible"
_POSITIONS = "paddle_impl.layers.masks.positions"
_ADDED = "paddle_impl.layers.masks.additive"
_BATCH = "paddle_impl.layers.masks.of_batch"
_GPT = "paddle_impl.model.GPTModel.forward"

_TOLD = "for name in ROWS if name in batch"
_SAME = "(segments.unsqueeze(2) == segments.unsqueeze(1))"
_REAL = 'attention_mask.astype("bool").unsqueeze(1)'
_COUNTED = 'seen.astype("int64").sum(axis=-1) - 1'
_RESTART = "positions = masks.positions(seen)  # (B, T)"
_EMPTY = "x = x * attention_mask.astype(x.dtype).unsqueeze(-1)"
_MASK = "mask = masks.additive(seen, x.dtype)  # (B, 1, T, T)"

BUGS = {
    "segments leak into the next": (
        _SEEN, _SAME, "((segments.unsqueeze(2) - segments.unsqueeze(1)).abs() <= 1)"),
    "a segment sees those before it": (
        _SEEN, _SAME, "(segments.unsqueeze(2) >= segments.unsqueeze(1))"),
    "a segment's first token is hidden": (
        _SEEN, _SAME,
        "((segments.unsqueeze(2) == segments.unsqueeze(1)) & (segments.roll(1, axis=1)"
        " == segments).unsqueeze(1))"),
    "segments not applied": (_SEEN, f"seen = seen & {_SAME}", "pass"),
    "packed rows see later tokens": (_SEEN, '"bool").tril()', '"bool")'),
    "packed rows see the next token": (_SEEN, '"bool").tril()', '"bool").tril(1)'),
    "padding is seen": (_SEEN, f"seen = seen & {_REAL}", "pass"),
    "attention mask inverted": (_SEEN, _REAL, f"(~{_REAL})"),
    "padding as a query is hidden, not as a key": (
        _SEEN, _REAL, 'attention_mask.astype("bool").unsqueeze(2)'),
    "attention mask one token late": (
        _SEEN, _REAL, 'attention_mask.roll(1, axis=1).astype("bool").unsqueeze(1)'),
    "padding of the first row for all": (
        _SEEN, _REAL, 'attention_mask[:1].astype("bool").unsqueeze(1)'),
    "positions go on from segment to segment": (_GPT, _RESTART, "pass"),
    "positions of segments begin at 1": (
        _POSITIONS, _COUNTED, 'seen.astype("int64").sum(axis=-1)'),
    "positions of tokens that see a key": (
        _POSITIONS, _COUNTED, f"({_COUNTED}).sort(axis=1)"),
    "positions by the last token's keys": (
        _POSITIONS, _COUNTED, 'seen.astype("int64")[:, -1].cumsum(-1).clip(min=1) - 1'),
    "position ids ignored": (_GPT, "positions = position_ids", "pass"),
    "position ids of the first row for all": (
        _GPT, "positions = position_ids", "positions = position_ids[0]"),
    "hidden keys at -10": (_ADDED, "zero, -1e9", "zero, -10.0"),
    "mask of rows transposed": (_ADDED, ".unsqueeze(1)", ".transpose([0, 2, 1]).unsqueeze(1)"),
    "mask of the first row for all": (_GPT, _MASK, "mask = masks.additive(seen[:1], x.dtype)"),
    "inputs of the first row's padding are 0 in all": (
        _GPT, _EMPTY, _EMPTY.replace("attention_mask", "attention_mask[:1]")),
    "causal mask alone": (_GPT, _MASK, "pass"),
    "objective leaves segments out": (_BATCH, _TOLD, f'{_TOLD} and name != "segments"'),
    "objective leaves the attention mask out": (
        _BATCH, _TOLD, f'{_TOLD} and name != "attention_mask"'),
    "objective leaves position ids out": (_BATCH, _TOLD, f'{_TOLD} and name != "position_ids"'),
    "padding has a weight in the loss": [
        ("paddle_impl.objectives.causal_lm", 'labels = batch["labels"]',
         'labels = paddle.where(batch.get("attention_mask", batch["labels"]) == 0,'
         ' paddle.zeros_like(batch["labels"]), batch["labels"])')],
}

CONTROLS = {
    "hidden keys at -1e8": (_ADDED, "zero, -1e9", "zero, -1e8"),
    "padding keeps its inputs": (_GPT, _EMPTY, "pass"),
    "padding sees other padding": (
        _SEEN, _REAL, f"({_REAL} | (attention_mask == 0).unsqueeze(2))"),
}

MUTANTS = room("rows", BUGS, CONTROLS)
