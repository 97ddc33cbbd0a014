"""The flags of create_pretraining_data together, and what they stand for."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass

from data_tools.options import Options, flag, group, require
from data_tools.preparing.flags import (
    FIM_SPM_RATE,
    FIM_TOKENS,
    NEAR_THRESHOLD,
    SEGMENTER,
    SPLIT_BY,
    CleaningOptions,
    FimOptions,
    ReadingOptions,
    RunningOptions,
    TokenizerOptions,
)


@dataclass(frozen=True, kw_only=True)
class RefusedOptions(Options):
    """Flags of PaddleNLP's script whose features do not exist here."""

    model_name: str | None = flag(
        None, "ready-made vocabularies by name; give --tokenizer DIR, or --vocab_file and "
        "--merge_file")
    split_sentences: bool = flag(False, "sentence splitting; for GPT a document is one sentence")
    chinese: bool = flag(
        False, "the marking of Chinese words for whole word masking, which no GPT does")
    cn_whole_word_segment: bool = flag(
        False, "the marking of Chinese words for whole word masking")

    def __post_init__(self):
        for one in self.flags():
            require(one.value(self) == one.default, f"--{one.name}: not built ({one.help})")


@dataclass(frozen=True, kw_only=True)
class PreparingConfig(Options):
    """ValueError, which names the flag, for what makes no sense."""

    reading: ReadingOptions = group(ReadingOptions)
    cleaning: CleaningOptions = group(CleaningOptions)
    tokenizing: TokenizerOptions = group(TokenizerOptions)
    fim: FimOptions = group(FimOptions)
    running: RunningOptions = group(RunningOptions)
    refused: RefusedOptions = group(RefusedOptions)

    def __post_init__(self):
        require(not (self.running.shard and self.cleaning.dedup),
                "--dedup needs the whole corpus in one run, so it does not go with --shard")
        require(self.tokenizing.append_eos or not self.fim.fim_rate,
                "--fim_rate needs the end tokens that --no-append_eos leaves out: they tell where "
                "a middle ends")

    def filled_in(self) -> Namespace:
        """The flags' values by name, with the defaults that depend on other flags.

        suffixes: those of --language too. output_prefix: of the part. shard: (index, count).
        control_tokens: what is added to the tokenizer.
        """
        default_corpus = not self.reading.input_path
        options = self.values(
            include=(), exclude=(), near_threshold=NEAR_THRESHOLD, cn_seg_func=SEGMENTER,
            fim_spm_rate=FIM_SPM_RATE,
            vocab_size=2048 if default_corpus else 50257,
        )
        options.control_tokens = FIM_TOKENS if options.fim_rate else ()
        options.cn_split_dimer = options.cn_split_dimer or SPLIT_BY
        options.default_corpus, options.exclude_dirs = default_corpus, ()
        options.suffixes = self.reading.suffixes_taken()
        options.shard = self.running.part()
        if options.shard:
            options.output_prefix += part_name(*options.shard)
        return options


def part_name(index: int, count: int) -> str:
    """What is put behind the prefix of part `index` of `count`, as the field names shards."""
    return f"-{index:05}-of-{count:05}"
