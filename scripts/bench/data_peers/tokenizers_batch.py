"""Files -> token files by a plain script on `tokenizers`, as anyone would write it.

    python tokenizers_batch.py CORPUS_FOLDER TOKENIZER_FOLDER OUTPUT_PREFIX METHOD

Reads every file under the folder in sorted order, encodes batches of 2,000,000 characters on all
cores with METHOD (encode_batch, or encode_batch_fast, which counts no offsets), ends each document
with <|endoftext|>, and saves the same pair of files as this project. All ids stay in memory until
the end. Prints its seconds as JSON.
"""

import json
import os
import sys
import time

import numpy as np
import tokenizers

BATCH_CHARS = 2_000_000


def main(corpus: str, tokenizer_folder: str, prefix: str, method: str) -> None:
    tokenizer = tokenizers.Tokenizer.from_file(f"{tokenizer_folder}/tokenizer.json")
    tokenizer.encode_special_tokens = True  # <|endoftext|> in a source file is text
    encode = getattr(tokenizer, method)
    eos = tokenizer.token_to_id("<|endoftext|>")
    dtype = np.uint16 if tokenizer.get_vocab_size() < 65535 else np.int32
    documents, encoding = [], 0.0
    for batch in batches(corpus):
        started = time.perf_counter()
        encodings = encode(batch, add_special_tokens=False)
        encoding += time.perf_counter() - started
        documents += [np.array(one.ids + [eos], dtype=dtype) for one in encodings]
    np.save(f"{prefix}_ids.npy", np.concatenate(documents))
    lens = np.array([len(one) for one in documents], dtype=np.int32)
    np.savez(f"{prefix}_idx.npz", lens=lens, docs=np.arange(len(lens) + 1, dtype=np.int64))
    print(json.dumps({"encoding_seconds": encoding}))


def batches(corpus: str):
    batch, characters = [], 0
    for folder, subfolders, names in os.walk(corpus):
        subfolders.sort()
        for name in sorted(names):
            with open(os.path.join(folder, name), "rb") as file:
                batch.append(file.read().decode("utf-8"))
            characters += len(batch[-1])
            if characters >= BATCH_CHARS:
                yield batch
                batch, characters = [], 0
    if batch:
        yield batch


if __name__ == "__main__":
    main(*sys.argv[1:])
