"""Continue prompts: greedy, sampled or by beam search, many at once, each as if it were alone."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.batch import Batch
from paddle_impl.decoding.beam import BeamState
from paddle_impl.decoding.choice import make_decoder
from paddle_impl.decoding.prompt_state import Continuation, PromptState
from paddle_impl.decoding.sequences import Draws, SampleState, Sequence
from paddle_impl.decoding.text import DecodeBytes

ROWS = 16  # sequences side by side: at GPT-2 small, 75 MiB of keys and values each at 1,024 tokens


def generate(
    model, prompts: list[list[int]], decoding: Decoding, *,
    progress: Callable[[Iterable], Iterable] = iter, **options,
) -> list[list[Continuation]]:
    """Continuations of each prompt, in order; of a beam search the best first.

    options: those of `as_they_end`. progress wraps the prompts that are done, one by one.
    """
    found = dict(progress(as_they_end(model, prompts, decoding, **options)))
    return [found[number] for number in range(len(prompts))]


def as_they_end(
    model,
    prompts: list[list[int]],
    decoding: Decoding,
    *,
    draws: Callable[[int], Draws] | None = None,
    decode_bytes: DecodeBytes | None = None,
    rows: int = ROWS,
    decoder: str = "auto",
    on_token: Callable[[int, int, Sequence], None] | None = None,
) -> Iterator[tuple[int, list[Continuation]]]:
    """(prompt number, its continuations) as soon as they are done.

    draws: prompt number -> its Draws, for the strategy sampling. decode_bytes: a tokenizer's, for
    texts and stop strings. rows: sequences that are computed side by side, no less than one prompt
    has. decoder: see choice.make_decoder. on_token: called with the numbers of prompt and sequence,
    and the sequence, after each token; a beam search has no tokens before its end.

    ValueError, before the first token, for a prompt that is empty, holds an unknown id, or leaves
    no position for a new token, and for an end token that is unknown. Fewer tokens than
    max_new_tokens come where the positions end.
    """
    states: list[PromptState] = []
    positions = 0
    for number, prompt in enumerate(prompts):
        own = fitted(decoding, prompt, model.config)
        positions = max(positions, len(prompt) + own.max_new_tokens)
        if own.strategy == "beam_search":
            states.append(BeamState(prompt, own, decode_bytes))
            continue
        drawn = None if draws is None else draws(number)
        told = None if on_token is None else partial(on_token, number)
        states.append(SampleState(prompt, own, drawn, decode_bytes, told))
    if not states:
        return
    count = min(max(rows, decoding.width), len(states) * decoding.width)
    batch = Batch(make_decoder(model, count, positions, decoder))
    for state in states:
        batch.add(state)
    numbers = {id(state): number for number, state in enumerate(states)}
    while batch.waiting or batch.active:
        for state in batch.step():
            yield numbers[id(state)], state.results()


def fitted(decoding: Decoding, prompt: list[int], config) -> Decoding:
    """The settings, with no more new tokens than the model has positions for.

    ValueError where the prompt is empty, holds an unknown id, or fills all positions, or an end
    token is unknown.
    """
    vocab_size = min(decoding.vocab_size or config.vocab_size, config.vocab_size)
    if not prompt:
        raise ValueError("the prompt has no tokens")
    if min(prompt) < 0 or max(prompt) >= vocab_size:
        raise ValueError(f"the prompt holds an id outside the vocabulary 0 to {vocab_size - 1}")
    check_end_tokens(decoding.eos_token_ids, vocab_size)
    room = config.n_positions - len(prompt)
    if room < 1:
        raise ValueError(
            f"the prompt has {len(prompt)} tokens; the model has {config.n_positions} positions "
            "and needs one for the first new token"
        )
    return replace(decoding, vocab_size=vocab_size,
                   max_new_tokens=min(decoding.max_new_tokens, room),
                   min_new_tokens=min(decoding.min_new_tokens, room))


def check_end_tokens(ids: Iterable[int], vocab_size: int) -> None:
    """ValueError for one that can never come."""
    for token in ids:
        if not 0 <= token < vocab_size:
            raise ValueError(
                f"the end token {token} is outside the vocabulary 0 to {vocab_size - 1}")
