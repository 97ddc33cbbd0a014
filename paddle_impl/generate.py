"""Continue prompts: greedy, sampled or by beam search. Prompts of a batch do not influence each
other.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from paddle_impl.config.decoding import Decoding
from paddle_impl.config.options import require
from paddle_impl.decoding.batch import Batch
from paddle_impl.decoding.beam import BeamState
from paddle_impl.decoding.decoder import Decoder
from paddle_impl.decoding.prompt_state import Continuation, PromptState
from paddle_impl.decoding.sequences import Draws, SampleState, Sequence
from paddle_impl.decoding.stop_strings import StopStrings
from paddle_impl.decoding.text import DecodeBytes

ROWS = 16  # sequences side by side: at GPT-2 small, 75 MiB of keys and values each at 1,024 tokens


def generate(
    source, prompts: list[list[int]], decoding: Decoding, *,
    progress: Callable[[Iterable], Iterable] = iter, **options,
) -> list[list[Continuation]]:
    """Return the continuations of each prompt, in order; of a beam search the best comes first.

    source, options: as for `generate_iter`. progress is called with an iterator over the prompts
    that are done, as tqdm is, and what it returns is iterated over.
    """
    found = dict(progress(generate_iter(source, prompts, decoding, **options)))
    return [found[number] for number in range(len(prompts))]


def generate_iter(
    source,
    prompts: list[list[int]],
    decoding: Decoding,
    *,
    draws: Callable[[int], Draws] | None = None,
    decode_bytes: DecodeBytes | None = None,
    on_token: Callable[[int, int, Sequence], None] | None = None,
    rows: int | None = None,
    decoder: str | None = None,
) -> Iterator[tuple[int, list[Continuation]]]:
    """Yield (prompt number, its continuations) for each prompt, in the order in which they end.

    source: a Decoder, or a GPTForCausalLM, for which a decoder is made. draws: prompt number -> its
    Draws, for the strategy sampling. decode_bytes: a tokenizer's, for texts and stop strings.
    on_token: called with the number of the prompt, the number of the sequence and the sequence
    after each token; a beam search has no tokens before its end.

    For a model only: rows, the sequences that are computed side by side, by default ROWS and always
    as many as one prompt has; decoder, by default "auto", see choice.make_decoder.

    ValueError, before the first token, for a prompt that is empty, holds an unknown id, or leaves
    no position for a new token, for an end token that is unknown, and for a prompt of more
    sequences than the given decoder has rows. A continuation is shorter than max_new_tokens where
    the positions end.
    """
    given = isinstance(source, Decoder)
    require(not given or (rows is None and decoder is None),
            "rows and decoder say how to make a decoder for a model, and a decoder was given: "
            "leave them out")
    vocab_size, positions = (source.vocab_size, source.positions) if given else (
        source.config.vocab_size, source.config.n_positions)
    stops = StopStrings(decoding.stop)
    states = [
        new_state(prompt, fitted(decoding, prompt, vocab_size, positions),
                  None if draws is None else draws(number), decode_bytes,
                  None if on_token is None else partial(on_token, number), stops)
        for number, prompt in enumerate(prompts)
    ]
    if not states:
        return
    if not given:
        # Imported here: a caller with a decoder, as for an exported model, needs no model code.
        from paddle_impl.decoding.choice import make_decoder

        source = make_decoder(source, *decoder_size(prompts, decoding, rows),
                              "auto" if decoder is None else decoder)
    batch = Batch(source)
    for state in states:
        batch.add(state)
    numbers = {id(state): number for number, state in enumerate(states)}
    while batch.waiting or batch.active:
        for state in batch.step():
            yield numbers[id(state)], state.results()


def decoder_size(
    prompts: list[list[int]], decoding: Decoding, rows: int | None = None
) -> tuple[int, int]:
    """Rows and positions of a decoder for these prompts; the positions may exceed the model's.

    rows: sequences that are computed side by side, by default ROWS. At least those of one prompt
    are, and no more than those of all prompts.
    """
    wanted = ROWS if rows is None else rows
    longest = max(map(len, prompts), default=0)
    return (min(max(wanted, decoding.width), len(prompts) * decoding.width),
            longest + decoding.max_new_tokens)


def new_state(
    prompt: list[int],
    decoding: Decoding,
    draws: Draws | None = None,
    decode_bytes: DecodeBytes | None = None,
    on_token: Callable[[int, Sequence], None] | None = None,
    stops: StopStrings | None = None,
) -> PromptState:
    """The state of a prompt that a Batch has not begun yet: a beam search, or sequences.

    decoding: `fitted` to the prompt. draws, decode_bytes, on_token, stops: see SampleState. Of
    these a beam search uses decode_bytes only.
    """
    if decoding.strategy == "beam_search":
        return BeamState(prompt, decoding, decode_bytes)
    return SampleState(prompt, decoding, draws, decode_bytes, on_token, stops)


def fitted(decoding: Decoding, prompt: list[int], vocab_size: int, positions: int) -> Decoding:
    """The settings, with no more new tokens than there are positions left after the prompt.

    vocab_size: ids below it may be fed. positions: for the prompt and the new tokens together.
    ValueError where the prompt is empty, holds an unknown id, or fills all positions, or an end
    token is unknown.
    """
    vocab_size = min(decoding.vocab_size or vocab_size, vocab_size)
    if not prompt:
        raise ValueError("the prompt has no tokens")
    if min(prompt) < 0 or max(prompt) >= vocab_size:
        raise ValueError(f"the prompt holds an id outside the vocabulary 0 to {vocab_size - 1}")
    check_end_tokens(decoding.eos_token_ids, vocab_size)
    room = positions - len(prompt)
    if room < 1:
        raise ValueError(
            f"the prompt has {len(prompt)} tokens; the model has {positions} positions "
            "and needs one for the first new token"
        )
    return replace(decoding, vocab_size=vocab_size,
                   max_new_tokens=min(decoding.max_new_tokens, room),
                   min_new_tokens=min(decoding.min_new_tokens, room))


def check_end_tokens(ids: Iterable[int], vocab_size: int) -> None:
    """ValueError for an end token outside the vocabulary, which can never come."""
    for token in ids:
        if not 0 <= token < vocab_size:
            raise ValueError(
                f"the end token {token} is outside the vocabulary 0 to {vocab_size - 1}")
