"""The fixtures of the data path: a small BPE vocabulary, documents, and token files.

Everything is written here or drawn from a seed, so that both sides start from the same bytes.
"""

import json
import zlib
from pathlib import Path

import numpy as np

from parity.compare import Point, Trace

# The printable characters by which GPT-2 writes the 256 bytes (Radford et al. 2019, encoder.py).
_PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]
_SYMBOLS = [chr(byte) for byte in _PRINTABLE] + [chr(256 + i) for i in range(len(_OTHERS))]

# The first merge is of two spaces, as in vocabularies of code. A loader that skips it as the file's
# version line cannot merge indentation. Ġ is a space, Ċ a line feed.
MERGES = [tuple(pair.split(" ")) for line in (
    "Ġ Ġ|ĠĠ ĠĠ|ĠĠ Ġ|Ċ Ċ|r e|e t|u r|re t|ret ur|retur n|d e|de f|Ġ d|Ġ s|s e|se l|sel f|Ġ self",
    "Ġ =|i n|i f|Ġ if|Ġ i|ĠĠĠĠ ĠĠĠĠ|l f|' s|Ġ a|( self|) :|i m|im p|t h|th e|Ġ the|o r|f or|Ġ for",
    "= =|Ġ ==|1 0|ä ¸|Ċ ĠĠ|a n",
) for pair in line.split("|")]
END = "<|endoftext|>"
VOCABULARY = {token: i for i, token in enumerate(
    [*_SYMBOLS, *("".join(pair) for pair in MERGES), END])}
END_ID = VOCABULARY[END]

# name -> text; each has the 10 characters that the corpus reader requires
DOCUMENTS = {
    "a_plain.py": "def add(self, a):\n    return self.x + a\n\n\nclass Q:\n        pass\n",
    "b_leading_space.py": "    if the_value == 10:\n\treturn 'it''s'  \n",
    "c_special.py": f"text = '{END}' + \"{END}\"  # not the end\n",
    "d_unicode.py": "名字 = '中文 é e\u0301 🙂'\n# ünïcödé\u00a0space\u2028line\n",
    "e_no_newline.py": "x = 1010   # trailing   ",
    "f_windows.py": "for i in range(10):\r\n    print(i)\r\n\r\n",
    "sub/g_blank.py": "\n\n\n\n      \n\t\t\n  z = 1\n\n\n",
    "g_spaced.py": "print ( 'do n\'t clean up , please .' ) ; it 's so !\n",
    "sub/h_numbers.py": "1234567890 3.14159 0xFF 1e-10 I'll we've they're 'd\n",
}
PROMPTS = [*DOCUMENTS.values(), f"a{END}b{END}", END, " ", "the"]


