"""A model and its tokenizer: prompts are texts, and so are continuations."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property, partial

from data_tools.completion.languages import id_of
from data_tools.fim_prompt import FimPrompts, GapPrompt
from data_tools.tokenizing.tokenizer import AnyTokenizer, Tokenizer
from paddle_impl.config.decoding import Decoding, DecodingOptions
from paddle_impl.config.options import require
from paddle_impl.decoding.choice import ReusedDecoder
from paddle_impl.decoding.end_tokens import end_tokens
from paddle_impl.decoding.prompt import prompt_ids
from paddle_impl.decoding.prompt_state import Continuation
from paddle_impl.decoding.sequences import Draws, Sequence, uniform_draws
from paddle_impl.generate import ROWS, decoder_size, generate_iter
from paddle_impl.text.opening import base_and_adapter, open_model, open_tokenizer

OnText = Callable[[int, int, str], None]


class TextGenerator:
    """Continues prompts with a model whose weights do not change any more.

    decoder, rows: see generate.generate_iter. end_tokens: those of the model, which end a
    continuation unless --eos_token_id names others.
    """

    def __init__(self, model, tokenizer: AnyTokenizer, *, decoder: str = "auto", rows: int = ROWS):
        self.model, self.tokenizer = model, tokenizer
        self.vocab_size = min(tokenizer.vocab_size, model.config.vocab_size)
        self.end_tokens = end_tokens(model.config, tokenizer)
        self._rows, self._decoders = rows, ReusedDecoder(model, decoder)

    @classmethod
    def load(
        cls, directory: str | None, vocab_file: str | None = None, merge_file: str | None = None,
        *, adapter: str | None = None, **options,
    ) -> "TextGenerator":
        """Load a checkpoint directory, with its own tokenizer unless files are named.

        adapter: a directory whose adapter is put into the weights. Of an adapter's directory alone,
        the base is the one that it names.
        """
        places = base_and_adapter(directory, adapter)
        model = open_model(*places)
        if vocab_file is not None:
            return cls(model, Tokenizer.from_vocab_and_merges(vocab_file, merge_file), **options)
        try:
            tokenizer = open_tokenizer(*places)
        except ValueError as error:
            raise ValueError(f"{error}; name one with --vocab_file and --merge_file") from None
        return cls(model, tokenizer, **options)

    def check_family(self, model_type: str) -> None:
        """ValueError where gpt2-cn is named and the tokenizer is not SentencePiece."""
        require(model_type != "gpt2-cn" or not isinstance(self.tokenizer, Tokenizer),
                "--model_type gpt2-cn has a SentencePiece tokenizer, this checkpoint a byte-level "
                "BPE: leave the flag out, or name another checkpoint")

    def ids(
        self, prompt: str, special_tokens: bool = False, language: str | None = None
    ) -> list[int]:
        """The ids of a prompt; an empty prompt starts a new document.

        language: puts its control token before the prompt, as in training. ValueError where the
        tokenizer has none, where the prompt is not Unicode, leaves the model no position for a new
        token, or has an id that the model does not have.
        """
        return self._fitting(
            prompt_ids(self.tokenizer, prompt, special_tokens, self.front(language)), prompt)

    def gap_prompt(
        self, prompt: str, suffix: str, decoding: Decoding, *, mode: str = "psm",
        language: str | None = None,
    ) -> GapPrompt:
        """The prompt for what stands between two texts.

        The middle keeps room for its new tokens, or half of the positions if that is less. A prompt
        that is longer is cut on its far sides. mode: see FimPrompts.prompt.
        """
        positions = self.model.config.n_positions
        most = positions - min(decoding.max_new_tokens, positions // 2)
        found = self._fim.prompt(prompt, suffix, most, mode=mode, front=self.front(language))
        return found._replace(ids=self._fitting(found.ids, prompt))

    def gap_ids(self, prompt: str, suffix: str, decoding: Decoding, **options) -> list[int]:
        """The ids of `gap_prompt`, with a warning where it was cut."""
        ids, cut = self.gap_prompt(prompt, suffix, decoding, **options)
        if any(cut):
            warnings.warn(
                f"the gap after {prompt[-30:]!r}: {len(ids)} tokens fit before its middle, so the "
                f"first {cut[0]} tokens of the prompt and the last {cut[1]} of the suffix are left "
                "out", stacklevel=2)
        return ids

    def for_gaps(self, decoding: Decoding, min_new_tokens: int = 0) -> Decoding:
        """The settings with which a middle ends at a control token too, and may be empty."""
        return replace(decoding, min_new_tokens=min_new_tokens,
                       eos_token_ids=(*decoding.eos_token_ids, *self._fim.end_tokens))

    @cached_property
    def _fim(self) -> FimPrompts:
        return FimPrompts(self.tokenizer)

    def front(self, language: str | None) -> list[int]:
        """The ids before a prompt of the language; ValueError where it has no control token."""
        return [] if language is None else [id_of(language, self.tokenizer.special_tokens)]

    def _fitting(self, ids: list[int], prompt: str) -> list[int]:
        positions = self.model.config.n_positions
        require(len(ids) < positions,
                f"a prompt of {len(ids)} tokens ({prompt[:30]!r}...) leaves no room in the "
                f"model's {positions} positions")
        require(max(ids) < self.vocab_size,
                f"the prompt {prompt[:30]!r} has id {max(ids)}, beyond the model's "
                f"vocabulary of {self.vocab_size}: the tokenizer is of another model")
        return ids

    def complete(
        self, prompts: str | list[str], *, suffix: str | list[str] | None = None, seed: int = 123,
        max_dec_len: int = 64, **flags,
    ) -> list[str]:
        """What follows each prompt; num_return_sequences texts a prompt, one after the other.

        suffix: what stands behind the gap after each prompt, one text for all or one for each; then
        the texts are what fills the gaps. flags: run_generation.py's for decoding, by name, with
        its defaults. ValueError for a prompt that does not fit, see `ids`, and for a flag that is
        unknown or means nothing.
        """
        options = DecodingOptions.from_python(max_dec_len=max_dec_len, **flags)
        decoding = options.settings(self.end_tokens, self.vocab_size)
        texts = [prompts] if isinstance(prompts, str) else prompts
        if suffix is None:
            encoded = [self.ids(text) for text in texts]
        else:
            behind = [suffix] * len(texts) if isinstance(suffix, str) else suffix
            require(len(behind) == len(texts),
                    f"suffix has {len(behind)} texts for {len(texts)} prompts: expected one text, "
                    "or one for each")
            decoding = self.for_gaps(decoding, options.min_dec_len or 0)
            encoded = [self.gap_ids(text, end, decoding)
                       for text, end in zip(texts, behind, strict=True)]
        return [one.text for _, found in self.generate(encoded, decoding, seed) for one in found]

    def generate(
        self, prompts: list[list[int]], decoding: Decoding, seed: int,
        on_text: OnText | None = None, first: int = 0,
    ) -> Iterator[tuple[int, list[Continuation]]]:
        """Yield (prompt number, its continuations) in the order of the prompts.

        A prompt's continuations come as soon as they and those of all prompts before are complete.
        on_text: called with the number of the prompt, the number of the sequence, and new text that
        can no longer change. first: the number by which the first prompt draws, where these are a
        part of several prompts.
        """
        if not prompts:
            return
        waiting: dict[int, list[Continuation]] = {}
        shown = 0
        draws = partial(_draws, seed, first)
        with self._decoders.lent(*decoder_size(prompts, decoding, self._rows)) as decoder:
            for number, found in generate_iter(
                decoder, prompts, decoding, draws=draws,
                decode_bytes=self.tokenizer.decode_bytes,
                on_token=None if on_text is None else partial(_tell, on_text),
            ):
                waiting[number] = found
                while shown in waiting:
                    yield shown, waiting.pop(shown)
                    shown += 1


def _draws(seed: int, first: int, number: int) -> Draws:
    return uniform_draws(seed, first + number)


def _tell(on_text: OnText, prompt: int, number: int, sequence: Sequence) -> None:
    on_text(prompt, number, sequence.text.take(last=sequence.finish_reason is not None))
