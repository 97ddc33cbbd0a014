"""--test_file: completions of a few prompts at each evaluation of a training run."""

from contextlib import contextmanager
from functools import partial

import numpy as np

from data_tools.tokenizing.any_tokenizer import AnyTokenizer, end_of
from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.options import require
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.decoding.end_tokens import end_tokens
from paddle_impl.decoding.sequences import Draws
from paddle_impl.generate import generate
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.text.prompts import read_lines


class Completions:
    """Completes the prompts of a file, one a line; an empty line stands for a new document.

    The file is read and checked at once: ValueError if it cannot be read or has no lines, if there
    is no tokenizer, or if a line and its new tokens exceed the model's positions.

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
            end_tokens(model, tokenizer), min(tokenizer.vocab_size, model.vocab_size))
        self._ids = [self._encoded(path, number, model) for number in range(len(self.prompts))]

    @classmethod
    def of(
        cls, config: PretrainConfig, tokenizer: AnyTokenizer | None, model: ModelConfig
    ) -> "Completions | None":
        """Make them from the flags; None without --test_file."""
        path = config.validation.test_file
        if path is None:
            return None
        return cls(path, tokenizer, model, config.decoding, config.runtime.seed)

    def complete(self, model, step: int, ranks: Ranks) -> list[tuple[str, str]]:
        """(prompt, new text) of each line. Random draws depend on seed, step and line only.

        Every process calls it. The tensor parallel group of the main process computes the texts,
        and all its members return them; other processes return [] at once. Training is not
        affected: the model's mode is restored, and Paddle's random state is not used.
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
            begins = end_of(self.tokenizer)
            require(begins is not None,
                    f"{line} is empty, and there is no end token to begin a new document with")
            ids = [begins]
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
