"""The flags of inspect."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_tools.instructions.reading import ENDINGS, format_of
from data_tools.options import Options, flag, require, require_at_least_one, require_not_negative
from data_tools.splits import SPLITS

PLOTS = (".png", ".svg")
_TABLES = (".csv", ".tsv", ".txt")
_PARTS = ("document", "sample", "chunks", "tokens")
_OF_TOKENS = ("_meta.json", "_skipped.jsonl")  # beside X_ids.npy


@dataclass(frozen=True, kw_only=True)
class InspectConfig(Options):
    """ValueError, which names the flag, for what makes no sense."""

    prefix: str = flag(
        help="X of X_ids.npy, one of the files, or their folder; or a file of instructions, "
        "preferences or texts with labels (.json, .jsonl, .parquet, .csv, .tsv); with --record a "
        "file or folder of records", positional=True)
    document: int | None = flag(None, "the exact bytes of this document")
    sample: int | None = flag(None, "the text of this sample (--packing windows)")
    chunks: int | None = flag(
        None, "how many samples of this many tokens a pass has by each --packing of run_pretrain.py"
        ", and the lengths of the blocks of the first documents")
    tokens: str | None = flag(None, "the tokens of this text")
    beside: str | None = flag(
        None, "folder of another tokenizer, whose tokens of --tokens are shown too")
    record: bool = flag(False, "a record drawn by --seed, with all its fields, of .parquet, "
                               ".arrow, .jsonl or .ndjson")
    seq_length: int | None = flag(None, "tokens of a sample; of a file of instructions and the "
                                  "like, --max_seq_length or --context_length of the run "
                                  "(default: 1024)")
    split: str | None = flag(None, "of documents, as for training (default: 949,50,1)")
    part: str | None = flag(None, "of the split (default: train)", choices=SPLITS)
    num_samples: int | None = flag(
        None, "samples the run asks for (index file names say NUMBERns): sample N is then the one "
        "it reads N-th; without it, N counts before shuffling")
    seed: int | None = flag(None, "of the run's shuffle, or of --record (default: 1234)")
    data_order: str | None = flag(
        None, "the run's (default: paddlenlp)", choices=("paddlenlp", "megatron"))
    ids: bool = flag(False, "print ids, not the text they stand for")
    tokenizer: str | None = flag(None, "folder, to decode with (default: PREFIX_tokenizer), or to "
                                 "count the tokens of a file of instructions and the like")
    text_column: str | None = flag(None, "of a file of texts with labels: the name of the text's "
                                   "column or field, or its number from 1 (default: told by names)")
    label_column: str | None = flag(None, "the same of the label")
    verify: bool = flag(False, "read everything, exit code 1 if anything is wrong")
    plot: str | None = flag(None, "draw lengths, and how often each label occurs, into this .png "
                            "or .svg")
    json: bool = flag(False, "one JSON object on stdout")

    def __post_init__(self):
        require_not_negative(self, "document", "sample", "seed")
        require_at_least_one(self, "seq_length", "num_samples", "chunks")
        named = [f"--{name}" for name in (*_PARTS, "record")
                 if getattr(self, name) not in (None, False)]
        require(len(named) < 2,
                f"{' and '.join(named)} both name what to print, give one of them")
        for name in ("verify", "plot", "tokenizer"):
            require(not (self.record and getattr(self, name)), f"--{name} is not for --record")
        require(self.beside is None or self.tokens is not None, "--beside is for --tokens TEXT")
        for name in ("seq_length", "split", "part", "num_samples"):
            both = ((self.chunks is not None and name in ("split", "part"))
                    or (self.of_training_data and name == "seq_length"))
            require(getattr(self, name) is None or self.sample is not None or both,
                    f"--{name} is for --sample N")
        for name in ("seed", "data_order"):
            require(getattr(self, name) is None or self.num_samples is not None
                    or (self.record and name == "seed"),
                    f"--{name} shuffles the samples that --num_samples K asks for, give both")
        require(not self.ids or self.decodes, "--ids is for --document N or --sample N")
        for name in ("text_column", "label_column"):
            require(getattr(self, name) is None or self.of_training_data,
                    f"--{name} is for a file of texts with labels")
        if self.of_training_data:
            for name in (*_PARTS, "verify"):
                require(getattr(self, name) in (None, False),
                        f"--{name} is for token files, and {self.prefix} is none")
            require(self.seq_length is None or self.tokenizer is not None,
                    "--seq_length needs --tokenizer, which counts the tokens")
        require(not self.plot or Path(self.plot).suffix.lower() in PLOTS,
                f"--plot {self.plot}: expected a name that ends in {' or '.join(PLOTS)}")

    @property
    def of_training_data(self) -> bool:
        """Whether the path is a file of instructions and the like, and no token file."""
        return (format_of(self.prefix) in (*ENDINGS, *_TABLES) and not self.record
                and not self.prefix.endswith(_OF_TOKENS))

    @property
    def decodes(self) -> bool:
        return self.document is not None or self.sample is not None

    @property
    def tells(self) -> bool:
        """Whether lines about the data, but not their summary, are asked for."""
        return self.chunks is not None or self.tokens is not None or self.record
