"""Time of the cross entropy, forward and backward: Paddle's kernel, this project's, and by hand.

float32, on a CPU, all in one process, in turns. `ours` is objectives.cross_entropy, which uses
Paddle's kernel and looks whether it can be trusted; `by hand` is what it falls back to; `torch` is
torch.nn.functional.cross_entropy. The losses must agree to 1e-4, or the run ends.

    .venv/bin/python scripts/bench/cross_entropy.py [--rounds 9] [--shapes 8x128x2000 ...]
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import paddle
import torch
from data_common import ROOT, Part, cores, in_turns, machine, median, say, times_faster

sys.path.insert(0, str(ROOT))
from paddle_impl import objectives  # noqa: E402
from paddle_impl.parallel.tensor import WHOLE  # noqa: E402

SHAPES = ("8x128x2000", "4x256x50304", "1x32x50304")  # B x T x V
KERNEL = "Paddle's kernel"
TOLERANCE = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--shapes", nargs="+", default=SHAPES, metavar="BxTxV")
    options = parser.parse_args()
    torch.set_num_threads(cores())
    rows = []
    for name in options.shapes:
        sides = _sides(*map(int, name.split("x")))
        _compare(sides)
        seconds = in_turns({side: lambda call=call: call()[0] for side, call in sides.items()},
                           options.rounds, name)
        rows += [(name, side, f"{1e3 * median(taken):.2f}",
                  f"{1 / times_faster(taken, seconds[KERNEL]):.2f}")
                 for side, taken in seconds.items()]
    notes = [f"{machine()}, {cores()} threads, Paddle {paddle.__version__}, torch "
             f"{torch.__version__}; medians of {options.rounds} rounds."]
    header = ("B x T x V", "side", "ms", f"times as long as {KERNEL}")
    print(Part("cross entropy, forward and backward", notes, header, rows).markdown())


def _sides(batch: int, tokens: int, vocabulary: int) -> dict:
    """name -> a call that returns (seconds, losses as numpy)."""
    numbers = np.random.default_rng(0)
    logits = numbers.standard_normal((batch, tokens, vocabulary), dtype=np.float32)
    labels = numbers.integers(0, vocabulary, (batch, tokens))
    x, y = paddle.to_tensor(logits, stop_gradient=False), paddle.to_tensor(labels)
    x_torch, y_torch = torch.tensor(logits, requires_grad=True), torch.tensor(labels)

    def timed(function, x, y):
        x.grad = None
        started = time.perf_counter()
        losses = function(x, y)
        losses.sum().backward()
        return time.perf_counter() - started, losses.detach().numpy().reshape(batch, tokens)

    sides = {
        KERNEL: lambda x, y: paddle.nn.functional.cross_entropy(x, y, reduction="none"),
        "ours": objectives.cross_entropy,
        "by hand": lambda x, y: objectives._by_hand(x, y, WHOLE, vocabulary),
    }
    calls = {name: lambda function=function: timed(function, x, y)
             for name, function in sides.items()}
    calls["torch"] = lambda: timed(
        lambda x, y: torch.nn.functional.cross_entropy(
            x.flatten(0, 1), y.flatten(), reduction="none"), x_torch, y_torch)
    return calls


def _compare(sides: dict) -> None:
    """Call each side once, which warms it up; SystemExit if their losses differ."""
    losses = {name: call()[1] for name, call in sides.items()}
    for name, found in losses.items():
        difference = np.abs(found - losses["torch"]).max()
        if not difference <= TOLERANCE:
            sys.exit(f"the losses of {name} differ from torch's by {difference}")
    say(f"the losses of {', '.join(losses)} agree to {TOLERANCE}")


if __name__ == "__main__":
    main()
