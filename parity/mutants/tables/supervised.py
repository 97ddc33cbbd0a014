"""Bugs of the batches of examples, and of the loss that counts their key tokens."""

from parity.mutants.mutant import room

_LOADER = "paddle_impl.data.supervised.SupervisedLoader"
_BATCH = f"{_LOADER}._batch"
_NUMBERS = f"{_LOADER}._numbers"
_SHARED = f"{_LOADER}._shared"
_ORDER = "paddle_impl.data.supervised._order"
_WEIGHTED = "paddle_impl.key_tokens.key_token_weighted"
_SAMPLES = "paddle_impl.key_tokens._samples"
_COUNTS = "paddle_impl.key_tokens._counts"

_IGNORED = "labels = np.full_like(inputs, IGNORED)"
_OWN = "labels[row, : len(ids) - 1] = own[1:]"
_IDS = "inputs[row, : len(ids) - 1] = ids[:-1]"
_LABELLED = "each = losses.sum(axis=1) / labelled.clip(min=1.0)"
_FACTOR = "alpha * (1.0 + _counts("
_ANY = 'np.any(batch["labels"] != IGNORED, axis=1).sum()'
_NEXT = "following = paddle.where(labels == IGNORED, following, labels)"
_FIRST = "tokens = paddle.concat([input_ids[:, :1], following], axis=1)"
_HITS = 'is_key.any(axis=-1).astype("int64").sum(axis=1)'

BUGS = {
    "padding is a label": (_BATCH, _IGNORED, "labels = np.full_like(inputs, self.pad_id)"),
    "the first padding is a label": (
        _BATCH, _OWN, f"{_OWN}\n        labels[row, len(ids) - 1 : len(ids)] = self.pad_id"),
    "examples' prompts are labels": (_BATCH, "own[1:]", "ids[1:]"),
    "examples' labels not shifted": (_BATCH, "own[1:]", "own[:-1]"),
    "examples' inputs shifted": (_BATCH, "ids[:-1]", "ids[1:]"),
    "examples padded on the left, positions not": [
        (_BATCH, _IDS, "inputs[row, width - len(ids) + 1 :] = ids[:-1]"),
        (_BATCH, _OWN, "labels[row, width - len(ids) + 1 :] = own[1:]")],
    "last label of an example dropped": (
        _BATCH, _OWN, "labels[row, : len(ids) - 2] = own[1:-1]"),
    "examples cut to the shortest": [
        (_BATCH, "width = max(", "width = min("),
        (_BATCH, _IDS, "inputs[row, : len(ids) - 1] = ids[:-1][:width]"),
        (_BATCH, _OWN, "labels[row, : len(ids) - 1] = own[1:][:width]")],
    "the last group of an epoch dropped": (
        _NUMBERS, "order[place * size : (place + 1) * size]",
        "order[place * size : (place + 1) * size][: len(order) // size * size - place * size]"),
    "examples in one order in every epoch": (_ORDER, "[seed, epoch]", "[seed, 0]"),
    "examples in file order": (_ORDER, "if seed is None:", "if True:"),
    "the second process has the first one's examples": (
        _SHARED, "begin = self.rank * self.micro_batch_size", "begin = 0"),
    "an example too few in a micro batch": (
        _SHARED, "begin + self.micro_batch_size]", "begin + max(1, self.micro_batch_size - 1)]"),
    "the epoch begins anew with each step": (
        _NUMBERS, "divmod(index, self.steps_per_epoch)", "index, 0"),
    "samples weighted by their labels": (
        _WEIGHTED, _LABELLED, "each = losses.sum(axis=1)"),
    "mean of a sample over padding too": (
        _WEIGHTED, "labelled.clip(min=1.0)", "float(labels.shape[1])"),
    "mean of a sample over one label more": (
        _WEIGHTED, "labelled.clip(min=1.0)", "(labelled + 1.0)"),
    "alpha left out": (_WEIGHTED, _FACTOR, "(1.0 + _counts("),
    "alpha of the key tokens alone": (_WEIGHTED, _FACTOR, "(1.0 + alpha * _counts("),
    "no weight without key tokens": (_WEIGHTED, _FACTOR, "alpha * (0.0 + _counts("),
    "key tokens not counted": (_WEIGHTED, _FACTOR, "alpha * (1.0 + 0 * _counts("),
    "mean over the labels of a step": (_SAMPLES, _ANY, '(batch["labels"] != IGNORED).sum()'),
    "a row without example is a sample": (_SAMPLES, _ANY, 'len(batch["labels"])'),
    "the last token of shorter samples is no key": (_COUNTS, _NEXT, "pass"),
    "key tokens of the labels alone": (
        _COUNTS, _NEXT, "following = labels"),
    "the first token is no key": (_COUNTS, _FIRST, "tokens = following"),
    "the first token counted twice": (
        _COUNTS, _FIRST, "tokens = paddle.concat([input_ids[:, :1], input_ids[:, :1], following],"
        " axis=1)"),
    "key tokens counted once each": (
        _COUNTS, _HITS, 'is_key.any(axis=1).astype("int64").sum(axis=-1)'),
    "whether there is a key token": (
        _COUNTS, _HITS, 'is_key.any(axis=-1).any(axis=1).astype("int64")'),
    "the first key alone": (_COUNTS, "list(keys)", "list(keys)[:1]"),
    "key tokens of the first row for all": (
        _COUNTS, _HITS, f"({_HITS} * 0 + {_HITS}[:1])"),
}

CONTROLS = {
    "no input behind the last label": (
        _COUNTS, "labels[:, -1:]]", "paddle.full_like(labels[:, -1:], -1)]"),
    "examples padded with token 0": (_BATCH, "self.pad_id", "0"),
    "examples padded to a multiple of eight": (
        _BATCH, "default=2) - 1", "default=2) - 1\n    width = -(-width // 8) * 8"),
}

MUTANTS = room("supervised", BUGS, CONTROLS)
