"""One training step, Paddle beside torch: the same GPT, batch, clip and AdamW in float32 on a CPU.

Each side is a process of its own that steps when told to. The sides take turns, and what is printed
is the median of the ratios of neighbouring turns, since a machine's speed drifts. Only ratios of
one run compare.

    .venv/bin/python scripts/bench/train.py [--model code-mini] [--batch 4] [--seq_len 256]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
SIDES = {
    "torch eager": "torch",
    "Paddle as it comes": "plain",
    "Paddle with OMP_NUM_THREADS set": "threads",
    "this project": "ours",
}


def main() -> None:
    options = _options()
    if options.side:
        _serve(options)
        return
    sides = {name: _start(side, options) for name, side in SIDES.items()}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(options.rounds):
        for name, process in sides.items():
            time.sleep(0.3)  # OpenMP threads of the side before spin this long for more work
            process.stdin.write("step\n")
            process.stdin.flush()
            times[name].append(json.loads(process.stdout.readline()))
    for process in sides.values():
        process.stdin.close()
        process.wait()
    tokens = options.batch * options.seq_len
    reference = times["torch eager"]
    print(f"{options.model}, {options.batch} x {options.seq_len} tokens, float32, "
          f"{os.cpu_count()} cores, median of {options.rounds} alternated rounds\n")
    print("| side | tokens/s | x torch eager |\n|---|---|---|")
    for name, own in times.items():
        ratio = statistics.median(r / o for r, o in zip(reference, own, strict=True))
        print(f"| {name} | {tokens / statistics.median(own):,.0f} | {ratio:.2f} |")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="code-mini", help="a registry name")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seq_len", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--side", choices=SIDES.values(), help=argparse.SUPPRESS)
    return parser.parse_args()


def _start(side: str, options) -> subprocess.Popen:
    command = [sys.executable, __file__, "--side", side, "--model", options.model,
               "--batch", str(options.batch), "--seq_len", str(options.seq_len)]
    threads = {"OMP_NUM_THREADS": str(os.cpu_count())} if side == "threads" else {}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.DEVNULL, env=os.environ | threads)
    json.loads(process.stdout.readline())  # warmed up
    return process


def _serve(options) -> None:
    """Step once for every line on standard input and answer with its seconds."""
    step = _torch_step(options) if options.side == "torch" else _paddle_step(options)
    step()
    step()
    print(json.dumps("ready"), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(json.dumps(time.perf_counter() - start), flush=True)


def _config(options):
    from paddle_impl.config.model import named_model

    return named_model(options.model).with_(embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0)


def _batch(options):
    import numpy as np

    vocabulary = _config(options).vocab_size
    return np.random.default_rng(0).integers(0, vocabulary, (options.batch, options.seq_len + 1))


def _torch_step(options):
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(**_config(options).to_hf()))
    groups = [{"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.1},
              {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-4)
    tokens = torch.from_numpy(_batch(options))

    def step():
        logits = model(tokens[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss)

    return step


def _paddle_step(options):
    from paddle_impl import runtime

    if options.side == "ours":
        runtime.import_paddle("cpu")
    import numpy as np

    from paddle_impl.distributed import Ranks
    from paddle_impl.model import GPTForCausalLM, initialize
    from paddle_impl.objectives import causal_lm
    from paddle_impl.optim import build_optimizer
    from paddle_impl.trainer import Trainer

    model = GPTForCausalLM(_config(options))
    initialize(model, 0)
    optimizer = build_optimizer(model, learning_rate=1e-4, weight_decay=0.1)
    trainer = Trainer(model, optimizer, causal_lm, loader=None, schedule=None, grad_clip=1.0,
                      seed=0, ranks=Ranks(), log=None, evaluate=None, save=None)
    tokens = _batch(options)
    batch = {"input_ids": tokens[:, :-1], "labels": tokens[:, 1:],
             "loss_mask": np.ones((options.batch, options.seq_len), np.float32)}
    return lambda: trainer.step(1, [batch], 1e-4)


if __name__ == "__main__":
    main()
