"""PaddleNLP's create_pretraining_data.py, restated: its wheel brings the tokenizer, not the script.

    python paddlenlp_create.py LINES.jsonl TOKENIZER_FOLDER OUTPUT_PREFIX WORKERS

In the way that script works: JSON lines through a pool of processes, GPTTokenizer.tokenize and
convert_tokens_to_ids on each text, <|endoftext|> appended, ids gathered in a BytesIO, np.save.
Two departures, both kind to it: texts are not stripped (that costs source code its indentation,
and the ids of all sides must be equal here), and a worker is handed 16 texts at a time, not 256,
since few documents would leave cores idle. Prints its seconds as JSON.
"""

import io
import json
import multiprocessing
import sys
import time

import numpy as np
from paddlenlp.transformers.gpt.tokenizer import GPTTokenizer

CHUNK = 16
tokenizer = None


def start_worker(folder: str) -> None:
    global tokenizer
    tokenizer = GPTTokenizer(f"{folder}/vocab.json", f"{folder}/merges.txt")


def encode(line: str) -> tuple[list[int], float]:
    text = json.loads(line)["text"]
    started = time.perf_counter()
    ids = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text))
    seconds = time.perf_counter() - started
    ids.append(tokenizer.eos_token_id)
    return ids, seconds


def main(lines: str, folder: str, prefix: str, workers: int) -> None:
    start_worker(folder)
    dtype = np.uint16 if tokenizer.vocab_size < 2**16 - 1 else np.int32
    ids_stream, lens_stream, docs_stream = io.BytesIO(), io.BytesIO(), io.BytesIO()
    docs_stream.write((0).to_bytes(8, "little", signed=True))
    encoding = 0.0
    with multiprocessing.Pool(workers, start_worker, (folder,)) as pool, \
            open(lines, encoding="utf-8") as texts:
        for number, (ids, seconds) in enumerate(pool.imap(encode, texts, CHUNK), start=1):
            encoding += seconds
            lens_stream.write(len(ids).to_bytes(4, "little", signed=True))
            ids_stream.write(np.array(ids, dtype=dtype).tobytes(order="C"))
            docs_stream.write(number.to_bytes(8, "little", signed=True))
    np.save(f"{prefix}_ids.npy", np.frombuffer(ids_stream.getbuffer(), dtype=dtype))
    np.savez(f"{prefix}_idx.npz", lens=np.frombuffer(lens_stream.getbuffer(), dtype=np.int32),
             docs=np.frombuffer(docs_stream.getbuffer(), dtype=np.int64))
    print(json.dumps({"encoding_seconds": encoding / workers}))


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]))
