"""Bugs of reading other programs' files: types of numbers, shards, and names of tensors."""

from parity.mutants.mutant import room

_HF = "paddle_impl.convert.hugging_face"
_WEIGHTS = "paddle_impl.checkpoint.weights"
_ARRAY = f"{_WEIGHTS}.StoredTensor.array"
_FILES = f"{_WEIGHTS}._files"

_UPPER = "(values.astype(np.uint32) << 16)"
_UNWRAPPED = 'return ".".join(part for part in name.split(".") if part not in _WRAPPERS)'
_SET = "np.ascontiguousarray(own, dtype=_dtype(parameter))"

BUGS = {
    "bfloat16 taken for float16": (
        _ARRAY, f"{_UPPER}.view(np.float32)", "values.view(np.float16)"),
    "bfloat16 in the lower half": (_ARRAY, _UPPER, "values.astype(np.uint32)"),
    "bits of bfloat16 taken for numbers": (_ARRAY, ".view(np.float32)", ".astype(np.float32)"),
    "bfloat16 without its last bit": (_ARRAY, _UPPER, "((values.astype(np.uint32) & ~1) << 16)"),
    "tensors stored column by column": (
        _ARRAY, "values.reshape(self.shape)", 'values.reshape(self.shape, order="F")'),
    "offsets from the file's beginning": (
        f"{_WEIGHTS}.read_header", "content[start + first : start + end]", "content[first:end]"),
    "the first shard alone": (
        f"{_WEIGHTS}._stored", "paths[1:] if index", "paths[1:2] if index"),
    "the last shard alone": (f"{_WEIGHTS}._stored", "stored |= found", "stored = found"),
    "old shards instead of a newer file": (
        _FILES, "whole.is_file() and not newer", "whole.is_file() and not index.is_file()"),
    "wrappers taken off in front alone": (
        f"{_HF}._unwrapped", _UNWRAPPED,
        "first, _, rest = name.partition('.')\n    return rest if first in _WRAPPERS else name"),
    "FSDP's wrapper not taken off": (
        f"{_HF}._unwrapped", "not in _WRAPPERS", "not in _WRAPPERS[:2] + _WRAPPERS[3:]"),
    "names without transformer. kept": (
        f"{_HF}.from_hf", "if _BODY.match(bare) else", "if _BODY.match(bare) and bare != key else"),
    "a head beside the embedding is refused": (
        f"{_HF}.from_hf",
        "wte != head and not np.array_equal(weights[head], weights[wte], equal_nan=True)",
        "wte != head"),
    "float64 rounded to float32": (
        f"{_HF}.load_weights", _SET, f'{_SET}.astype("float32").astype(_dtype(parameter))'),
}

CONTROLS = {
    "bfloat16 by multiplication": (_ARRAY, "<< 16", "* np.uint32(65536)"),
}

MUTANTS = room("formats", BUGS, CONTROLS)
