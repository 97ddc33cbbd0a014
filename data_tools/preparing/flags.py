"""Every flag of create_pretraining_data, with its help; options.py checks the given values.

Only the standard library and constants of reading/ are imported, so that --help answers at once.
"""

from __future__ import annotations

import argparse
import os

from data_tools.preparing import flag_types as kind
from data_tools.reading.corpus import DOC_MODES, MIN_DOC_LENGTH
from data_tools.reading.languages import SUFFIXES_OF_LANGUAGE

DEFAULT_PREFIX = "data_tools/code_python"
DEFAULT_SAMPLE_MB = 16.0
CHECKPOINT_MB = 256.0
# Flags of PaddleNLP's script whose features do not exist here.
NOT_BUILT = {
    "model_name": "ready-made vocabularies by name; give --tokenizer DIR, or --vocab_file and "
    "--merge_file",
    "split_sentences": "sentence splitting; for GPT a document is one sentence",
    "chinese": "the marking of Chinese words for whole word masking, which no GPT does",
    "cn_whole_word_segment": "the marking of Chinese words for whole word masking",
}


def build_parser() -> kind.Parser:
    parser = kind.Parser(
        prog="python -m data_tools.create_pretraining_data",
        description="Turn source files into token files for pretraining. A run that was stopped, "
        "started again with the same flags, continues.",
        allow_abbrev=False,
    )
    _reading(parser.add_argument_group("what to read").add_argument)
    _cleaning(parser.add_argument_group("what to leave out (all off by default)").add_argument)
    _tokenizing(
        parser.add_argument_group("tokenizer (trained on the corpus unless given)").add_argument
    )
    _running(parser.add_argument_group("output and running").add_argument)
    other = parser.add_argument_group("flags of PaddleNLP's script, refused").add_argument
    for flag, what in NOT_BUILT.items():
        other(f"--{flag}", help=what, **({} if flag == "model_name" else {"action": "store_true"}))
    return parser


def _reading(add) -> None:
    add(
        "--input_path",
        nargs="+",
        metavar="PATH",
        help="folders, files, .jsonl, .json.gz, .jsonl.zst, .tar, .tar.gz, .tgz, .tar.zst, .zip, "
        ".parquet, .arrow, a folder of datasets' save_to_disk; without it, the Python standard "
        "library and paddle's C++ headers on this machine",
    )
    add(
        "--language",
        nargs="+",
        choices=sorted(SUFFIXES_OF_LANGUAGE),
        metavar="L",
        help="files to take from folders and archives, by language (default: python cpp): "
        + " ".join(sorted(SUFFIXES_OF_LANGUAGE)),
    )
    add("--suffixes", nargs="+", metavar="S", help="the same by suffix, instead of --language")
    add(
        "--include",
        nargs="+",
        default=(),
        metavar="GLOB",
        help="take only files whose path inside the folder matches (* stays within a folder, **/ "
        "crosses them, as in **/test_*.py)",
    )
    add(
        "--exclude",
        nargs="+",
        default=(),
        metavar="GLOB",
        help="leave out files whose path matches; wins over --include",
    )
    add(
        "--json_key",
        default="text",
        help="key or column of the text in a record (default: %(default)s; CodeParrot: content)",
    )
    add("--data_format", default="JSON", help="PaddleNLP's; a file's name tells its format")
    add(
        "--doc_mode",
        choices=DOC_MODES,
        default="file",
        help="a document is a whole text, or what stands between its blank lines, or between "
        "its --separator lines (default: %(default)s)",
    )
    add(
        "--separator",
        metavar="LINE",
        help="the line that divides documents, without line end (with = if it starts with -)",
    )
    add(
        "--min_doc_length",
        type=kind.number(0),
        default=MIN_DOC_LENGTH,
        metavar="CHARS",
        help="shorter documents are skipped (default: %(default)s)",
    )
    add("--strict", action="store_true", help="stop at the first text that cannot be read")
    add(
        "--shuffle",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="put files in a seeded order, so that a later split by document is one by random "
        "file; an archive or .jsonl keeps its own order inside (default: on)",
    )
    add(
        "--seed",
        type=kind.number(0),
        default=1234,
        help="for the order of files, the tokenizer's sample and the draws of the filters "
        "(default: %(default)s)",
    )


