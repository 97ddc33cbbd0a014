"""Token files to and from other programs' formats.

    python -m data_tools.convert FORM SOURCE TARGET

    from-megatron  to-megatron   X.bin + X.idx of Megatron-LM, Megatron-core, GPT-NeoX, PaddleNLP
    from-nanogpt   to-nanogpt    one file of raw uint16
    from-hf        to-hf         a column input_ids: .parquet, or a folder of save_to_disk (read)
    from-npz                     PaddleNLP's older X_ids.npz, or its pair
    from-jsonl-ids               {"token_ids": [...]} a line

The output has one sentence per document: sentences of a document are joined and empty documents
are dropped, and the command prints how many. Ids are read and written in pieces: memory grows
with the number of documents (28 bytes each), not with the tokens.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import dataclass
from typing import TYPE_CHECKING

import args
from data_tools import VERSION
from data_tools.options import Options, flag, require, require_at_least_one, require_not_negative

if TYPE_CHECKING:  # numpy and tokenizers are loaded after --help
    from data_tools.formats.documents import Source

_IDS = ("tokenizer", "vocab_size", "eos")
# The flags of each form.
READ = {
    "from-megatron": _IDS, "from-nanogpt": (*_IDS, "one_document"), "from-hf": (*_IDS, "column"),
    "from-npz": _IDS, "from-jsonl-ids": (*_IDS, "key"),
}
WRITE = {"to-megatron": ("vocab_size",), "to-nanogpt": ("eos",), "to-hf": ()}


@dataclass(frozen=True, kw_only=True)
class ConvertConfig(Options):
    """ValueError, which names the flag, for what makes no sense."""

    form: str = flag(
        help="whose files become token files (from), or what token files become (to): Megatron's, "
        "nanoGPT's, Hugging Face's data set of ids, PaddleNLP's older file, JSON lines with ids",
        choices=(*READ, *WRITE), positional=True)
    source: str = flag(
        help="X of Megatron's X.bin and X.idx, FILE.bin of raw uint16, a .parquet or a folder of "
        "save_to_disk, X of PaddleNLP's X_ids.npz or of its pair, FILE.jsonl; of to-...: X of "
        "X_ids.npy and X_idx.npz", positional=True)
    target: str = flag(
        help="X of X_ids.npy, X_idx.npz, X_meta.json; of to-megatron: X of X.bin and X.idx; of "
        "to-nanogpt: FILE.bin; of to-hf: FILE.parquet", positional=True)
    tokenizer: str | None = flag(
        None, "from-...: folder of the tokenizer that made the ids; stored beside them, so that "
        "training knows it")
    vocab_size: int | None = flag(
        None, "from-...: of the ids (default: the tokenizer's, else the largest id found and one); "
        "to-megatron: below 65500 gives uint16, else int32 (default: meta's, else the largest id "
        "found and one)")
    eos: int | None = flag(
        None, "from-...: end token (default: the tokenizer's; from-nanogpt: else 50256 if found); "
        "to-nanogpt: end token (default: meta's)")
    one_document: bool = flag(False, "from-nanogpt: do not cut after each end token")
    column: str | None = flag(None, "from-hf: with the ids (default: input_ids)")
    key: str | None = flag(None, "from-jsonl-ids: of the ids (default: token_ids)")

    def __post_init__(self):
        require_at_least_one(self, "vocab_size")
        require_not_negative(self, "eos")
        known = ("form", "source", "target", *(READ | WRITE)[self.form])
        for name in self.given():
            require(name in known, f"--{name} means nothing with {self.form}")
        require(not self.one_document or self.eos is None,
                "--eos and --one_document exclude each other")
        require(self.form != "to-hf" or self.target.lower().endswith(".parquet"),
                f"{self.target}: expected a name that ends in .parquet")


def parse(argv: list[str] | None = None) -> ConvertConfig:
    return args.parse(
        ConvertConfig, "python -m data_tools.convert",
        "Turn other programs' files of token ids into token files, and back.", argv,
        names_prog=False)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 2 for an input that cannot be used (one line), 130 interrupted."""
    options = parse(argv)
    try:
        for line in convert(options):
            print(line)
    except (ValueError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("error: interrupted, nothing was written", file=sys.stderr)
        return 130
    return 0


def convert(config: ConvertConfig) -> list[str]:
    """Convert the files; the lines to print for the user."""
    options = config.values(column="input_ids", key="token_ids")
    return _read(options) if options.form in READ else _write(options)


def _read(options: Namespace) -> list[str]:
    from data_tools.formats.documents import largest_id, write_pair

    tokenizer, eos = _tokenizer(options)
    if options.form == "from-nanogpt":
        source, eos = _nanogpt(options, eos)
    else:
        source = _source(options)
    vocab_size, notes = options.vocab_size, []
    if tokenizer is not None and vocab_size is None:
        vocab_size = tokenizer.vocab_size
    if vocab_size is None:
        vocab_size = max(largest_id(source), eos or 0) + 1
        notes.append(
            f"vocabulary: {vocab_size:,}, by the largest id; --vocab_size or --tokenizer knows it"
        )
    if tokenizer is not None and vocab_size < tokenizer.vocab_size:
        raise ValueError(
            f"--vocab_size {vocab_size} is less than the tokenizer's {tokenizer.vocab_size}"
        )
    if eos is not None and eos >= vocab_size:
        raise ValueError(f"the end token {eos} is outside the vocabulary of {vocab_size}")
    meta = {
        "made_by": f"data_tools {VERSION}",
        "source": {"converted": options.form, "input_path": [options.source]},
    }
    with _progress() as progress:
        written = write_pair(
            source, options.target, vocab_size, tokenizer, eos, meta, progress.update
        )
    kind = "ids.npy,idx.npz,meta.json" + (",tokenizer/" if tokenizer is not None else "")
    return [
        f"documents: {written.documents:,}  tokens: {written.tokens:,}",
        *source.notes,
        *notes,
        f"wrote {options.target}_{{{kind}}}",
    ]


def _tokenizer(options: Namespace) -> tuple[object | None, int | None]:
    """(tokenizer, end token) that the flags name; None where they name none."""
    if options.tokenizer is None:
        return None, options.eos
    from data_tools.tokenizing.any_tokenizer import end_of
    from data_tools.tokenizing.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(options.tokenizer)
    return tokenizer, end_of(tokenizer) if options.eos is None else options.eos


def _nanogpt(options: Namespace, eos: int | None) -> tuple[Source, int | None]:
    """(source, end token). Without --eos and --tokenizer GPT-2's end token, if the file has it."""
    from data_tools.formats.nanogpt import GPT2_EOS, read_nanogpt

    if options.one_document:
        return read_nanogpt(options.source, None), eos
    if eos is not None:
        return read_nanogpt(options.source, eos), eos
    source = read_nanogpt(options.source, GPT2_EOS)
    if len(source.offsets) > 2 or GPT2_EOS in source.ids[-1:]:
        return source, GPT2_EOS
    source.notes.append(f"one document: {GPT2_EOS} is nowhere in it, --eos names another end token")
    return source, None


def _source(options: Namespace) -> Source:
    if options.form == "from-megatron":
        from data_tools.formats.megatron import read_megatron

        return read_megatron(options.source)
    if options.form == "from-hf":
        from data_tools.formats.hugging_face import HuggingFace

        return HuggingFace(options.source, options.column)
    if options.form == "from-jsonl-ids":
        from data_tools.formats.jsonl import JsonLines

        return JsonLines(options.source, options.key)
    from data_tools.formats.documents import Row
    from data_tools.formats.sequences import joined
    from data_tools.token_files.token_file import open_only

    data = open_only(options.source)
    return Row(data.ids, data.document_offsets, joined(data.docs))


def _write(options: Namespace) -> list[str]:
    from data_tools.token_files.token_file import open_only

    data, notes = open_only(options.source), []
    meta, target = data.meta or {}, options.target
    with _progress(len(data.ids)) as progress:
        if options.form == "to-megatron":
            from data_tools.formats.megatron import write_megatron

            vocab_size = options.vocab_size or meta.get("vocab_size")
            if vocab_size is None:
                vocab_size = max(data.id_range()[1], 0) + 1
                notes.append(f"vocabulary: {vocab_size:,}, by the largest id")
            write_megatron(data, target, vocab_size, progress.update)
            target += ".{bin,idx}"
        elif options.form == "to-nanogpt":
            from data_tools.formats.nanogpt import write_nanogpt

            eos = meta.get("eos_token_id") if options.eos is None else options.eos
            notes += write_nanogpt(data, target, eos, progress.update)
        else:
            from data_tools.formats.hugging_face import write_parquet

            write_parquet(data, target, progress.update)
    counts = f"documents: {len(data):,}  tokens: {len(data.ids):,}"
    return [counts, *notes, f"wrote {target}"]


def _progress(tokens: int | None = None):
    from tqdm import tqdm

    # disable=None: a bar only where stderr is a terminal.
    return tqdm(total=tokens, unit="tokens", unit_scale=True, disable=None)


if __name__ == "__main__":
    sys.exit(main())
