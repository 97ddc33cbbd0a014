"""Bugs between token files and batches: splits, windows, shuffles, shards, masks."""

from parity.mutants.mutant import room

_INDEX = "data_tools.index_helper.index"
_SAMPLE = "data_tools.index_helper._samples.copy_sample"
_LAST_EPOCH = f"{_INDEX}.separate_last_epoch"
_SHUFFLE = f"{_INDEX}.shuffle"
_BLOCKS = f"{_INDEX}.shuffle_blocks"
_BUILD = f"{_INDEX}.build_indices"
_WALK = "data_tools.index_helper._core.walk"
# The loop of `walk`, and one that continues after the last document until all rows are filled. A
# mutant with longer steps needs the second: rows left unfilled would hold random memory.
_FITS = "while (row < rows && first < end) {"
_ENDS = "while (row < rows && (first < end || position + 1 == doc_idx.size)) {"
_DATASET = "paddle_impl.data.pretrain.PretrainDataset"
_SPLIT = "data_tools.splits.split_bounds"
_KEY = "paddle_impl.data.pretrain.order_key"
_FILES = "paddle_impl.data.pretrain.index_arrays"
_LOADER = "paddle_impl.data.loader.PretrainLoader"
_TOKENS = "data_tools.token_files.token_file.TokenFile"
_PACKED = "paddle_impl.data.packed.PackedDataset"
_BLENDED = "paddle_impl.data.blend.BlendedDataset"

_EPOCHS = "-(-(num_samples * seq_length + 1) // tokens_per_epoch)"
_ALONE = "return needed < int(0.80 * per_epoch), before"
_START = "(index * self.world_size + self.rank) * self.micro_batch_size"
_TAKEN = "range(start, start + self.micro_batch_size)"
_MASK = "labels[inputs == self.eos_token_id]"
_SHAPED_BY = "(bounds, seq_length, seed, len(tokens.ids), *more)"
_FILED_BY = "(VERSION, dataset.order_key, dataset.split, num_samples)"
_STEM = "_gpt_{dataset.split}_indexmap_{num_samples}ns"

