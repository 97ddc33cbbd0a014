"""One side of generation.py, driven over standard input.

    python side.py generate|static|plain|native FOLDER BATCH PROMPT_TOKENS NEW_TOKENS

FOLDER holds config.json and model.safetensors. Writes all texts once, tells their tokens, then
answers each line: `step` with the seconds of writing them again, `memory` with the peak since the
first time, `gap [row, at, token]` with how far the logit of `token` is below that of the token
that this side wrote at place `at` of text `row`. A side that cannot run answers `left_out` with the
reason.
"""

import json
import sys
from pathlib import Path

import numpy as np

BENCH = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(BENCH), str(BENCH.parents[1])]
from data_common import cores, own_peak_mib  # noqa: E402
from own_memory import forget_peak  # noqa: E402
from train_side import answer, timed  # noqa: E402

TORCH_SIDES = ("generate", "static")


def main(kind: str, folder: str, batch: int, prompt_tokens: int, new_tokens: int) -> None:
    vocabulary = json.loads(Path(folder, "config.json").read_text())["vocab_size"]
    prompts = np.random.default_rng(0).integers(0, vocabulary, (batch, prompt_tokens))
    if kind in TORCH_SIDES:
        from generation_sides.torch_side import Generation
    else:
        from generation_sides.paddle_side import Generation
    try:
        side = Generation(kind, folder, new_tokens, cores())
    except ValueError as error:
        answer({"left_out": " ".join(str(error).split())})
        return
    tokens = side.tokens(prompts)
    since = "the first text" if forget_peak() else "the start"
    answer({"tokens": tokens, "threads": side.threads(), "framework": side.framework,
            "memory_since": since})

    def again() -> None:
        if side.tokens(prompts) != tokens:
            raise SystemExit(f"{kind} wrote other tokens than the first time")

    for line in sys.stdin:
        question, _, rest = line.strip().partition(" ")
        if question == "gap":
            row, at, token = json.loads(rest)
            logits = side.logits([*prompts[row].tolist(), *tokens[row][:at]])
            answer(float(logits[tokens[row][at]] - logits[token]))
        else:
            answer({"step": lambda: timed(again), "memory": own_peak_mib}[question]())


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))
