"""How documents are cut into samples: counts by what is done with a document's short tail."""

from __future__ import annotations

from data_tools.inspecting.sample import bounds_of
from data_tools.packing import chunk_table
from data_tools.splits import SPLITS
from data_tools.token_files.token_file import TokenFile

SHOWN = 3  # documents whose blocks are listed
_PRINTED = 16  # blocks that are printed


def chunks(data: TokenFile, length: int, split: str, part: str) -> dict:
    """The samples of at most `length` tokens that one pass over a part of the split has.

    samples: by run_pretrain.py's --packing. lengths, mapping: of the blocks of the part's first
    SHOWN documents, and the document of each, counted from 0; as a Hugging Face tokenizer returns
    them with return_overflowing_tokens.
    """
    first, last = bounds_of(split, len(data))[SPLITS.index(part):][:2]
    sizes = data.document_sizes[first:last]
    table = chunk_table(sizes, length)
    shown = table[table[:, 0] < SHOWN]
    counts = {"keep": len(table), "drop": int((table[:, 2] == length).sum()),
              "windows": max(0, int(sizes.sum()) - 1) // length}
    return {"part": part, "documents": last - first, "samples": counts,
            "lengths": shown[:, 2].tolist(), "mapping": shown[:, 0].tolist()}


def lines(found: dict, length: int) -> list[str]:
    counts = found["samples"]
    return [
        f"samples of {length:,} tokens in {found['part']}, {found['documents']:,} documents, by "
        "--packing: " + ", ".join(f"{count:,} {policy}" for policy, count in counts.items()),
        *(f"chunk {name}: {_begin(found[name])}" for name in ("lengths", "mapping")),
    ]


def _begin(numbers: list[int]) -> str:
    return str(numbers[:_PRINTED]) + (" and more" if numbers[_PRINTED:] else "")
