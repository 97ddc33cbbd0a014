"""Generation with 200 tiny models: transformers' generate in float64, each prompt on its own."""

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import torch
from transformers.generation import utils

from paddle_impl.config.decoding import Decoding
from parity.cases import Case, stops
from parity.cases import blocks as fixtures
from parity.cases import decoding as cases
from parity.compare import Trace
from parity.torch_side import searches, weights
from parity.torch_side.generation import choose, processors


class _Double:
    """Stands for `torch` in transformers' generation: its casts to float32 become float64."""

    float32 = float = torch.float64

    def __getattr__(self, name: str):
        return getattr(torch, name)


def many(case: Case, dtype: str) -> Trace:
    """Greedy and sampled continuations; the sampled tokens are chosen by shared uniform draws."""
    trace: Trace = {}
    for tiny in cases.models(case):
        model = weights.build(tiny.case, dtype)
        for name, decoding, prompts in (("greedy", tiny.greedy, tiny.prompts),
                                        ("sampled", tiny.sampled, tiny.drawn)):
            for number, prompt in enumerate(prompts):
                own = cases.fitted(decoding, prompt)
                found = continued(model, prompt, own, cases.DRAWS[number])
                for decoder in tiny.decoders:
                    trace |= points(f"{decoder}: {tiny.name}, {name}, prompt {number}", *found,
                                     own)
    return trace


def beam(case: Case, dtype: str) -> Trace:
    """Every beam that is returned, and its score."""
    trace: Trace = {}
    for tiny in cases.models(case):
        model = weights.build(tiny.case, dtype)
        for number, prompt in enumerate(tiny.searched):
            own = cases.fitted(tiny.beam, prompt)
            found = continued(model, prompt, own)
            for decoder in tiny.decoders:
                trace |= points(f"{decoder}: {tiny.name}, prompt {number}", *found, own)
    return trace


def other_beams(case: Case, dtype: str) -> Trace:
    """Beam searches by the two conventions that transformers does not have."""
    trace: Trace = {}
    for tiny in cases.models(case)[: cases.EACH_OTHER]:
        model = weights.build(tiny.case, dtype)
        for name, decoding in tiny.others().items():
            for number, prompt in enumerate(tiny.searched):
                own = cases.fitted(decoding, prompt)
                search = getattr(searches, name)
                with _without_padding(model, own):
                    found = search(model, prompt, own)[: own.num_return_sequences]
                trace |= points(f"{tiny.name}, {name}, prompt {number}",
                                 [one.tokens for one in found], [one.score for one in found], own)
    return trace


def blocks(case: Case, dtype: str) -> Trace:
    """Batches of prompts of different lengths, over the ends of the cache's blocks."""
    trace: Trace = {}
    model = weights.build(fixtures.model(case.name), dtype)
    for name, (lengths, decoding) in fixtures.BATCHES.items():
        for number, prompt in enumerate(fixtures.prompts(lengths)):
            own = cases.fitted(decoding, prompt, fixtures.SHAPE.n_positions)
            found = continued(model, prompt, own, cases.DRAWS[number] if own.sampled else None)
            for decoder in cases.DECODERS:
                trace |= points(f"{decoder}: {name}, prompt {number}", *found, own)
    return trace


def stopped(case: Case, dtype: str) -> Trace:
    """Greedy continuations that end at a stop string, found in the text of an endless one."""
    trace: Trace = {}
    for tiny in stops.tiny_models(case):
        model = weights.build(tiny.case, dtype)
        for number, prompt in enumerate(tiny.prompts):
            own = cases.fitted(stops.setting(tiny), prompt)
            (tokens,), _ = continued(model, prompt, own)
            count, text = first_stop(tokens, stops.decode_bytes, stops.STOPS)
            tokens = tokens[:count]
            _, (score,) = continued(model, prompt, replace(own, max_new_tokens=len(tokens)))
            at = f"{tiny.name}, prompt {number}"
            trace |= stops.points(at, tokens, count is not None, text, score)
    return trace