def write_tokenizer(directory: Path, version_line: bool = True) -> None:
    """Write vocab.json and merges.txt in GPT-2's format, the latter with or without version line.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "vocab.json").write_text(json.dumps(VOCABULARY), encoding="utf-8")
    lines = ["#version: 0.2"] if version_line else []
    lines += [" ".join(pair) for pair in MERGES]
    (directory / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_documents(directory: Path) -> None:
    for name, text in DOCUMENTS.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))


# The runs take more samples than one epoch has, because the last epoch has an order of its own: if
# most of its samples are taken it is shuffled with the others, if only a few by itself.
WINDOW = 16
SEED = 1234
SPLITS = {"train": (0, 28), "valid": (28, 37), "test": (37, 40)}
SPLIT_FLAG = "70,22.5,7.5"
BATCH, ACCUMULATION, RANKS = 2, 3, 3
SAMPLES_SEEN = (0, 30, 34, 200)  # after so many samples the epoch is compared
# name -> (split, number of samples, seed). All have their index files in one directory, where no
# file may be used for two of them.
ORDERS = {
    "one epoch": ("train", 24, SEED),
    "another seed": ("train", 24, SEED + 1),
    "most of the last epoch": ("train", 130, SEED),
    "a little of the last epoch": ("train", 45, SEED),
    "validation": ("valid", 45, SEED),  # slightly more samples than four epochs have
    "test": ("test", 24, SEED),
}
# Orders with options. A blend takes 3 samples of one file for every 7 of a second.
VARIANTS = {
    "Megatron's order, one epoch": ("train", 24, SEED, {"order": "megatron"}),
    "Megatron's order, most of the last epoch": ("train", 130, SEED, {"order": "megatron"}),
    "Megatron's order, a little of the last epoch": ("train", 45, SEED, {"order": "megatron"}),
    "blocks with short tails": ("train", 130, SEED, {"packing": "keep"}),
    "full blocks": ("valid", 45, SEED, {"packing": "drop"}),
    "blend": ("train", 130, SEED, {"weights": (3, 7)}),
    "blend by other weights": ("train", 130, SEED, {"weights": (7, 3)}),
    "blend by equal weights": ("train", 130, SEED, {"weights": (1, 1)}),
    "blend of full blocks": ("train", 45, SEED, {"weights": (3, 7), "packing": "drop"}),
}

# Checksums of the samples by Megatron-core 0.16.1 (the wheel on PyPI): its GPTDataset and compiled
# helpers (build_sample_idx, build_blending_indices) read what `write_token_file` writes. For
# PaddleNLP's order its _build_document_index got a generator that leaves documents in order.
MEGATRON_SAMPLES: Trace = {
    Point(0, "samples", name): np.array(checksum) for name, checksum in {
        "one epoch": 3591491821, "another seed": 271737377, "most of the last epoch": 1763181342,
        "a little of the last epoch": 137072719, "validation": 4220460237, "test": 2861346580,
        "Megatron's order, one epoch": 1332293181,
        "Megatron's order, most of the last epoch": 2136209069,
        "Megatron's order, a little of the last epoch": 2605085163, "blend": 573135649,
        "blend by other weights": 1699067670, "blend by equal weights": 2729533068,
    }.items()
}


def checksums(trace: Trace) -> Trace:
    """The CRC-32 of the samples of each order: (n, WINDOW) int64, as the ranks take them in turn.

    trace: has the inputs of all micro batches, as "ORDER: rank R, first N: input_ids".
    """
    found: Trace = {}
    for name in ORDERS | VARIANTS:
        count = sum(point.tensor.startswith(f"{name}: rank 0, first ") and
                    point.tensor.endswith("input_ids") for point in trace)
        taken = [trace[Point(0, "batch", f"{name}: rank {rank}, first {number}: input_ids")]
                 for number in range(count) for rank in range(RANKS)]
        raw = np.concatenate(taken).astype("<i8").tobytes()
        found[Point(0, "samples", name)] = np.array(zlib.crc32(raw))
    return found


def write_token_file(prefix: Path, end: int = 0, seed: int = 11) -> None:
    """Write forty documents of 0 to 39 tokens in PaddleNLP's format.

    Small ids are more frequent. Each document ends with the end token, which also occurs inside
    some. A few documents are empty, and every fourth consists of two sentences.
    """
    rng = np.random.default_rng(seed)
    lens = rng.integers(0, 40, 40).astype(np.int32)
    lens[[3, 30]] = 0
    ids = (END_ID * rng.random(int(lens.sum())) ** 2).astype(np.uint16)
    ids[np.cumsum(lens)[lens > 0] - 1] = end
    sentences = [[n // 3, n - n // 3] if i % 4 == 0 else [n] for i, n in enumerate(lens)]
    docs = np.cumsum([0, *map(len, sentences)], dtype=np.int64)
    np.save(f"{prefix}_ids.npy", ids)
    np.savez(f"{prefix}_idx.npz", lens=np.concatenate(sentences).astype(np.int32), docs=docs)


# Dropout rates of the run, neither of them the model's own.
RUN_DROPOUT, RUN_ATTENTION_DROPOUT = 0.25, 0.0625
# Flags of a schedule of RATE_STEPS steps: without warm-up, with nothing else, with less than a step
# of it, and with a decay over all steps of the run, which --decay_steps 0 asks for.
RATE_STEPS = 13
RATE_FLAGS = {
    "no warm-up": {"warmup_rate": 0.0, "decay_steps": 9},
    "all warm-up": {"warmup_rate": 1.0, "decay_steps": 9},
    "short warm-up": {"warmup_rate": 0.05, "decay_steps": 9},
    "decay over all steps": {"warmup_rate": 0.3, "decay_steps": 0},
    "no warm-up, decay over all steps": {"warmup_rate": 0.0, "decay_steps": 0},
    "constant": {"warmup_rate": 0.3, "decay_steps": 9, "lr_decay_style": "none"},
}
# The pretraining run, from files to a checkpoint.
RUN_STEPS, RUN_EVAL_EVERY, RUN_EVAL_BATCHES, RUN_SAVE_EVERY = 6, 2, 2, 3
RUN_TEST_BATCHES = 10 * RUN_EVAL_BATCHES  # PaddleNLP's test takes ten times an evaluation's batches


def write_constant_file(prefix: Path) -> None:
    """Write ten documents of one repeated token, whose samples are the same in every order."""
    np.save(f"{prefix}_ids.npy", np.full(400, 5, np.uint16))
    np.savez(f"{prefix}_idx.npz", lens=np.full(10, 40, np.int32), docs=np.arange(11))
