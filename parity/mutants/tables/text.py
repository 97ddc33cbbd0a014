"""Bugs between text and token files: merges, special tokens, documents and their end tokens."""

from parity.mutants.mutant import room

_TOKENIZER = "data_tools.tokenizing.tokenizer.Tokenizer"
_LEVEL = "data_tools.tokenizing.opening.byte_level"
_FAST = "data_tools.tokenizing.fast_encoder"
_MERGES = "data_tools.tokenizing.bpe_files._read_merges"
_FILL = "data_tools.create_pretraining_data._fill"
_BATCHED = "data_tools.preparing.batches.batched"
_WITH_END = "data_tools.preparing.batches.with_end"
_DOCUMENTS = "data_tools.reading.corpus._documents"
_ITERATE = "data_tools.reading.corpus.iter_documents"
_STREAMS = "data_tools.token_files.streams.TokenStreams"

_TOLD = 'return f"gives other ids for text {i} of {len(texts)} tried, {texts[i][:40]!r}"'
_SPLITTER = "pre_tokenizers.ByteLevel(add_prefix_space=False)"
_BATCH = "self._plain.encode_batch_fast(list(texts), add_special_tokens=False)"

BUGS = {
    "first merge taken for the version line": (
        _MERGES, '1 if lines[0].startswith("#version") else 0', "1"),
    "merges in reverse": (_MERGES, "return merges", "return merges[::-1]"),
    "last merge lost": (
        "data_tools.tokenizing.bpe_files.read_vocab_and_merges", "return vocab, merges, special",
        "return vocab, merges[:-1], special"),
    "a space before the text": [
        (_LEVEL, _SPLITTER, "pre_tokenizers.ByteLevel(add_prefix_space=True)"),
        ("data_tools.tokenizing.lossless.loss", 'step["add_prefix_space"]', "False")],
    "no splitting into words": (
        _LEVEL, _SPLITTER, "pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)"),
    "text normalised": [
        (_LEVEL, "tokenizer.decoder = decoders.ByteLevel()",
         "tokenizer.decoder = decoders.ByteLevel()\n"
         "    tokenizer.normalizer = tokenizers.normalizers.NFKC()"),
        ("data_tools.tokenizing.lossless.loss", 'state["normalizer"] is not None', "False")],
    "end tokens in a document are ends": [
        (f"{_TOKENIZER}.__init__", "self._plain.encode_special_tokens = True", "pass"),
        (f"{_TOKENIZER}._check", "in self._plain.encode(token, add_special_tokens=False).ids",
         "is None")],
    "end tokens in a prompt are text": (
        f"{_TOKENIZER}.encode", "self._prompt if special_tokens else self._plain", "self._plain"),
    "end tokens in any text are ends": (
        f"{_TOKENIZER}.encode_batch", "self._plain.encode_batch_fast",
        "self._prompt.encode_batch_fast"),
    "end tokens in a document are ends to the fast encoder": [
        (f"{_FAST}._by_fastokens", "split_special_tokens=True", "split_special_tokens=False"),
        (f"{_FAST}.FlatEncoder._difference", _TOLD, "pass")],
    "texts stripped for the fast encoder": [
        (f"{_FAST}._by_fastokens", "        texts, add", "        [t.strip() for t in texts], add"),
        (f"{_FAST}.FlatEncoder._difference", _TOLD, "pass")],
    "texts stripped": (
        f"{_TOKENIZER}.encode_batch", "list(texts)", "[text.strip() for text in texts]"),
    "texts in reverse": (f"{_TOKENIZER}.encode_batch", "list(texts)", "list(texts)[::-1]"),
    "end token is the last id but one": (
        f"{_TOKENIZER}.eos_token_id", "return self._vocab[token]", "return self._vocab[token] - 1"),
    "bytes of a shifted alphabet": (
        "data_tools.tokenizing.bpe_files.byte_of_symbol", 'ord("¬") + 1', 'ord("¬")'),
    "decoding drops the last byte": (
        f"{_TOKENIZER}.decode_bytes", 'b"".join(out)', 'b"".join(out)[:-1]'),
    "end tokens decode to text": (
        f"{_TOKENIZER}._token_bytes", "if token in self._special:", "if False:"),
    "saved as a class that is rebuilt": (
        "data_tools.tokenizing.tokenizer_config.write", '"PreTrainedTokenizerFast"',
        '"BertTokenizerFast"'),
    "saved without its end token": (
        f"{_TOKENIZER}.special_tokens_map", 'if token in self._special][:1]', "if False]"),
    "no end token after a document": (_FILL, "if options.append_eos:", "if False:"),
    "end token wanted or not": (_FILL, "if options.append_eos:", "if True:"),
    "end token before a document": [
        (_WITH_END, "ended[start + i : stop + i]", "ended[start + i + 1 : stop + i + 1]"),
        (_WITH_END, "ended[stop + i] = eos", "ended[start + i] = eos")],
    "two end tokens after a document": [
        (_WITH_END, "len(ids) + len(offsets) - 1,", "len(ids) + 2 * len(offsets) - 2,"),
        (_WITH_END, "[start + i : stop + i]", "[start + 2 * i : stop + 2 * i]"),
        (_WITH_END, "ended[stop + i] = eos", "ended[stop + 2 * i : stop + 2 * i + 2] = eos"),
        (_WITH_END, "offsets + np.arange(len(offsets))", "offsets + 2 * np.arange(len(offsets))")],
    "first batch of documents lost": (_FILL, "_chain(first, reading)", "reading"),
    "last document lost": (
        _BATCHED, "return Batch(texts, names,", "return Batch(texts[:-1], names[:-1],"),
    "documents shuffled though told not to": (
        "data_tools.preparing.inputs.find_inputs", "options.seed if options.shuffle else None",
        "options.seed"),
    "documents stripped": (_DOCUMENTS, "yield Document(part_name, part, ",
                           "yield Document(part_name, part.strip(), "),
    "line ends translated": (
        _DOCUMENTS, 'text = data.decode("utf-8")',
        'text = data.decode("utf-8").replace("\\r\\n", "\\n")'),
    "documents read as Latin-1": (_DOCUMENTS, 'data.decode("utf-8")', 'data.decode("latin-1")'),
    "white space at a document's end lost": (
        _DOCUMENTS, "yield Document(part_name, part, ",
        "yield Document(part_name, part.rstrip(' '), "),
    "a document for every paragraph": (
        _ITERATE, "files, doc_mode, separator,", 'files, "blank_line", separator,'),
    "files of the folder alone": (
        "data_tools.reading.tree_walk.walk",
        "levels.append(_below(prefix, folders, choice.exclude))", "pass"),
    "ids in 32 bits": (
        "data_tools.token_files.meta.ids_dtype",
        "np.uint16 if vocab_size < 65535 else np.int32",
        "np.int32"),
    "lengths without the end token": (
        f"{_STREAMS}.append_flat", "self._lens.write(lens.astype(np.int32))",
        "self._lens.write((lens - (ids[offsets[1:] - 1] == ids[-1])).astype(np.int32))"),
    "documents counted from one": (
        f"{_STREAMS}.finish", "np.arange(len(lens) + 1, dtype=np.int64)",
        "np.arange(len(lens) + 1, dtype=np.int64) + 1"),
}

CONTROLS = {
    "texts encoded one by one": (
        f"{_TOKENIZER}.encode_batch", _BATCH,
        "[self._plain.encode(text, add_special_tokens=False) for text in texts]"),
    "end tokens inserted at once": (
        _WITH_END, "return ended,", "return np.insert(ids, offsets[1:], eos),"),
}

MUTANTS = room("text", BUGS, CONTROLS)
