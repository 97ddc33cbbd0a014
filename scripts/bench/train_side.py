"""One side of train.py, driven over standard input.

    python train_side.py eager|compile|plain|threads|ours|lora|peft FOLDER BATCH SEQ_LEN DEVICE

FOLDER holds config.json and model.safetensors, and an adapter in its folder `adapter`. Warms up,
then answers each line: `step` with the seconds of one optimizer step, `memory` with the peak since
the warm-up, `product` with the best FLOP/s of its matrix products.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from data_common import own_peak_mib  # noqa: E402
from own_memory import forget_peak  # noqa: E402

WARM_UP = 3  # steps whose losses and norms must be those of the other sides
RECIPE = {"learning_rate": 1e-4, "weight_decay": 0.1, "grad_clip": 1.0}
SQUARES = (1024, 2048, 3072)


def main(kind: str, folder: str, batch: int, seq_len: int, device: str) -> None:
    config = json.loads(Path(folder, "config.json").read_text())
    tokens = np.random.default_rng(0).integers(0, config["vocab_size"], (batch, seq_len + 1))
    if kind in ("eager", "compile", "peft"):
        from train_sides.torch_side import Steps
    else:
        from train_sides.paddle_side import Steps
    side = Steps(kind, folder, tokens, RECIPE, device)
    warm_up = [side.step() for _ in range(WARM_UP)]
    since = "the warm-up" if device == "cpu" and forget_peak() else "the start"
    answer({"losses": [loss for loss, _ in warm_up], "norms": [norm for _, norm in warm_up],
            "threads": side.threads(), "framework": side.framework, "memory_since": since})
    answers = {
        "step": lambda: timed(side.step),
        "memory": own_peak_mib if device == "cpu" else side.gpu_peak_mib,
        "product": lambda: best_product(side, shapes(config, batch * seq_len)),
    }
    for line in sys.stdin:
        answer(answers[line.strip()]())


def answer(value) -> None:
    print("answer", json.dumps(value), flush=True)


def shapes(config: dict, tokens: int) -> list[tuple[int, int, int]]:
    """(rows, inner, columns) of the model's own forward products, and squares."""
    width = config["n_embd"]
    inner = config.get("n_inner") or 4 * width
    own = [(tokens, width, 3 * width), (tokens, width, inner), (tokens, inner, width),
           (tokens, width, config["vocab_size"])]
    return own + [(side, side, side) for side in SQUARES]


def best_product(side, candidates: list[tuple[int, int, int]]) -> float:
    """FLOP/s of the fastest shape; the first call of each is not counted."""
    best = 0.0
    for rows, inner, columns in candidates:
        once = side.product(rows, inner, columns)
        once()
        best = max(best, 2 * rows * inner * columns / timed(once))
    return best


def timed(call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(*sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
