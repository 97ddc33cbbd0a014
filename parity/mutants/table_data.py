"""Bugs on the way from token files to batches: splits, windows, shuffles, shards, masks."""

from parity.mutants.mutant import room

_INDEX = "data_tools.index_helper.index"
_SAMPLE = f"{_INDEX}.sample"
_LAST_EPOCH = f"{_INDEX}.separate_last_epoch"
_SHUFFLE = f"{_INDEX}.shuffle_idx"
_BUILD = f"{_INDEX}.build_indices"
_WALK = "data_tools.index_helper._core.walk"
# A wrong walk must end with the documents, or it reads beyond them and the process dies.
_FITS = "if (available >= remaining) break;"
_ENDS = "if (available >= remaining || position + 1 == doc_idx.size) break;"
_DATASET = "paddle_impl.data.pretrain.PretrainDataset"
_SPLIT = "paddle_impl.data.pretrain.split_bounds"
_KEY = "paddle_impl.data.pretrain._order_key"
_LOADER = "paddle_impl.data.loader.PretrainLoader"
_TOKENS = "data_tools.token_file.TokenFile"

_EPOCHS = "-(-(num_samples * seq_length + 1) // tokens_per_epoch)"
_ALONE = "return needed < int(0.80 * per_epoch), before"
_BLOCKS = "before if separate else total"
_START = "(index * self.world_size + self.rank) * self.micro_batch_size"
_MASK = "(inputs != self.eos_token_id)"
_SHAPED_BY = "(bounds, seq_length, seed, len(tokens.ids))"
_STEM = "_{num_samples}ns_{self.seq_length}sl"