def first_stop(
    tokens: list[int], spelled: Callable[[list[int]], bytes], stops: Iterable[str], least: int = 0
) -> tuple[int | None, str]:
    """(tokens up to the one that completes a stop string, or None; the text before the string).

    Of several that a token completes the one that ends first counts, and of these the longest. One
    that is complete within the first `least` tokens stays in the text.
    """
    held = len(spelled(tokens[:least]))
    for count in range(least + 1, len(tokens) + 1):
        raw = spelled(tokens[:count])
        ends = [(at + len(stop), at) for stop in map(str.encode, stops)
                for at in range(len(raw)) if raw.startswith(stop, at) and at + len(stop) > held]
        if ends:
            return count, raw[: min(ends)[1]].decode(errors="replace")
    return None, spelled(tokens).decode(errors="replace")


def continued(model, prompt: list[int], decoding: Decoding, draws: np.ndarray | None = None):
    """(new tokens, score) of each sequence. A greedy search, which has no scores, gets a beam's."""
    out = _generate(model, prompt, decoding, draws)
    rows = _cut(out.sequences, prompt, decoding)
    if decoding.num_beams > 1:
        return rows, out.sequences_scores.tolist()
    sums = _sums(out, prompt, rows, decoding)
    return rows, [total / len(row) ** decoding.length_penalty
                  for row, total in zip(rows, sums, strict=True)]


def _generate(model, prompt: list[int], decoding: Decoding, draws: np.ndarray | None = None):
    """draws: (step, sequence), for sampling."""
    steps = iter(()) if draws is None else iter(draws[:, : decoding.num_return_sequences])

    def multinomial(probabilities, num_samples):
        return choose(probabilities, torch.from_numpy(next(steps)))[:, None]

    options = {"num_return_sequences": decoding.num_return_sequences}
    if decoding.sampled:
        options |= {"do_sample": True, "temperature": decoding.temperature,
                    "top_k": decoding.top_k, "top_p": decoding.top_p}
    if decoding.num_beams > 1:
        options |= {"num_beams": decoding.num_beams, "length_penalty": decoding.length_penalty,
                    "early_stopping": decoding.early_stopping}
    ends = list(decoding.eos_token_ids)
    ids = torch.tensor([prompt])
    with patch.object(utils, "torch", _Double()), patch.object(torch, "multinomial", multinomial), \
            _without_padding(model, decoding):
        return model.generate(
            ids, attention_mask=torch.ones_like(ids), pad_token_id=0, eos_token_id=ends or None,
            max_new_tokens=decoding.max_new_tokens,
            min_new_tokens=decoding.min_new_tokens if ends else None,
            repetition_penalty=decoding.repetition_penalty,
            no_repeat_ngram_size=decoding.no_repeat_ngram_size,
            return_dict_in_generate=True, output_logits=True, output_scores=True, **options,
        )


@contextmanager
def _without_padding(model, decoding: Decoding):
    """Give the ids beyond the vocabulary a probability of 0, in the model's own logits.

    transformers' beam search bans tokens after it has normalised, so that banned padding would keep
    its share of the probability.
    """
    def masked(head, inputs, logits):
        logits = logits.clone()
        logits[..., decoding.vocab_size :] = -torch.inf
        return logits

    hook = model.lm_head.register_forward_hook(masked)
    try:
        yield
    finally:
        hook.remove()


def _cut(sequences: torch.Tensor, prompt: list[int], decoding: Decoding) -> list[list[int]]:
    """The new tokens of each sequence up to its end token, without padding."""
    rows = []
    for row in sequences[:, len(prompt):].tolist():
        ends = [at for at, token in enumerate(row) if token in decoding.eos_token_ids]
        rows.append(row[: ends[0] + 1] if ends else row)
    return rows


def _sums(out, prompt: list[int], rows: list[list[int]], decoding: Decoding) -> list[float]:
    """Each sequence's log-probability, by the logits after penalties and before temperature etc."""
    logits = torch.stack(out.logits, dim=1)  # (sequences, steps, V)
    own = processors(decoding, len(prompt), logits.shape[-1])
    sums = []
    for row, scores in zip(rows, logits, strict=True):
        total = 0.0
        for step, token in enumerate(row):
            seen = torch.tensor([[*prompt, *row[:step]]])
            total += float(own(seen, scores[None, step]).log_softmax(dim=-1)[0, token])
        sums.append(total)
    return sums


def points(
    at: str, rows: list[list[int]], scores: list[float] | None, decoding: Decoding
) -> Trace:
    ended = [bool(row) and row[-1] in decoding.eos_token_ids for row in rows]
    return cases.points(at, [row[:-1] if end else row
                             for row, end in zip(rows, ended, strict=True)], ended, scores)
