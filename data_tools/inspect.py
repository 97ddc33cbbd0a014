"""Look into token files, or a file to fine-tune on: `python -m data_tools.inspect PREFIX|FILE`.

Of token files it prints counts and lengths. --document or --sample prints text, --chunks the blocks
that documents are cut into, --tokens the tokens of a text, --verify reads every token and names the
first bad place. --record looks into the records that token files are made from. Of a file of
instructions, preferences or texts with labels it prints what is in it, and what a run would leave
out. --plot draws the lengths.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import args
from data_tools.inspecting.options import InspectConfig
from data_tools.splits import SPLITS

if TYPE_CHECKING:  # numpy and tokenizers are loaded after --help
    from data_tools.inspecting.sample import Piece
    from data_tools.token_files.token_file import TokenFile


def parse(argv: list[str] | None = None) -> InspectConfig:
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and _holds_records(argv[0]):  # a .json that comes first would be taken for flags
        argv = [*argv[1:], "--", argv[0]]
    return args.parse(
        InspectConfig, "python -m data_tools.inspect",
        "Tell what token files hold, decode a part of them, or check all of them; or tell what a "
        "file of instructions, preferences or texts with labels holds.", argv, names_prog=False)


def _holds_records(path: str) -> bool:
    """Whether a .json is a list or has an object a line; a file of flags is one object."""
    try:
        with open(path if path.lower().endswith(".json") else os.devnull, "rb") as file:
            start = file.read(1 << 24).decode("utf-8-sig", "replace").strip()
    except OSError:
        return False
    first, _, more = start.partition("\n")
    return start.startswith("[") or (first.rstrip().endswith("}") and more != "")


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 1 where --verify found a problem or a run would refuse a record of a file, 2
    for what cannot be read (one line).
    """
    options = parse(argv)
    try:
        return glance(options) if options.of_training_data else inspect(options)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ImportError) as error:
        _say(f"error: {' '.join(str(error).split())}")
        return 2


def inspect(options: InspectConfig) -> int:
    """Print or draw what the options ask for; the exit code."""
    from data_tools.inspecting.picture import plot_documents
    from data_tools.inspecting.report import lines, summarize
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
        plot_documents(data, Path(options.plot))
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


def glance(options: InspectConfig) -> int:
    """Print, and draw, what a file of instructions and the like holds; the exit code."""
    from data_tools.classification.reading import Columns
    from data_tools.inspecting import training_data, training_report
    from data_tools.tokenizing.tokenizer import load_tokenizer

    data = training_data.read(options.prefix, Columns(options.text_column, options.label_column))
    sizes = training_data.lengths(
        data, load_tokenizer(options.tokenizer) if options.tokenizer else None)
    found = training_data.summarize(data, sizes, options.seq_length or 1024)
    if options.plot:
        training_report.plot(found, sizes, Path(options.plot))
        _say(f"wrote {options.plot}")
    told = [json.dumps(found)] if options.json else training_report.lines(found, options.tokenizer)
    print("\n".join(told), flush=True)
    return 1 if data.refused else 0


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
