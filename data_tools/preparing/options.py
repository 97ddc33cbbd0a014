"""Flags of create_pretraining_data -> checked options: what may stand together, what is refused."""

from __future__ import annotations

import argparse

from data_tools.preparing.flags import DEFAULT_SAMPLE_MB, NOT_BUILT, build_parser
from data_tools.reading.corpus import PYTHON_AND_CPP
from data_tools.reading.languages import suffixes_of

BYTES = "bytes"  # --tokenizer bytes


def parse_options(argv: list[str] | None = None) -> argparse.Namespace:
    """Checked options; exits with code 2 and one line on stderr when they make no sense."""
    parser = build_parser()
    options = parser.parse_args(argv)
    problem = _problem(options)
    if problem:
        parser.error(problem)
    options.default_corpus = not options.input_path
    options.exclude_dirs = ()
    if options.language:
        options.suffixes = suffixes_of(options.language)
    elif options.suffixes:
        options.suffixes = tuple("." + suffix.lstrip(".").lower() for suffix in options.suffixes)
    else:
        options.suffixes = PYTHON_AND_CPP
    if options.vocab_size is None:
        options.vocab_size = 2048 if options.default_corpus else 50257
    if options.tokenizer_sample_mb is None:
        options.tokenizer_sample_mb = DEFAULT_SAMPLE_MB
    if options.near_threshold is None:
        options.near_threshold = 0.85
    options.cn_seg_func = options.cn_seg_func or "jieba"
    options.cn_split_dimer = options.cn_split_dimer or " "
    if options.shard:
        index, count = options.shard
        options.output_prefix += part_name(index, count)
    return options


def part_name(index: int, count: int) -> str:
    """What is put behind the prefix of part `index` of `count`, as the field names shards."""
    return f"-{index:05}-of-{count:05}"


def _problem(options: argparse.Namespace) -> str | None:
    for flag, what in NOT_BUILT.items():
        if getattr(options, flag) not in (None, False):
            return f"--{flag}: not built ({what})"
    if options.data_format != "JSON":
        return f"--data_format {options.data_format}: not built, files are told by their names"
    if options.language and options.suffixes:
        return "--language and --suffixes both choose the files, give one of them"
    if options.near_threshold is not None and options.dedup != "near":
        return "--near_threshold is for --dedup near"
    if options.tokenizer == "":
        return "--tokenizer names nothing: give a folder, a file, or the word bytes"
    if options.shard and options.dedup:
        return "--dedup needs the whole corpus in one run, so it does not go with --shard"
    if (options.doc_mode == "separator") != bool(options.separator):
        return "--doc_mode separator and --separator LINE go together, only one was given"
    return _tokenizer_problem(options)


def _tokenizer_problem(options: argparse.Namespace) -> str | None:
    if bool(options.vocab_file) != bool(options.merge_file):
        return "--vocab_file and --merge_file go together, only one was given"
    if options.vocab_file and options.tokenizer:
        return "--tokenizer and --vocab_file both name a vocabulary, give one of them"
    if options.vocab_file or options.tokenizer:
        for flag in ("vocab_size", "tokenizer_sample_mb"):
            if getattr(options, flag) is not None:
                return f"--{flag} is for training a tokenizer, but one was given to load"
    if options.tokenizer_name == "GPTChineseTokenizer":
        if options.tokenizer in (None, BYTES):
            return "--tokenizer_name GPTChineseTokenizer needs --tokenizer FILE.model"
        if options.cn_split_dimer is not None and not options.cn_splited:
            return "--cn_split_dimer is for --cn_splited"
        if options.cn_splited and options.cn_seg_func:
            return "--cn_splited text is cut already, so --cn_seg_func has nothing to cut"
        return None
    if options.tokenizer_name and (options.tokenizer or "").endswith(".model"):
        return "--tokenizer FILE.model is of --tokenizer_name GPTChineseTokenizer"
    for flag in ("cn_seg_func", "cn_splited", "cn_split_dimer"):
        if getattr(options, flag):
            return f"--{flag} is for --tokenizer_name GPTChineseTokenizer"
    return None