def _cleaning(add) -> None:
    add(
        "--dedup",
        choices=("exact", "near"),
        help="keep the first of documents that are equal but for white space at their ends; near: "
        "also of those of similar words (MinHash; pip install rensa==0.5.0; 2 GB for 4 million)",
    )
    add(
        "--near_threshold",
        type=kind.similarity,
        metavar="J",
        help="Jaccard similarity of the words from which two documents are near duplicates "
        "(default: 0.85)",
    )
    add(
        "--max_line_length",
        type=kind.number(1),
        metavar="CHARS",
        help="leave out documents with a longer line (CodeParrot: 1000)",
    )
    add(
        "--max_mean_line_length",
        type=kind.positive,
        metavar="CHARS",
        help="leave out documents whose lines are longer on average (CodeParrot: 100)",
    )
    add(
        "--min_alphanumeric",
        type=kind.share,
        metavar="SHARE",
        help="leave out documents with a smaller share of letters and digits (CodeParrot: 0.25)",
    )
    add(
        "--drop_autogenerated",
        action="store_true",
        help="leave out documents that say auto-generated, autogenerated or automatically "
        "generated in their first five lines",
    )
    add(
        "--drop_low_information",
        type=kind.share,
        metavar="P",
        help="for Python: leave out files with at most 4 '=' and, with this probability, those "
        "that look like configuration or tests or have no def, class, for or while; the same text "
        "always has the same fate (CodeParrot: 0.7)",
    )
    add(
        "--min_chars_per_token",
        type=kind.positive,
        metavar="R",
        help="leave out documents with fewer characters per token (CodeParrot: 1.5)",
    )


def _tokenizing(add) -> None:
    add(
        "--tokenizer",
        metavar="DIR",
        help="folder with tokenizer.json or vocab.json + merges.txt, a SentencePiece .model, or "
        "the word bytes: one token for each byte",
    )
    add("--vocab_file", metavar="FILE", help="vocab.json, together with --merge_file")
    add("--merge_file", metavar="FILE", help="merges.txt, with or without its #version line")
    add(
        "--tokenizer_name",
        choices=("GPTTokenizer", "GPTChineseTokenizer"),
        help="PaddleNLP's name of the kind; GPTChineseTokenizer reads the .model of --tokenizer",
    )
    add(
        "--cn_seg_func",
        choices=("jieba", "lac"),
        help="what cuts Chinese text into words (default: jieba)",
    )
    add("--cn_splited", action="store_true", help="Chinese text is cut into words already")
    add("--cn_split_dimer", help="what stands between those words (default: a space)")
    add(
        "--vocab_size",
        type=kind.number(257),
        metavar="N",
        help="to train (default: 2048 for the default corpus, else 50257)",
    )
    add(
        "--tokenizer_sample_mb",
        type=kind.positive,
        metavar="MB",
        help=f"train on whole documents up to this size (default: {DEFAULT_SAMPLE_MB:g})",
    )
    add(
        "--append_eos",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="end each document with the end token (default: on)",
    )


def _running(add) -> None:
    add(
        "--output_prefix",
        default=DEFAULT_PREFIX,
        metavar="X",
        help="writes X_ids.npy, X_idx.npz, X_meta.json, X_tokenizer/, and X_skipped.jsonl with "
        "the name of each text left out (default: %(default)s)",
    )
    add(
        "--shard",
        type=kind.shard,
        metavar="I/N",
        help="prepare part I of N (0/4 to 3/4), on any machine, as X-0000I-of-0000N; "
        "python -m data_tools.merge X joins them",
    )
    add(
        "--workers",
        type=kind.number(1),
        default=os.cpu_count() or 1,
        help="threads that tokenize (default: %(default)s, the cores here)",
    )
    add(
        "--checkpoint_mb",
        type=kind.positive,
        default=CHECKPOINT_MB,
        metavar="MB",
        help="text between the points from which a stopped run continues (default: %(default)g)",
    )
    add(
        "--log_interval",
        type=kind.number(1),
        default=1000,
        metavar="N",
        help="a progress line about every N documents (default: %(default)s)",
    )
    add("--quiet", action="store_true", help="no progress, only warnings and the summary")
    add("--summary_json", metavar="FILE", help="the summary's numbers, for programs")
