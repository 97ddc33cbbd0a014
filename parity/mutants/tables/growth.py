"""Bugs of a vocabulary that grows."""

from parity.mutants.mutant import room

_ROWS = "paddle_impl.convert.resizing.grown"
_GROW = "paddle_impl.convert.resizing.grow_vocabulary"
_CONFIG = "paddle_impl.convert.resizing.grown_config"

_MEAN = "rows.mean(axis=0, dtype=np.float64)"
_NEW = "np.tile(mean, (missing, 1))"
_JOINED = f"[rows.astype(dtype, copy=False), {_NEW}]"

BUGS = {
    "new rows are zero": (_ROWS, _NEW, "np.zeros((missing, rows.shape[1]), dtype)"),
    "new rows are drawn": (
        _ROWS, _NEW,
        "np.random.default_rng(0).normal(0, 0.02, (missing, rows.shape[1])).astype(dtype)"),
    "new rows are drawn around the mean": (
        _ROWS, _NEW, f"({_NEW} + np.random.default_rng(0).normal(0, 1e-9, (missing, 1)))"),
    "new rows are the last old one": (_ROWS, _MEAN, "rows[-1]"),
    "new rows are the median": (_ROWS, _MEAN, "np.median(rows, axis=0)"),
    "mean without the end token": (_ROWS, _MEAN, "rows[1:].mean(axis=0, dtype=np.float64)"),
    "mean in the type of the file": (_ROWS, "dtype=np.float64", "dtype=rows.dtype"),
    "mean rounded twice": (_ROWS, ".astype(dtype)\n", '.astype("float32").astype(dtype)\n'),
    "mean over all rows that there will be": (
        _ROWS, _MEAN, "(rows.sum(axis=0, dtype=np.float64) / vocab_size)"),
    "mean of all numbers": (
        _ROWS, _MEAN, "np.full(rows.shape[1], rows.mean(dtype=np.float64))"),
    "new rows before the old ones": (
        _ROWS, _JOINED, f"[{_NEW}, rows.astype(dtype, copy=False)]"),
    "old rows centred": (
        _ROWS, _JOINED, f"[(rows - mean + mean).astype(dtype, copy=False), {_NEW}]"),
    "the configuration stays": (
        _GROW, "model.config = model.transformer.config = config", "pass"),
    "new rows are frozen": (
        _GROW, "weight.stop_gradient = old.stop_gradient", "weight.stop_gradient = True"),
    "a tokenizer's tokens alone": (
        _CONFIG, "max(config.vocab_size, tokenizer.vocab_size)", "tokenizer.vocab_size"),
    "a tokenizer grows nothing": (
        _CONFIG, "max(config.vocab_size, tokenizer.vocab_size)", "config.vocab_size"),
}

CONTROLS = {
    "mean as a sum": (_ROWS, _MEAN, "(rows.sum(axis=0, dtype=np.float64) / len(rows))"),
    "new rows repeated": (_ROWS, _NEW, "np.repeat(mean[None], missing, axis=0)"),
}

MUTANTS = room("growth", BUGS, CONTROLS)
