"""Flags of run_pretrain.py: PaddleNLP's names and defaults, unless the help says otherwise."""

from dataclasses import dataclass

from paddle_impl.config.data import DataOptions
from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.options import changed, group, require
from paddle_impl.config.run import RunConfig


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(RunConfig):
    """The groups of every training run, the data, and how --test_file's prompts are completed."""

    data: DataOptions = group(DataOptions)
    decoding: DecodingOptions = group(
        DecodingOptions, only=("decode_strategy", "top_k", "top_p", "temperature", "max_dec_len"),
        decode_strategy=changed(help="with --test_file: how tokens are chosen",
                                choices=("sampling", "greedy_search")),
        top_k=changed(help="with --test_file: sample among the k likeliest (0: all)"),
        top_p=changed(help="with --test_file: sample among the likeliest that sum up to p"),
        temperature=changed(help="with --test_file: divides the logits before sampling"),
        max_dec_len=changed(32, "with --test_file: new tokens of a completion at most"),
    )

    def __post_init__(self):
        super().__post_init__()
        for name in self.given():
            require(self.validation.test_file is not None or not hasattr(self.decoding, name),
                    f"--{name} {self.flat()[name]} means nothing without --test_file")
