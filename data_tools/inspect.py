"""Look into token files: `python -m data_tools.inspect PREFIX`.

Prints counts and lengths. --document or --sample prints text, --verify reads every token and names
the first bad place, --plot draws the lengths.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from data_tools.preparing.flag_types import Parser, number

if TYPE_CHECKING:  # numpy and tokenizers are loaded after --help
    from data_tools.inspecting.sample import Piece
    from data_tools.token_files.token_file import TokenFile

PLOTS = (".png", ".svg")


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 1 where --verify found a problem, 2 for what cannot be read (one line)."""
    options = parse_options(argv)
    try:
        return inspect(options)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ImportError) as error:
        _say(f"error: {' '.join(str(error).split())}")
        return 2


def parse_options(argv: list[str] | None = None) -> Namespace:
    """Checked options; exits with code 2 and one line on stderr when they make no sense."""
    parser = Parser(
        prog="python -m data_tools.inspect",
        description="Tell what token files hold, decode a part of them, or check all of them.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("prefix", metavar="PREFIX", help="X of X_ids.npy, one of the files, or their folder")
    add("--document", type=number(0), metavar="N", help="the exact bytes of document N")
    add("--sample", type=number(0), metavar="N", help="the text of sample N (--packing windows)")
    add("--seq_length", type=number(1), metavar="L", help="tokens of a sample (default: 1024)")
    add("--split", metavar="A,B,C", help="of documents, as for training (default: 949,50,1)")
    add("--part", choices=("train", "valid", "test"), help="of the split (default: train)")
    add(
        "--num_samples",
        type=number(1),
        metavar="K",
        help="samples the run asks for (index file names say NUMBERns): sample N is then the one "
        "it reads N-th; without it, N counts before shuffling",
    )
    add("--seed", type=number(0), metavar="S", help="of the run's shuffle (default: 1234)")
    add("--data_order", choices=("paddlenlp", "megatron"), help="the run's (default: paddlenlp)")
    add("--ids", action="store_true", help="print ids, not the text they stand for")
    add("--tokenizer", metavar="DIR", help="to decode with (default: PREFIX_tokenizer)")
    add("--verify", action="store_true", help="read everything, exit code 1 if anything is wrong")
    add("--plot", metavar="FILE", help="draw document lengths, as .png or .svg")
    add("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args(argv)
    problem = _problem(options)
    if problem:
        parser.error(problem)
    for flag, default in (("seq_length", 1024), ("split", "949,50,1"), ("part", "train")):
        if getattr(options, flag) is None:
            setattr(options, flag, default)
    options.seed = 1234 if options.seed is None else options.seed
    options.data_order = options.data_order or "paddlenlp"
    return options


def _problem(options: Namespace) -> str | None:
    if options.document is not None and options.sample is not None:
        return "--document and --sample both name what to print, give one of them"
    decodes = options.document is not None or options.sample is not None
    for flag in ("seq_length", "split", "part", "num_samples"):
        if getattr(options, flag) is not None and options.sample is None:
            return f"--{flag} is for --sample N"
    for flag in ("seed", "data_order"):
        if getattr(options, flag) is not None and options.num_samples is None:
            return f"--{flag} shuffles the samples that --num_samples K asks for, give both"
    if options.ids and not decodes:
        return "--ids is for --document N or --sample N"
    if options.plot and Path(options.plot).suffix not in PLOTS:
        return f"--plot {options.plot}: expected a name that ends in {' or '.join(PLOTS)}"
    return None


def inspect(options: Namespace) -> int:
    """Print or draw what the options ask for; the exit code."""
    from data_tools.inspecting.report import lines, plot_lengths, summarize
    from data_tools.token_files.token_file import open_only

    data = open_only(options.prefix)
    decodes = options.document is not None or options.sample is not None
    answer = {} if decodes else summarize(data)
    if decodes:
        answer |= _decode(data, options)
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


def _decode(data: TokenFile, options: Namespace) -> dict:
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
        _say(_spoken(piece, data))
    sys.stdout.flush()
    sys.stdout.buffer.write(" ".join(map(str, answer["ids"])).encode() + b"\n"
                            if text is None else text)  # fmt: skip
    sys.stdout.buffer.flush()
    return answer


def _sample(data: TokenFile, options: Namespace) -> tuple[dict, list[Piece]]:
    from data_tools.inspecting.sample import bounds_of, drawn, window
    from data_tools.splits import SPLITS

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


def _spoken(piece: Piece, data: TokenFile) -> str:
    begin = int(data.document_offsets[piece.document])
    size = int(data.document_offsets[piece.document + 1]) - begin
    return (
        f"document {piece.document}: tokens {piece.first} to {piece.last} of {size} "
        f"({begin + piece.first} to {begin + piece.last} of the file)"
        + (f", epoch {piece.epoch + 1}" if piece.epoch else "")
    )


def _tokenizer(data: TokenFile, options: Namespace):
    from data_tools.tokenizing.tokenizer import load_tokenizer

    folder = options.tokenizer or f"{data.prefix}_tokenizer"
    if not options.tokenizer and not Path(folder).exists():
        raise ValueError(f"no tokenizer beside the data at {folder}: give --tokenizer DIR or --ids")
    return load_tokenizer(folder)


def _verify(data: TokenFile, options: Namespace) -> list[str]:
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
