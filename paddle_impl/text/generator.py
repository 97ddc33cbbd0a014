"""Text in, text out: a model and its tokenizer together."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from data_tools.tokenizing.tokenizer import AnyTokenizer, Tokenizer, load_tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.decoding import Decoding
from paddle_impl.config.options import require
from paddle_impl.decoding.prompt import prompt_ids
from paddle_impl.decoding.prompt_state import Continuation
from paddle_impl.decoding.sequences import Sequence, uniform_draws
from paddle_impl.generate import ROWS, as_they_end

OnText = Callable[[int, int, str], None]


class TextGenerator:
    """decoder, rows: see generate.as_they_end."""

    def __init__(self, model, tokenizer: AnyTokenizer, *, decoder: str = "auto", rows: int = ROWS):
        self.model, self.tokenizer = model, tokenizer
        self.vocab_size = min(tokenizer.vocab_size, model.config.vocab_size)
        self._options = {"decoder": decoder, "rows": rows}

    @classmethod
    def load(
        cls, directory: str, vocab_file: str | None = None, merge_file: str | None = None,
        **options,
    ) -> "TextGenerator":
        """From a checkpoint directory; its own tokenizer unless files are named."""
        model = checkpoint.load_language_model(Path(directory))
        if vocab_file is not None:
            return cls(model, Tokenizer.from_vocab_and_merges(vocab_file, merge_file), **options)
        try:
            tokenizer = load_tokenizer(directory)
        except ValueError as error:
            raise ValueError(f"{error}; name one with --vocab_file and --merge_file") from None
        return cls(model, tokenizer, **options)

    def check_family(self, model_type: str) -> None:
        """ValueError where gpt2-cn is named and the tokenizer is not SentencePiece."""
        require(model_type != "gpt2-cn" or not isinstance(self.tokenizer, Tokenizer),
                "--model_type gpt2-cn has a SentencePiece tokenizer, this checkpoint a byte-level "
                "BPE: leave the flag out, or name another checkpoint")

    def ids(self, prompt: str, special_tokens: bool = False) -> list[int]:
        """Of a prompt; one without a character starts a new document.

        ValueError where it is not Unicode, the model has no room for a new token, or no such id.
        """
        ids = prompt_ids(self.tokenizer, prompt, special_tokens)
        positions = self.model.config.n_positions
        require(len(ids) < positions,
                f"a prompt of {len(ids)} tokens ({prompt[:30]!r}...) leaves no room in the "
                f"model's {positions} positions")
        require(max(ids) < self.vocab_size,
                f"the prompt {prompt[:30]!r} has id {max(ids)}, beyond the model's "
                f"vocabulary of {self.vocab_size}: the tokenizer is of another model")
        return ids

    def generate(
        self, prompts: list[list[int]], decoding: Decoding, seed: int, on_text: OnText | None = None
    ) -> Iterator[tuple[int, list[Continuation]]]:
        """(prompt number, continuations) in the order of the prompts, each as soon as it can.

        on_text: called with the numbers of prompt and sequence and what can be shown now.
        """
        waiting: dict[int, list[Continuation]] = {}
        shown = 0
        for number, found in as_they_end(
            self.model, prompts, decoding, draws=partial(uniform_draws, seed),
            decode_bytes=self.tokenizer.decode_bytes,
            on_token=None if on_text is None else partial(_tell, on_text), **self._options,
        ):
            waiting[number] = found
            while shown in waiting:
                yield shown, waiting.pop(shown)
                shown += 1


def _tell(on_text: OnText, prompt: int, number: int, sequence: Sequence) -> None:
    on_text(prompt, number, sequence.text.take(last=sequence.finish_reason is not None))
