"""Bugs on the way from text to token files: merges, special tokens, documents and their ends."""

from parity.mutants.mutant import room

_TOKENIZER = "data_tools.tokenizer.Tokenizer"
_LEVEL = "data_tools.tokenizer._byte_level"
_MERGES = "data_tools.bpe_files._read_merges"
_CREATE = "data_tools.create_pretraining_data.create"
_DOCUMENTS = "data_tools.corpus._documents"
_ITERATE = "data_tools.corpus.iter_documents"
_WRITER = "data_tools.token_file_writer.TokenFileWriter"

_SPLITTER = "pre_tokenizers.ByteLevel(add_prefix_space=False)"
_BATCH = "self._plain.encode_batch_fast(list(texts), add_special_tokens=False)"
_END = "np.append(ids, end)"

BUGS = {
    "first merge taken for the version line": (
        _MERGES, '1 if lines[0].startswith("#version") else 0', "1"),
    "merges in reverse": (_MERGES, "return merges", "return merges[::-1]"),
    "last merge lost": (
        "data_tools.bpe_files.read_vocab_and_merges", "return vocab, merges, special",
        "return vocab, merges[:-1], special"),
    "a space before the text": [
        (_LEVEL, _SPLITTER, "pre_tokenizers.ByteLevel(add_prefix_space=True)"),
        ("data_tools.tokenizer._loss", 'step["add_prefix_space"]', "False")],
    "no splitting into words": (
        _LEVEL, _SPLITTER, "pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)"),
    "text normalised": [
        (_LEVEL, "tokenizer.decoder = decoders.ByteLevel()",
         "tokenizer.decoder = decoders.ByteLevel()\n"
         "    tokenizer.normalizer = tokenizers.normalizers.NFKC()"),
        ("data_tools.tokenizer._loss", 'state["normalizer"] is not None', "False")],
    "end tokens in a document are ends": [
        (f"{_TOKENIZER}.__init__", "self._plain.encode_special_tokens = True", "pass"),
        (f"{_TOKENIZER}._check", "in self._plain.encode(token, add_special_tokens=False).ids",
         "is None")],
    "end tokens in a prompt are text": (
        f"{_TOKENIZER}.encode", "self._prompt if special_tokens else self._plain", "self._plain"),
    "end tokens in any text are ends": (
        f"{_TOKENIZER}.encode_batch", "self._plain.encode_batch_fast",
        "self._prompt.encode_batch_fast"),
    "texts stripped": (
        f"{_TOKENIZER}.encode_batch", "list(texts)", "[text.strip() for text in texts]"),
    "texts in reverse": (f"{_TOKENIZER}.encode_batch", "list(texts)", "list(texts)[::-1]"),
    "end token is the last id but one": (
        f"{_TOKENIZER}.eos_token_id", "return self._vocab[token]", "return self._vocab[token] - 1"),
    "bytes of a shifted alphabet": (
        "data_tools.bpe_files.byte_of_symbol", 'ord("¬") + 1', 'ord("¬")'),
    "decoding drops the last byte": (
        f"{_TOKENIZER}.decode_bytes", 'b"".join(out)', 'b"".join(out)[:-1]'),
    "end tokens decode to text": (
        f"{_TOKENIZER}._token_bytes", "if token in self._special:", "if False:"),
    "saved as a class that is rebuilt": (
        f"{_TOKENIZER}.save", '"PreTrainedTokenizerFast"', '"BertTokenizerFast"'),
    "saved without its end token": (
        f"{_TOKENIZER}.save", 'if token in self._special][:1]', "if False]"),
    "no end token after a document": (_CREATE, "if options.append_eos else []", "if False else []"),
    "end token wanted or not": (_CREATE, "[eos] if options.append_eos else []", "[eos]"),
    "end token before a document": (_CREATE, _END, "np.append(end, ids)"),
    "two end tokens after a document": (_CREATE, _END, "np.append(np.append(ids, end), end)"),
    "first batch of documents lost": (_CREATE, "itertools.chain([first], batches)", "batches"),
    "last document lost": (
        "data_tools.create_pretraining_data._batches", "if batch:\n        yield batch",
        "if batch:\n        yield batch[:-1]"),
    "documents shuffled though told not to": (
        "data_tools.create_pretraining_data._documents", "options.seed if shuffle else None",
        "options.seed"),
    "documents stripped": (_DOCUMENTS, "yield Document(part_name, part)",
                           "yield Document(part_name, part.strip())"),
    "line ends translated": (
        _DOCUMENTS, 'text = data.decode("utf-8")',
        'text = data.decode("utf-8").replace("\\r\\n", "\\n")'),
    "documents read as Latin-1": (_DOCUMENTS, 'data.decode("utf-8")', 'data.decode("latin-1")'),
    "white space at a document's end lost": (
        _DOCUMENTS, "yield Document(part_name, part)",
        "yield Document(part_name, part.rstrip(' '))"),
    "a document for every paragraph": (
        _ITERATE, "_documents(files, suffixes, doc_mode,",
        '_documents(files, suffixes, "blank_line",'),
    "files of the folder alone": (
        _ITERATE, "files = find_files(paths, suffixes, exclude_dirs)",
        "files = [f for f in find_files(paths, suffixes, exclude_dirs) if '/sub/' not in f]"),
    "ids in 32 bits": (
        "data_tools.token_file.ids_dtype", "np.uint16 if vocab_size < 65535 else np.int32",
        "np.int32"),
    "lengths without the end token": (
        f"{_WRITER}.append", "self._lens.append(len(ids))",
        "self._lens.append(len(ids) - (ids[-1] == self.vocab_size - 1))"),
    "documents counted from one": (
        f"{_WRITER}._finish", "np.arange(len(self._lens) + 1, dtype=np.int64)",
        "np.arange(len(self._lens) + 1, dtype=np.int64) + 1"),
}

CONTROLS = {
    "texts encoded one by one": (
        f"{_TOKENIZER}.encode_batch", _BATCH,
        "[self._plain.encode(text, add_special_tokens=False) for text in texts]"),
    "end token joined by concatenate": (_CREATE, _END, "np.concatenate([ids, end])"),
}

MUTANTS = room("text", BUGS, CONTROLS)
