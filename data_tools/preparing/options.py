"""Flags of create_pretraining_data: what may stand together, and what is not built.

Nothing but the standard library is loaded, so that --help and a mistyped flag answer at once.
"""

from __future__ import annotations

import argparse
import os

from data_tools.corpus import DOC_MODES, MIN_DOC_LENGTH, PYTHON_AND_CPP

DEFAULT_PREFIX = "data_tools/code_python"
DEFAULT_SAMPLE_MB = 16.0
# Flags of PaddleNLP's script that would need something this one does not have.
NOT_BUILT = {
    "model_name": "ready-made vocabularies by name; give --tokenizer DIR, or --vocab_file and "
    "--merge_file",
    "split_sentences": "sentence splitting; for GPT a document is one sentence",
    "chinese": "Chinese word segmentation",
    "cn_whole_word_segment": "Chinese word segmentation",
    "cn_seg_func": "Chinese word segmentation",
    "cn_splited": "Chinese word segmentation",
    "cn_split_dimer": "Chinese word segmentation",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(2, f"error: {message}\n")


def parse_options(argv: list[str] | None = None) -> argparse.Namespace:
    """Checked options; exits with code 2 and one line on stderr when they make no sense."""
    parser = _build_parser()
    options = parser.parse_args(argv)
    problem = _problem(options)
    if problem:
        parser.error(problem)
    options.default_corpus = not options.input_path
    options.exclude_dirs = ()
    options.suffixes = tuple("." + suffix.lstrip(".").lower() for suffix in options.suffixes)
    if options.vocab_size is None:
        options.vocab_size = 2048 if options.default_corpus else 50257
    if options.tokenizer_sample_mb is None:
        options.tokenizer_sample_mb = DEFAULT_SAMPLE_MB
    return options


def _problem(options: argparse.Namespace) -> str | None:
    for flag, what in NOT_BUILT.items():
        if getattr(options, flag) not in (None, False):
            return f"--{flag}: not built ({what})"
    if options.tokenizer_name != "GPTTokenizer":
        return f"--tokenizer_name {options.tokenizer_name}: not built, only GPTTokenizer is"
    if options.data_format != "JSON":
        return f"--data_format {options.data_format}: not built, only JSON (lines) is"
    if bool(options.vocab_file) != bool(options.merge_file):
        return "--vocab_file and --merge_file go together, only one was given"
    if options.vocab_file and options.tokenizer:
        return "--tokenizer and --vocab_file both name a vocabulary, give one of them"
    if options.vocab_file or options.tokenizer:
        for flag in ("vocab_size", "tokenizer_sample_mb"):
            if getattr(options, flag) is not None:
                return f"--{flag} is for training a tokenizer, but one was given to load"
    if (options.doc_mode == "separator") != bool(options.separator):
        return "--doc_mode separator and --separator LINE go together, only one was given"
    return None


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m data_tools.create_pretraining_data",
        description="Turn source files into token files for pretraining.",
        allow_abbrev=False,
    )
    switch = argparse.BooleanOptionalAction

    read = parser.add_argument_group("what to read").add_argument
    read(
        "--input_path",
        nargs="+",
        metavar="PATH",
        help="folders, files, .jsonl, .jsonl.zst, .tar, .tar.gz, .tgz, .zip; without it, the "
        "Python standard library and paddle's C++ headers on this machine",
    )
    read(
        "--suffixes",
        nargs="+",
        default=PYTHON_AND_CPP,
        metavar="S",
        help="files to take from folders and archives (default: Python and C++)",
    )
    read(
        "--json_key",
        default="text",
        help="key of the text in a .jsonl record (default: %(default)s)",
    )
    read(
        "--data_format",
        default="JSON",
        help="format of record files; JSON lines is the only one built",
    )
    read(
        "--doc_mode",
        choices=DOC_MODES,
        default="file",
        help="a document is a whole text, or what stands between its blank lines, or between "
        "its --separator lines (default: %(default)s)",
    )
    read(
        "--separator",
        metavar="LINE",
        help="the line that divides documents, without line end (with = if it starts with -)",
    )
    read(
        "--min_doc_length",
        type=_number(0),
        default=MIN_DOC_LENGTH,
        metavar="CHARS",
        help="shorter documents are skipped (default: %(default)s)",
    )
    read(
        "--shuffle",
        action=switch,
        default=True,
        help="put files in a seeded order, so that a later split by document is one by random "
        "file; an archive or .jsonl keeps its own order inside (default: on)",
    )
    read(
        "--seed",
        type=_number(0),
        default=1234,
        help="for the order of files and the tokenizer's sample (default: %(default)s)",
    )

    token = parser.add_argument_group("tokenizer (trained on the corpus unless given)").add_argument
    token(
        "--tokenizer", metavar="DIR", help="folder with tokenizer.json or vocab.json + merges.txt"
    )
    token("--vocab_file", metavar="FILE", help="vocab.json, together with --merge_file")
    token("--merge_file", metavar="FILE", help="merges.txt, with or without its #version line")
    token(
        "--vocab_size",
        type=_number(257),
        metavar="N",
        help="to train (default: 2048 for the default corpus, else 50257)",
    )
    token(
        "--tokenizer_sample_mb",
        type=_positive,
        metavar="MB",
        help=f"train on whole documents up to this size (default: {DEFAULT_SAMPLE_MB:g})",
    )
    token(
        "--append_eos",
        action=switch,
        default=True,
        help="end each document with <|endoftext|> (default: on)",
    )

    run = parser.add_argument_group("output and running").add_argument
    run(
        "--output_prefix",
        default=DEFAULT_PREFIX,
        metavar="X",
        help="writes X_ids.npy, X_idx.npz, X_meta.json, X_tokenizer/ (default: %(default)s)",
    )
    run(
        "--workers",
        type=_number(1),
        default=os.cpu_count() or 1,
        help="threads that tokenize (default: %(default)s, the cores here)",
    )
    run(
        "--log_interval",
        type=_number(1),
        default=1000,
        metavar="N",
        help="a progress line about every N documents (default: %(default)s)",
    )
    run("--quiet", action="store_true", help="no progress, only warnings and the summary")

    other = parser.add_argument_group("flags of PaddleNLP's script, refused").add_argument
    other("--tokenizer_name", default="GPTTokenizer", help="GPTTokenizer is the only one built")
    for flag, what in NOT_BUILT.items():
        takes_value = flag in ("model_name", "cn_seg_func", "cn_split_dimer")
        other(f"--{flag}", help=what, **({} if takes_value else {"action": "store_true"}))
    return parser


def _number(least: int):
    def parse(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} is less than {least}")
        return number

    parse.__name__ = "whole number"  # argparse says "invalid whole number value"
    return parse


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive size")
    return number


_positive.__name__ = "number"