BUGS = {
    "one epoch too few at its edge": (
        f"{_INDEX}.num_epochs", _EPOCHS,
        "max(1, -(-(num_samples * seq_length) // tokens_per_epoch))"),
    "one epoch too many": (f"{_INDEX}.num_epochs", _EPOCHS, f"1 + {_EPOCHS}"),
    "each document repeated on the spot": (
        f"{_INDEX}.build_doc_idx", "np.tile(documents, epochs)", "np.repeat(documents, epochs)"),
    "documents shuffled as Megatron does": (
        _BUILD, 'if order == "megatron":', "if True:"),
    "last epoch never shuffled alone": (_LAST_EPOCH, _ALONE, "return False, before"),
    "last epoch always shuffled alone": (_LAST_EPOCH, _ALONE, "return True, before"),
    "last epoch alone above 80 %": (_LAST_EPOCH, _ALONE, _ALONE.replace("<", ">=")),
    "last epoch alone below 10 %": (_LAST_EPOCH, "0.80", "0.10"),
    "last epoch begins a sample late": (
        _LAST_EPOCH, "((epochs - 1) * tokens_per_epoch - 1) // seq_length",
        "((epochs - 1) * tokens_per_epoch - 1) // seq_length + 1"),
    "last epoch left in order": (_BLOCKS, "shuffle(row[first:], random)", "pass"),
    "samples not shuffled": (_BLOCKS, "shuffle(row[:first], random)", "pass"),
    "blocks shuffled in the other order": (
        _BLOCKS, "shuffle(row[:first], random)\n    shuffle(row[first:], random)",
        "shuffle(row[first:], random)\n    shuffle(row[:first], random)"),
    "one more than the seed": (
        _BUILD, "np.random.RandomState(seed)", "np.random.RandomState(seed + 1)"),
    "shuffle by numpy's newer generator": (
        _SHUFFLE, "state = random.get_state(legacy=False)",
        "return np.random.default_rng(random.randint(2**31)).shuffle(row)"),
    "windows share no token": [
        (_WALK, "first += seq_length;", "first += seq_length + 1;"),
        (_WALK, "first = seq_length,", "first = seq_length + 1,"), (_WALK, _FITS, _ENDS)],
    "windows share two tokens": [
        (_WALK, "first += seq_length;", "first += seq_length - 1;"),
        (_WALK, "first = seq_length,", "first = seq_length - 1,")],
    "a document's last token begins no window": (
        _WALK, _FITS, _ENDS.replace("first < end", "first + 1 < end")),
    "windows begin a token late": (
        _SAMPLE, "start += begin;", "start += begin + 1;"),
    "windows end a token early": (_SAMPLE, "stop = start + end + 1;", "stop = start + end;"),
    "documents by position, not by number": (
        _SAMPLE, "documents[position]", "position % (offsets.size() - 1)"),
    "samples in file order": (
        f"{_DATASET}.read", "self.shuffle_idx.item(index)", "index"),
    "next split's documents": (
        f"{_DATASET}.__init__", "bounds[which], bounds[which + 1]",
        "bounds[which - 1], bounds[which]"),
    "training also on what is held out": (
        f"{_DATASET}.__init__", "bounds[which], bounds[which + 1]", "bounds[which], bounds[-1]"),
    "split shares cut, not rounded": (_SPLIT, "int(round(share * documents))",
                                      "int(share * documents)"),
    "split's excess left to the last": (
        _SPLIT, "[max(0, bound - excess) for bound in bounds[1:]]",
        "bounds[1:-1] + [documents]"),
    "index files of another seed": (
        _KEY, _SHAPED_BY, _SHAPED_BY.replace("seed, ", "")),
    "index files of another number of samples": [
        (_FILES, _STEM, _STEM.replace("{num_samples}ns", "")),
        (_FILES, _FILED_BY, _FILED_BY.replace(", num_samples", ""))],
    "index files of another split": [
        (_FILES, _STEM, _STEM.replace("{dataset.split}_", "")),
        (_FILES, _FILED_BY, _FILED_BY.replace(" dataset.split,", ""))],
    "micro batches of a step repeated": (
        f"{_LOADER}.step", "index * self.accumulation_steps + i", "index + i"),
    "same batch for every micro batch": (
        f"{_LOADER}.step", "self.accumulation_steps + i)", "self.accumulation_steps)"),
    "ranks take every other sample": [
        (f"{_LOADER}.items", _START,
         "index * self.world_size * self.micro_batch_size + self.rank"),
        (f"{_LOADER}.items", _TAKEN,
         "range(start, start + self.micro_batch_size * self.world_size, self.world_size)")],
    "ranks read the same samples": (f"{_LOADER}.items", " + self.rank)", ")"),
    "ranks skip no samples": (f"{_LOADER}.items", "index * self.world_size", "index"),
    "labels are the inputs": (f"{_LOADER}.micro_batch", "samples[:, 1:]", "samples[:, :-1]"),
    "labels two tokens on": (
        f"{_LOADER}.micro_batch", "samples[:, :-1], samples[:, 1:]",
        "samples[:, :-1], np.roll(samples, -1, axis=1)[:, 1:]"),
    "labels share memory with the inputs": (
        f"{_LOADER}.micro_batch", "samples[:, 1:].copy()", "samples[:, 1:]"),
    "mask by the label": (
        f"{_LOADER}.micro_batch", _MASK, "labels[labels == self.eos_token_id]"),
    "mask inverted": (f"{_LOADER}.micro_batch", _MASK, "labels[inputs != self.eos_token_id]"),
    "end tokens not masked": (
        f"{_LOADER}.micro_batch", "if self.eos_token_id is not None:", "if False:"),
    "end token 0 taken for none": (
        f"{_LOADER}.micro_batch", "self.eos_token_id is not None", "self.eos_token_id"),
    "evaluation begins at the second batch": (
        f"{_LOADER}.first", "self.micro_batch(index)", "self.micro_batch(index + 1)"),
    "evaluation a batch short": (f"{_LOADER}.first", "min(count, ", "min(count - 1, "),
    "documents begin a token late": (
        f"{_TOKENS}.document_offsets", "return ends[self.docs]", "return ends[self.docs] + 1"),
    "documents are sentences": (
        f"{_TOKENS}.document_offsets", "return ends[self.docs]", "return ends[: len(self.docs)]"),
    "Megatron's documents in file order": (_BUILD, 'if order == "megatron":', "if False:"),
    "Megatron's last epoch mixed in": (
        _BUILD, "len(documents) if separate else 0", "0"),
    "Megatron's samples shuffled by a fresh generator": (
        _BUILD, "before if separate else total, total, random",
        "before if separate else total, total, np.random.RandomState(seed)"),
    "padding trained on": (
        f"{_LOADER}.micro_batch", "if min(own) < samples.shape[1]:", "if False:"),
    "first padding trained on": (
        f"{_LOADER}.micro_batch", "np.arange(1, samples.shape[1]) >=",
        "np.arange(1, samples.shape[1]) >"),
    "short tails dropped": (
        f"{_PACKED}.__init__", "seq_length, tail)\n", 'seq_length, "drop")\n'),
    "blocks of the first split": (f"{_PACKED}.__init__", "blocks[:, 0] += first", "pass"),
    "blocks begin a token late": (f"{_PACKED}.read", ".item(document) + start",
                                  ".item(document) + start + 1"),
    "blocks in file order": (
        "paddle_impl.data.packed._shuffled", "shuffle(order[start : start + blocks], random)",
        "pass"),
    "each epoch of blocks as the first": (
        "paddle_impl.data.packed._shuffled", "shuffle(order[start : start + blocks], random)",
        "shuffle(order[start : start + blocks], np.random.RandomState(seed))"),
    "blend's weights the other way round": (
        "paddle_impl.data.blend.split_dataset", "np.array(data.weights)",
        "np.array(data.weights[::-1])"),
    "index files of a blend by other weights": (
        f"{_BLENDED}.__init__", "_digest(VERSION, weights.tolist(), size)",
        "_digest(VERSION, size)"),
    "a blend of equal weights": (
        "paddle_impl.data.blend.split_dataset", "weights[filled], num_samples,",
        "0 * weights[filled] + 0.5, num_samples,"),
    "a blend's datasets in reverse": (
        f"{_BLENDED}.read", "self.datasets[self.dataset_index.item(index)]",
        "self.datasets[-1 - self.dataset_index.item(index)]"),
    "epochs of the dataset that is repeated least": (
        f"{_BLENDED}.epoch", "return max(", "return min("),
    "epochs of a blend by all its samples": (
        f"{_BLENDED}.epoch", "int(samples * weight)", "samples"),
    "blend begins with the first dataset": (
        "data_tools.index_helper._core.blend", "std::max(static_cast<double>(sample), 1.0)",
        "static_cast<double>(sample)"),
    "blend repeats each dataset's first samples": (
        f"{_BLENDED}.read", "self.dataset_sample_index.item(index)",
        "self.dataset_sample_index.item(index) // 2"),
}

CONTROLS = {
    "index files known by their names alone": (
        "paddle_impl.data.index_files._open", "if told[\"key\"] != key:", "if False:"),
    "shuffle of 64-bit numbers": (
        f"{_INDEX}.shuffle_idx",
        "np.int64 if total >= np.iinfo(np.uint32).max - 1 else np.uint32", "np.int64"),
    "epochs counted up": (
        f"{_INDEX}.num_epochs", f"return {_EPOCHS}",
        "epochs = 1\n    while (epochs * tokens_per_epoch - 1) // seq_length < num_samples:\n"
        "        epochs += 1\n    return epochs"),
    "documents joined in a row": (
        f"{_INDEX}.build_doc_idx", "np.tile(documents, epochs)",
        "np.concatenate([documents] * epochs)"),
    "walk compares the other way round": (
        _WALK, _FITS, "while (row < rows && end > first) {"),
}

MUTANTS = room("data", BUGS, CONTROLS)
