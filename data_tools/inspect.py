"""Look into token files: `python -m data_tools.inspect PREFIX`.

Prints counts and lengths. --document or --sample prints text, --chunks the blocks that documents
are cut into, --tokens the tokens of a text, --verify reads every token and names the first bad
place, --plot draws the lengths. --record looks into the records that token files are made from.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import args
from data_tools.options import Options, flag, require, require_at_least_one, require_not_negative
from data_tools.splits import SPLITS

if TYPE_CHECKING:  # numpy and tokenizers are loaded after --help
    from data_tools.inspecting.sample import Piece
    from data_tools.token_files.token_file import TokenFile

PLOTS = (".png", ".svg")


@dataclass(frozen=True, kw_only=True)
class InspectConfig(Options):
    """ValueError, which names the flag, for what makes no sense."""

    prefix: str = flag(help="X of X_ids.npy, one of the files, or their folder; with --record a "
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
    seq_length: int | None = flag(None, "tokens of a sample (default: 1024)")
    split: str | None = flag(None, "of documents, as for training (default: 949,50,1)")
    part: str | None = flag(None, "of the split (default: train)", choices=SPLITS)
    num_samples: int | None = flag(
        None, "samples the run asks for (index file names say NUMBERns): sample N is then the one "
        "it reads N-th; without it, N counts before shuffling")
    seed: int | None = flag(None, "of the run's shuffle, or of --record (default: 1234)")
    data_order: str | None = flag(
        None, "the run's (default: paddlenlp)", choices=("paddlenlp", "megatron"))
    ids: bool = flag(False, "print ids, not the text they stand for")
    tokenizer: str | None = flag(None, "folder, to decode with (default: PREFIX_tokenizer)")
    verify: bool = flag(False, "read everything, exit code 1 if anything is wrong")
    plot: str | None = flag(None, "draw document lengths into this .png or .svg")
    json: bool = flag(False, "one JSON object on stdout")

    def __post_init__(self):
        require_not_negative(self, "document", "sample", "seed")
        require_at_least_one(self, "seq_length", "num_samples", "chunks")
        named = [f"--{name}" for name in ("document", "sample", "chunks", "tokens", "record")
                 if getattr(self, name) not in (None, False)]
        require(len(named) < 2,
                f"{' and '.join(named)} both name what to print, give one of them")
        for name in ("verify", "plot", "tokenizer"):
            require(not (self.record and getattr(self, name)), f"--{name} is not for --record")
        require(self.beside is None or self.tokens is not None, "--beside is for --tokens TEXT")
        for name in ("seq_length", "split", "part", "num_samples"):
            both = self.chunks is not None and name in ("split", "part")
            require(getattr(self, name) is None or self.sample is not None or both,
                    f"--{name} is for --sample N")
        for name in ("seed", "data_order"):
            require(getattr(self, name) is None or self.num_samples is not None
                    or (self.record and name == "seed"),
                    f"--{name} shuffles the samples that --num_samples K asks for, give both")
        require(not self.ids or self.decodes, "--ids is for --document N or --sample N")
        require(not self.plot or Path(self.plot).suffix.lower() in PLOTS,
                f"--plot {self.plot}: expected a name that ends in {' or '.join(PLOTS)}")

    @property
    def decodes(self) -> bool:
        return self.document is not None or self.sample is not None

    @property
    def tells(self) -> bool:
        """Whether lines about the data, but not their summary, are asked for."""
        return self.chunks is not None or self.tokens is not None or self.record


def parse(argv: list[str] | None = None) -> InspectConfig:
    return args.parse(
        InspectConfig, "python -m data_tools.inspect",
        "Tell what token files hold, decode a part of them, or check all of them.", argv,
        names_prog=False)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 1 where --verify found a problem, 2 for what cannot be read (one line)."""
    options = parse(argv)
    try:
        return inspect(options)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ImportError) as error:
        _say(f"error: {' '.join(str(error).split())}")
        return 2


def inspect(options: InspectConfig) -> int:
    """Print or draw what the options ask for; the exit code."""
    from data_tools.inspecting.report import lines, plot_lengths, summarize
    from data_tools.token_files.token_file import open_only

    data = None if options.record else open_only(options.prefix)
    answer = {} if options.decodes or options.tells else summarize(data)
    if options.decodes:
        answer |= _decode(data, options)
    elif options.tells:
        answer, told = _told(data, options)
        if not options.json:
            print("\n".join(told), flush=True)
    elif not options.json:
        print("\n".join(lines(answer)), flush=True)
    if options.plot:
        plot_lengths(data, Path(options.plot))
        _say(f"wrote {options.plot}")
    if options.verify:
        answer["problems"] = _verify(data, options)
        for problem in answer["problems"]:
            _say(f"problem: {problem}")
        if not answer["problems"]:
            _say(f"verified: all {len(data.ids):,} tokens of {data.prefix}")
    if options.json:
        print(json.dumps(answer))
    return 1 if answer.get("problems") else 0


