"""Join the parts made with --shard into the files that one machine would have written.

    python -m data_tools.merge X                   joins X-00000-of-0000N, X-00001-of-0000N, ...
    python -m data_tools.merge X --datasets A B    joins A and B, and tells the --split that keeps
                                                   them apart as training and validation data
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import args
from data_tools.json_fields import ANYTHING, MOST, NAME, Field, read_object, whole
from data_tools.options import Options, flag, require
from data_tools.splits import SPLITS

if TYPE_CHECKING:  # numpy and tokenizers are loaded after --help
    from data_tools.token_files.token_file import TokenFile
    from data_tools.token_files.writer import TokenFileWriter

CHUNK_TOKENS = 1 << 24
# What must be the same in every part, and is the same in the whole.
SHARED = ("vocab_size", "tokenizer_fingerprint", "made_by", "eos_token_id", "append_eos", "seed",
          "shuffled")
# The same for datasets of one tokenizer.
ALIKE = ("vocab_size", "tokenizer_fingerprint", "eos_token_id", "append_eos")
# What every part must tell.
PART = dict.fromkeys(SHARED, ANYTHING) | {
    "utf8_bytes": whole(0, MOST), "tokenizer": NAME,
    "source": Field("an object that counts what was skipped", lambda value: isinstance(value, dict)
                   and isinstance(skipped := value.get("skipped"), dict)
                   and all(map(whole(0, MOST).holds, skipped.values()))),
}


@dataclass(frozen=True, kw_only=True)
class MergeConfig(Options):
    prefix: str = flag(help="the --output_prefix that every part was given; with --datasets that "
                            "of the files to write", positional=True)
    datasets: list[str] | None = flag(
        None, "join these instead, X of X_ids.npy: data for training, validation and perhaps test, "
        "made with one tokenizer; tells the --split of run_pretrain.py that keeps them apart")

    def __post_init__(self):
        names = self.datasets
        require(names is None or len(names) in (2, 3), "--datasets are for training, validation "
                f"and perhaps test: expected two or three, got {len(names or ())}")
        require(os.path.realpath(self.prefix) not in map(os.path.realpath, names or ()),
                f"{self.prefix} is one of --datasets: name the joined files otherwise")


def parse(argv: list[str] | None = None) -> MergeConfig:
    return args.parse(
        MergeConfig, "python -m data_tools.merge",
        "Join the parts that create_pretraining_data --shard I/N made, or --datasets.", argv,
        names_prog=False)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, or 2 with one line on stderr."""
    options = parse(argv)
    try:
        documents, tokens = merge(options.prefix, options.datasets)
    except (ValueError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(f"documents: {sum(documents):,}  tokens: {tokens:,}")
    print(f"wrote {options.prefix}_{{ids.npy,idx.npz,meta.json,tokenizer/}}; the parts can go")
    if options.datasets:
        split = ",".join(map(str, [*documents, 0][:len(SPLITS)]))
        print(f"--split {split} keeps them apart as {', '.join(SPLITS)}")
    return 0


def merge(prefix: str, datasets: list[str] | None = None) -> tuple[list[int], int]:
    """Join the parts of `prefix`, or `datasets`: (documents of each, tokens of all).

    ValueError where a part is missing, or where one does not fit the others.
    """
    from data_tools.token_files.writer import TokenFileWriter
    from data_tools.tokenizing.tokenizer import load_tokenizer

    parts = _open_datasets(datasets) if datasets else _open_parts(prefix)
    first = parts[0].meta
    tokenizer = load_tokenizer(_beside(parts[0], first["tokenizer"]))
    with TokenFileWriter(prefix, first["vocab_size"], tokenizer) as writer:
        for part in parts:
            _copy(part, writer)
        writer.meta = _joined_meta(parts) if datasets else _merged_meta(parts)
        if _join_logs(parts, writer.folder / "skipped.jsonl"):
            writer.meta["skipped_log"] = os.path.basename(prefix) + "_skipped.jsonl"
    return [*map(len, parts)], writer.tokens


def _open_datasets(prefixes: list[str]) -> list[TokenFile]:
    """ValueError where one was made with another tokenizer or other end tokens than the first."""
    from data_tools.token_files.token_file import open_only

    datasets = [open_only(prefix) for prefix in prefixes]
    for data in datasets:
        read_object(Path(f"{data.prefix}_meta.json"), PART, PART)
        for key in ALIKE:
            if data.meta[key] != datasets[0].meta[key]:
                raise ValueError(
                    f"{data.prefix} has another {key} than {datasets[0].prefix}: make it again "
                    f"with --tokenizer {datasets[0].prefix}_tokenizer and the same end tokens")
    return datasets


def _open_parts(prefix: str) -> list[TokenFile]:
    """ValueError where a part is missing or does not fit."""
    from data_tools.token_files.token_file import TokenFile

    names = set(glob.glob(f"{glob.escape(prefix)}-[0-9]*-of-[0-9]*_meta.json"))
    if not names:
        raise ValueError(f"no parts {prefix}-00000-of-..., as --shard I/N makes them")
    counts = {int(re.search(r"-of-(\d+)_meta\.json$", name).group(1)) for name in names}
    if len(counts) > 1:
        raise ValueError(f"{prefix} has parts of {sorted(counts)}: remove those that do not belong")
    count = counts.pop()
    for i in range(count):
        if f"{prefix}-{i:05}-of-{count:05}_meta.json" not in names:
            raise ValueError(f"{prefix} lacks part {i} of {count} (--shard {i}/{count})")
    parts = [TokenFile.open(f"{prefix}-{i:05}-of-{count:05}") for i in range(count)]
    for i, part in enumerate(parts):
        if (part.meta or {}).get("shard") != [i, count]:
            raise ValueError(f"{part.prefix} was not made with --shard {i}/{count}")
        read_object(Path(f"{part.prefix}_meta.json"), PART, PART)
        for key, ours, its in (
            *((key, parts[0].meta[key], part.meta.get(key)) for key in SHARED),
            *((key, parts[0].meta["source"][key], part.meta["source"].get(key))
              for key in parts[0].meta["source"] if key != "skipped"),
        ):
            if ours != its:
                raise ValueError(f"{part.prefix} has another {key} than part 0 ({its!r}, not "
                                 f"{ours!r}): all parts come from one corpus and one set of flags")
    return parts


def _copy(part: TokenFile, writer: TokenFileWriter) -> None:
    """Append all documents of a part, some at a time."""
    import numpy as np

    offsets = part.document_offsets
    first = 0
    while first < len(part):
        last = int(np.searchsorted(offsets, offsets[first] + CHUNK_TOKENS, side="right")) - 1
        last = max(first + 1, last)
        chunk = offsets[first : last + 1]
        writer.append_flat(part.ids[chunk[0] : chunk[-1]], chunk - chunk[0])
        first = last


def _joined_meta(datasets: list[TokenFile]) -> dict:
    first = datasets[0].meta
    return {key: first[key] for key in ("made_by", "eos_token_id", "append_eos")} | {
        "utf8_bytes": sum(data.meta["utf8_bytes"] for data in datasets),
        "source": {"datasets": [{"prefix": data.prefix, "documents": len(data)} | {
            key: data.meta[key] for key in ("seed", "shuffled", "source") if key in data.meta}
            for data in datasets]},
    }


def _merged_meta(parts: list[TokenFile]) -> dict:
    skipped: dict[str, int] = {}
    for part in parts:
        for reason, count in part.meta["source"]["skipped"].items():
            skipped[reason] = skipped.get(reason, 0) + count
    own = ("format_version", "vocab_size", "documents", "tokens", "ids_sha256", "tokenizer",
           "tokenizer_fingerprint", "shard", "skipped_log")
    meta = {key: value for key, value in parts[0].meta.items() if key not in own}
    meta["utf8_bytes"] = sum(part.meta["utf8_bytes"] for part in parts)
    meta["source"] = meta["source"] | {"skipped": dict(sorted(skipped.items()))}
    return meta


def _join_logs(parts: list[TokenFile], path: Path) -> bool:
    logs = [_beside(part, part.meta["skipped_log"]) for part in parts
            if "skipped_log" in part.meta]
    if logs:
        with open(path, "wb") as whole:
            for log in logs:
                with open(log, "rb") as one:
                    shutil.copyfileobj(one, whole)
    return bool(logs)


def _beside(part: TokenFile, name: str) -> Path:
    return Path(part.prefix).parent / os.path.basename(name)


if __name__ == "__main__":
    sys.exit(main())
