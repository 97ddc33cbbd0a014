"""What a model writes into gaps, greedily."""

from collections.abc import Callable, Iterable

from data_tools.fim_prompt import MODES, GapPrompt
from data_tools.tokenizing.any_tokenizer import end_of
from paddle_impl.config.decoding import Decoding
from paddle_impl.evaluation.infilling.spans import Gap, lines
from paddle_impl.text.generator import TextGenerator

LEFT_TO_RIGHT = "left_to_right"


def fill(
    generator: TextGenerator, gaps: list[Gap], *, mode: str, max_new_tokens: int,
    language: str | None = None, progress: Callable[[Iterable], Iterable] = iter,
) -> tuple[list[str], int]:
    """The answer to each gap, and how many prompts were cut because they did not fit.

    mode: one of fim_prompt.MODES, where the answer is the middle as the model ends it; or
    LEFT_TO_RIGHT, for any model: it is given the prefix only, and the answer gets as many lines as
    the middle has. language: whose token stands before each prompt. ValueError for a tokenizer
    without the tokens that this takes.
    """
    plain = Decoding(max_new_tokens, eos_token_ids=generator.end_tokens,
                     vocab_size=generator.vocab_size)
    if mode in MODES:
        try:
            decoding = generator.for_gaps(plain)
        except ValueError as error:
            raise ValueError(f"{error}; --infill_mode {LEFT_TO_RIGHT} measures models without "
                             "them") from None
        prompts = [generator.gap_prompt(gap.prefix, gap.suffix, decoding, mode=mode,
                                        language=language) for gap in gaps]
        answers = _greedy(generator, prompts, decoding, progress)
    else:
        prompts = [_prefix(generator, _before(gap), max_new_tokens, language) for gap in gaps]
        answers = _continued(generator, gaps, prompts, plain, progress)
    return answers, sum(any(prompt.cut) for prompt in prompts)


def _continued(generator, gaps: list[Gap], prompts, decoding: Decoding, progress) -> list[str]:
    """The first lines of what follows each prefix, ended as the middle is."""
    found = _greedy(generator, prompts, decoding, progress)
    return [_as_many_lines(text.removeprefix(gap.prefix[len(_before(gap)):]), gap.middle)
            for text, gap in zip(found, gaps, strict=True)]


def _before(gap: Gap) -> str:
    """The prefix without a line feed at its end, which the model is to write itself: a tokenizer
    may have it in one token with the spaces that begin the next line.
    """
    return gap.prefix.removesuffix("\n")


def _as_many_lines(text: str, middle: str) -> str:
    kept = "".join(lines(text)[: len(lines(middle))]).removesuffix("\n")
    return kept + "\n" * middle.endswith("\n")


def _prefix(generator, text: str, max_new_tokens: int, language: str | None) -> GapPrompt:
    """The end of a prefix that leaves room for the answer, behind what a document begins with."""
    front = generator.front(language)
    if language is None and (end := end_of(generator.tokenizer)) is not None:
        front = [end]
    ids, positions = generator.tokenizer.encode(text).tolist(), generator.model.config.n_positions
    room = positions - min(max_new_tokens, positions // 2) - len(front)
    cut = max(0, len(ids) - room)
    return GapPrompt([*front, *ids[cut:]], (cut, 0))


def _greedy(generator, prompts: list[GapPrompt], decoding: Decoding, progress) -> list[str]:
    found = generator.generate([prompt.ids for prompt in prompts], decoding, 0)
    return [one.text for _, (one,) in progress(found)]
