"""One reader of training samples, driven over standard input: `turn` -> samples per second.

    python access_side.py ours|ours_batches|example|example_no_mask|causal PREFIX SEQ_LENGTH

ours: PretrainDataset[i], tokens [T + 1]. ours_batches: what the training loop is handed, batches
of 8 with inputs, labels and loss mask. example: the GPTDataset of PaddleNLP's GPT examples,
restated from what it does (see ExampleDataset). causal: the class
paddlenlp.data.causal_dataset.GPTDataset itself, tokens [T + 1]; runs in PaddleNLP's own Python.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

import numpy as np

BATCH = 8
TURN_SECONDS, WARM_UP_SECONDS = 0.5, 0.5
COMPARED = 64  # samples whose tokens must be those of the other readers
SEED = 1234


class ExampleDataset:
    """A sample as PaddleNLP's GPT examples make it; the index is this project's, which is equal.

    Offsets are a Python list, slices become Python lists that grow document by document, and the
    result is tokens, loss mask, attention mask, positions, labels. Early versions make the
    attention mask here, float32 (1, T, T); later ones leave it to the model (mask=False).
    """

    def __init__(self, ours, eos: int, mask: bool):
        self.ids = ours.tokens.ids
        self.start = [0, *np.cumsum(ours.tokens.lens).tolist()]
        self.doc_idx, self.sample_idx = ours.doc_idx, ours.sample_idx
        self.shuffle_idx = ours.shuffle_idx
        self.eos, self.mask = eos, mask

    def __len__(self) -> int:
        return len(self.shuffle_idx)

    def __getitem__(self, index: int) -> list:
        row = self.shuffle_idx[index]
        (first, begin), (last, end) = self.sample_idx[row], self.sample_idx[row + 1]
        tokens = []
        for position in range(first, last + 1):
            document = self.doc_idx[position]
            start, stop = self.start[document], self.start[document + 1]
            if position == last:
                stop = start + end + 1
            if position == first:
                start += begin
            tokens.extend(self.ids[start:stop].tolist())
        labels, tokens = np.array(tokens[1:], np.int64), np.array(tokens[:-1], np.int64)
        length = len(tokens)
        loss_mask = np.ones(length, np.float32)
        loss_mask[tokens == self.eos] = 0.0
        item = [tokens, loss_mask, np.arange(length, dtype=np.int64), labels]
        if self.mask:
            item.insert(2, np.tri(length, length).reshape(1, length, length).astype(np.float32))
        return item


def ours(prefix: str, seq_length: int):
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    from data_tools.token_files.token_file import TokenFile
    from paddle_impl.data.pretrain import PretrainDataset

    tokens = TokenFile.open(prefix)
    samples = (len(tokens.ids) - 1) // seq_length
    return PretrainDataset(tokens, "train", [0, len(tokens), len(tokens), len(tokens)],
                           seq_length=seq_length, num_samples=samples, seed=SEED)


def causal(prefix: str, seq_length: int):
    from paddlenlp.data.causal_dataset import GPTDataset, get_indexed_dataset_

    tokens = get_indexed_dataset_(prefix, "mmap", True)
    samples = (int(tokens.sizes.sum(dtype=np.int64)) - 1) // seq_length
    return GPTDataset("train", prefix, np.arange(len(tokens.sizes), dtype=np.int32), tokens,
                      "1,0,0", samples, seq_length, SEED)


def reader(kind: str, prefix: str, seq_length: int):
    """(read(i), how many i there are, samples that one read makes, tokens(i) to compare)."""
    if kind == "causal":
        dataset = causal(prefix, seq_length)
        return dataset.__getitem__, len(dataset), 1, None
    dataset = ours(prefix, seq_length)
    if kind == "ours":
        return dataset.__getitem__, len(dataset), 1, dataset.__getitem__
    if kind == "ours_batches":
        from paddle_impl.data.loader import PretrainLoader

        loader = PretrainLoader(dataset, micro_batch_size=BATCH, eos_token_id=0)
        return loader.micro_batch, len(dataset) // BATCH, BATCH, None
    example = ExampleDataset(dataset, eos=0, mask=kind == "example")
    return (example.__getitem__, len(example), 1,
            lambda i: np.append(example[i][0], example[i][-1][-1]))


def main(kind: str, prefix: str, seq_length: int) -> None:
    read, count, per_read, tokens = reader(kind, prefix, seq_length)
    digest = None
    if tokens:
        first = np.stack([tokens(i) for i in range(min(COMPARED, count))]).astype(np.int64)
        digest = hashlib.sha256(first).hexdigest()
    place = 0

    def turn(seconds: float) -> float:
        """The next samples of the shuffled order, so random places of the file, for a while."""
        nonlocal place
        began, started = place, time.perf_counter()
        while (taken := time.perf_counter() - started) < seconds:
            for _ in range(BATCH // per_read):
                read(place % count)
                place += 1
        return (place - began) * per_read / taken

    turn(WARM_UP_SECONDS)
    print("answer", json.dumps({"digest": digest, "numpy": np.__version__}), flush=True)
    for _ in sys.stdin:
        print("answer", json.dumps(turn(TURN_SECONDS)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
