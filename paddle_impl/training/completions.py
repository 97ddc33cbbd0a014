"""--test_file: what the model makes of a few prompts, at each evaluation of a training run."""

from contextlib import contextmanager
from functools import partial

import numpy as np

from data_tools.tokenizing.tokenizer import AnyTokenizer
from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.options import require
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.decoding.sequences import Draws
from paddle_impl.generate import generate
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.text.prompts import read_lines


class Completions:
    """The prompts of a file, one a line; a line without a character begins a new document.

    Read and checked at once: ValueError for a file that cannot be read or has no lines, without a
    tokenizer, and for a line that with its new tokens exceeds the model's positions.

    decoding: how tokens are chosen, as in run_generation.py.
    """

    def __init__(
        self,
        path: str,
        tokenizer: AnyTokenizer | None,
        model: ModelConfig,
        decoding: DecodingOptions,
        seed: int,
    ):
        require(tokenizer is not None,
                f"--test_file {path} needs a tokenizer, and the data have none beside them: name "
                "it with --vocab_file and --merge_file")
        self.tokenizer, self.seed = tokenizer, seed
        self.prompts = read_lines(path, "--test_file")
        self._decoding = decoding.settings(
            () if model.eos_token_id is None else (model.eos_token_id,),
            min(tokenizer.vocab_size, model.vocab_size),
        )
        self._ids = [self._encoded(path, number, model) for number in range(len(self.prompts))]

    @classmethod
    def of(
        cls, config: PretrainConfig, tokenizer: AnyTokenizer | None, model: ModelConfig
    ) -> "Completions | None":
        """As the flags say; None without --test_file."""
        path = config.validation.test_file
        if path is None:
            return None
        return cls(path, tokenizer, model, config.decoding, config.runtime.seed)

    def complete(self, model, step: int, ranks: Ranks) -> list[tuple[str, str]]:
        """(prompt, new text) of each line; what is drawn is a function of seed, step and line.

        Every process calls it. Those that share a model with the main process work together and
        all return the same; the others return nothing at once. Training goes on as if it had not
        been called: the model's mode is put back, and Paddle's random state is not touched.
        """
        if 0 not in ranks.model.members:
            return []
        with _mode_kept(model):
            found = generate(model, self._ids, self._decoding, draws=partial(self._draws, step))
        texts = [self.tokenizer.decode(continuation.token_ids) for (continuation,) in found]
        return list(zip(self.prompts, texts, strict=True))

    def _draws(self, step: int, number: int) -> Draws:
        stream = np.random.default_rng([self.seed, step, number])
        return lambda _, sequences: stream.random(sequences)

    def _encoded(self, path: str, number: int, model: ModelConfig) -> list[int]:
        max_new_tokens = self._decoding.max_new_tokens
        ids = [int(i) for i in self.tokenizer.encode(self.prompts[number])]
        line = f"--test_file {path}: line {number + 1}"
        if not ids:
            require(model.eos_token_id is not None,
                    f"{line} is empty, and there is no end token to begin a new document with")
            ids = [model.eos_token_id]
        require(len(ids) + max_new_tokens <= model.n_positions,
                f"{line} has {len(ids)} tokens, with {max_new_tokens} new ones more than the "
                f"model's {model.n_positions} positions: shorten it, or lower --max_dec_len")
        require(max(ids) < model.vocab_size,
                f"{line} holds id {max(ids)}, the model's vocabulary is 0 to "
                f"{model.vocab_size - 1}: name a model with a larger one")
        return ids


@contextmanager
def _mode_kept(model):
    training = model.training
    try:
        yield
    finally:
        if training:
            model.train()