BUGS = {
    "one epoch too few at its edge": (
        f"{_INDEX}.num_epochs", _EPOCHS,
        "max(1, -(-(num_samples * seq_length) // tokens_per_epoch))"),
    "one epoch too many": (f"{_INDEX}.num_epochs", _EPOCHS, f"1 + {_EPOCHS}"),
    "each document repeated on the spot": (
        f"{_INDEX}.build_doc_idx", "np.tile(documents, epochs)", "np.repeat(documents, epochs)"),
    "documents shuffled as Megatron does": (
        _BUILD, "doc_idx = build_doc_idx(documents, epochs)",
        "documents = np.random.RandomState(seed).permutation(documents)\n"
        "    doc_idx = build_doc_idx(documents, epochs)"),
    "last epoch never shuffled alone": (_LAST_EPOCH, _ALONE, "return False, before"),
    "last epoch always shuffled alone": (_LAST_EPOCH, _ALONE, "return True, before"),
    "last epoch alone above 80 %": (_LAST_EPOCH, _ALONE, _ALONE.replace("<", ">=")),
    "last epoch alone below 10 %": (_LAST_EPOCH, "0.80", "0.10"),
    "last epoch begins a sample late": (
        _LAST_EPOCH, "((epochs - 1) * tokens_per_epoch - 1) // seq_length",
        "((epochs - 1) * tokens_per_epoch - 1) // seq_length + 1"),
    "last epoch left in order": (_SHUFFLE, "random.shuffle(order[first:])", "pass"),
    "samples not shuffled": (_SHUFFLE, "random.shuffle(order[:first])", "pass"),
    "blocks shuffled in the other order": [
        (_SHUFFLE, "random.shuffle(order[:first])", "random.shuffle(order[first:])"),
        (_SHUFFLE, "if first < total:\n        random.shuffle(order[first:])",
         "random.shuffle(order[:first])")],
    "one more than the seed": (
        _BUILD, "np.random.RandomState(seed)", "np.random.RandomState(seed + 1)"),
    "shuffle by numpy's newer generator": (
        _BUILD, "np.random.RandomState(seed)", "np.random.default_rng(seed)"),
    "windows share no token": [
        (_WALK, "offset += remaining - 1;", "offset += remaining;"), (_WALK, _FITS, _ENDS)],
    "windows share two tokens": (_WALK, "remaining = seq_length + 1;", "remaining = seq_length;"),
    "a document's last token begins no window": (
        _WALK, _FITS, _ENDS.replace(">=", ">")),
    "windows begin a token late": (
        _SAMPLE, "start = start + begin", "start = start + begin + 1"),
    "windows end a token early": (_SAMPLE, "stop = start + end + 1", "stop = start + end"),
    "documents by position, not by number": (
        _SAMPLE, "offsets[doc_idx[position]], offsets[doc_idx[position] + 1]",
        "offsets[position % (len(offsets) - 1)], offsets[position % (len(offsets) - 1) + 1]"),
    "samples in file order": (
        f"{_DATASET}.__getitem__", "int(self.shuffle_idx[index])", "int(index)"),
    "next split's documents": (
        f"{_DATASET}.__init__", "bounds[which], bounds[which + 1]",
        "bounds[which - 1], bounds[which]"),
    "training also on what is held out": (
        f"{_DATASET}.__init__", "bounds[which], bounds[which + 1]", "bounds[which], bounds[-1]"),
    "split shares cut, not rounded": (_SPLIT, "int(round(share * documents))",
                                      "int(share * documents)"),
    "split's excess left to the last": (
        _SPLIT, "[bound - excess for bound in bounds[1:]]", "bounds[1:-1] + [documents]"),
    "index files of another seed": (
        _KEY, _SHAPED_BY, "(bounds, seq_length, len(tokens.ids))"),
    "index files of another number of samples": [
        (f"{_DATASET}._indices", _STEM, "_{self.seq_length}sl"),
        (_KEY, _SHAPED_BY, "(bounds, seq_length, seed)")],
    "index files of another split": (
        f"{_DATASET}._indices", "_gpt_{self.split}_indexmap_", "_gpt_indexmap_"),
    "micro batches of a step repeated": (
        f"{_LOADER}.step", "index * self.accumulation_steps + i", "index + i"),
    "same batch for every micro batch": (
        f"{_LOADER}.step", "self.accumulation_steps + i)", "self.accumulation_steps)"),
    "ranks take every other sample": [
        (f"{_LOADER}.micro_batch", _START,
         "index * self.world_size * self.micro_batch_size + self.rank"),
        (f"{_LOADER}.micro_batch", "self.dataset[start + i]",
         "self.dataset[start + i * self.world_size]")],
    "ranks read the same samples": (f"{_LOADER}.micro_batch", " + self.rank)", ")"),
    "ranks skip no samples": (f"{_LOADER}.micro_batch", "index * self.world_size", "index"),
    "labels are the inputs": (f"{_LOADER}.micro_batch", "samples[:, 1:]", "samples[:, :-1]"),
    "labels two tokens on": (
        f"{_LOADER}.micro_batch", "samples[:, :-1], samples[:, 1:]",
        "samples[:, :-1], np.roll(samples, -1, axis=1)[:, 1:]"),
    "mask by the label": (
        f"{_LOADER}.micro_batch", _MASK, "(labels != self.eos_token_id)"),
    "mask inverted": (f"{_LOADER}.micro_batch", _MASK, "(inputs == self.eos_token_id)"),
    "end tokens not masked": (
        f"{_LOADER}.micro_batch", "if self.eos_token_id is None:", "if True:"),
    "end token 0 taken for none": (
        f"{_LOADER}.micro_batch", "self.eos_token_id is None", "not self.eos_token_id"),
    "evaluation begins at the second batch": (
        f"{_LOADER}.first", "self.micro_batch(index)", "self.micro_batch(index + 1)"),
    "evaluation a batch short": (f"{_LOADER}.first", "min(count, ", "min(count - 1, "),
    "documents begin a token late": (
        f"{_TOKENS}.document_offsets", "return ends[self.docs]", "return ends[self.docs] + 1"),
    "documents are sentences": (
        f"{_TOKENS}.document_offsets", "return ends[self.docs]", "return ends[: len(self.docs)]"),
}

CONTROLS = {
    "shuffle of 64-bit numbers": (
        _SHUFFLE, "np.int64 if total >= np.iinfo(np.uint32).max - 1 else np.uint32", "np.int64"),
    "epochs counted up": (
        f"{_INDEX}.num_epochs", f"return {_EPOCHS}",
        "epochs = 1\n    while (epochs * tokens_per_epoch - 1) // seq_length < num_samples:\n"
        "        epochs += 1\n    return epochs"),
    "documents joined in a row": (
        f"{_INDEX}.build_doc_idx", "np.tile(documents, epochs)",
        "np.concatenate([documents] * epochs)"),
    "walk compares the other way round": (
        _WALK, _FITS, "if (remaining <= available) break;"),
}

MUTANTS = room("data", BUGS, CONTROLS)