def _told(data: TokenFile | None, options: InspectConfig) -> tuple[dict, list[str]]:
    """What --record, --chunks or --tokens ask for, for --json and as lines."""
    from data_tools.inspecting import chunks, records, tokens

    if options.record:
        place, record = records.drawn_record(
            options.prefix, 1234 if options.seed is None else options.seed)
        return record, records.lines(place, record)
    if options.chunks is not None:
        found = chunks.chunks(data, options.chunks, options.split or "949,50,1",
                              options.part or "train")
        return found, chunks.lines(found, options.chunks)
    folders = [options.beside] if options.beside else []
    found = [tokens.tokens_of(folder, options.tokens)
             for folder in (*folders, _tokenizer_folder(data, options))]
    return {"tokens": found}, [line for one in found for line in tokens.lines(one)]


def _decode(data: TokenFile, options: InspectConfig) -> dict:
    """Print the document or sample; for --json, return it with the places it comes from."""
    from data_tools.inspecting.sample import Piece, ids_of

    if options.document is not None:
        length = len(data.document(options.document))
        # Counted to length - 1; an empty document has no piece to show.
        pieces = [Piece(options.document, 0, length - 1, 0)] if length else []
        answer = {"document": options.document}
        ids = data.document(options.document)
    else:
        answer, pieces = _sample(data, options)
        ids = ids_of(data, pieces)
    answer |= {"ids": ids.tolist(), "pieces": [vars(piece) for piece in pieces]}
    text = None if options.ids else _tokenizer(data, options).decode_bytes(ids.tolist())
    if options.json:
        # Exact bytes need not be UTF-8; the ids are there for those who need them.
        return answer | ({} if text is None else {"text": text.decode("utf-8", "replace")})
    for piece in pieces:
        _say(piece.place(data))
    sys.stdout.flush()
    sys.stdout.buffer.write(" ".join(map(str, answer["ids"])).encode() + b"\n"
                            if text is None else text)  # fmt: skip
    sys.stdout.buffer.flush()
    return answer


def _sample(data: TokenFile, config: InspectConfig) -> tuple[dict, list[Piece]]:
    from data_tools.inspecting.sample import bounds_of, drawn, window

    options = config.values(seq_length=1024, split="949,50,1", part="train", seed=1234,
                            data_order="paddlenlp")
    bounds, part = bounds_of(options.split, len(data)), SPLITS.index(options.part)
    documents, i = (bounds[part], bounds[part + 1]), options.sample
    if options.num_samples is None:
        pieces = window(data, documents, i, options.seq_length)
    else:
        i, pieces = drawn(
            data, documents, i, options.seq_length, options.num_samples, options.seed,
            options.data_order,
        )  # fmt: skip
    answer = {"sample": options.sample, "before_shuffling": i, "part": options.part}
    if not options.json:
        _say(
            f"sample {options.sample} of {options.part} (documents {documents[0]} to "
            f"{documents[1] - 1}), number {i} before shuffling, {options.seq_length} + 1 tokens:"
        )
    return answer, pieces


def _tokenizer(data: TokenFile, options: InspectConfig):
    from data_tools.tokenizing.tokenizer import load_tokenizer

    return load_tokenizer(_tokenizer_folder(data, options))


def _tokenizer_folder(data: TokenFile, options: InspectConfig) -> str:
    folder = options.tokenizer or f"{data.prefix}_tokenizer"
    if not options.tokenizer and not Path(folder).exists():
        raise ValueError(f"no tokenizer beside the data at {folder}: give --tokenizer DIR or --ids")
    return folder


def _verify(data: TokenFile, options: InspectConfig) -> list[str]:
    from tqdm import tqdm

    vocab_size, problems = None, []
    if options.tokenizer or Path(f"{data.prefix}_tokenizer").exists():
        tokenizer = _tokenizer(data, options)
        vocab_size = tokenizer.vocab_size
        made_with = (data.meta or {}).get("tokenizer_fingerprint")
        if made_with not in (None, tokenizer.fingerprint()):
            problems.append(
                f"the tokenizer has fingerprint {tokenizer.fingerprint()[:12]}, the ids were made "
                f"with {made_with[:12]}: the same ids mean other text"
            )
    # disable=None: a bar only where stderr is a terminal.
    with tqdm(total=data.ids.nbytes, unit="B", unit_scale=True, disable=None) as bar:
        return problems + data.verify(vocab_size, bar.update)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
