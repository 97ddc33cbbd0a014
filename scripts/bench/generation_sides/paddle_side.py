"""This project's greedy text: the function that its commands call."""

import os
from pathlib import Path

import numpy as np

from paddle_impl.process import runtime

DECODERS = {"plain": "paddle", "native": "native"}


class Generation:
    """plain: the step in plain Paddle. native: the C++ step; ValueError where it is not built."""

    def __init__(self, kind: str, folder: str, new_tokens: int, cores: int):
        os.environ["OMP_NUM_THREADS"] = str(cores)
        self.paddle = runtime.import_paddle("cpu")
        from paddle_impl import checkpoint
        from paddle_impl.config.decoding import Decoding
        from paddle_impl.decoding.choice import make_decoder

        self.framework = f"Paddle {self.paddle.__version__}"
        self.model = checkpoint.load_model(Path(folder))
        self.decoder = DECODERS[kind]
        make_decoder(self.model, 1, 1, self.decoder)
        self.decoding = Decoding(new_tokens)  # no end token: all sides write as many tokens

    def tokens(self, prompts: np.ndarray) -> list[list[int]]:
        """prompts (N, P) -> N lists of new tokens."""
        from paddle_impl.generate import generate

        found = generate(self.model, prompts.tolist(), self.decoding, rows=len(prompts),
                         decoder=self.decoder)
        return [continuations[0].token_ids for continuations in found]

    def logits(self, ids: list[int]) -> np.ndarray:
        """After the last of the ids, (V,)."""
        with self.paddle.no_grad():
            return self.model(self.paddle.to_tensor([ids]))[0, -1].numpy()

    def threads(self) -> int:
        return int(os.environ["OMP_NUM_THREADS"])
