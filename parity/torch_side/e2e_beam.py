"""microsoft/LoRA's beam search in plain loops: every step computes whole sequences."""

import numpy as np
import torch

from paddle_impl.config.decoding import Decoding
from parity.cases import Case, e2e_beam
from parity.cases.decoding import points
from parity.compare import Trace
from parity.torch_side import weights


def searched(case: Case, dtype: str) -> Trace:
    """The best continuation of each prompt and its score."""
    trace: Trace = {}
    for number, (own, prompts, decoding) in enumerate(e2e_beam.searches(case)):
        model = weights.build(own, dtype)
        for place, prompt in enumerate(prompts):
            score, tokens = _best(model, prompt, decoding)
            ended = tokens[-1] in decoding.eos_token_ids
            for decoder in e2e_beam.DECODERS:
                trace |= points(f"{decoder}: model {number}, prompt {place}",
                                [tokens[:-1] if ended else tokens], [ended], [score])
    return trace


def _best(model, prompt: list[int], decoding: Decoding) -> tuple[float, list[int]]:
    """(score, new tokens) of the best beam of all that end, or are there after the last step."""
    beams: list[tuple[float, list[int]]] = [(0.0, [])]
    finished: list[tuple[float, list[int]]] = []
    for step in range(decoding.max_new_tokens):
        candidates = []
        for (total, tokens), logits in zip(beams, _next(model, prompt, beams), strict=True):
            logs = _allowed(logits, tokens, step, decoding).log_softmax(dim=-1).tolist()
            candidates += [(total + log, [*tokens, token]) for token, log in enumerate(logs)]
        candidates.sort(key=lambda one: one[0], reverse=True)
        beams = []
        for total, tokens in candidates[: decoding.num_beams]:
            ends = tokens[-1] in decoding.eos_token_ids or step + 1 == decoding.max_new_tokens
            if ends:
                finished.append((total / len(tokens) ** decoding.length_penalty, tokens))
            elif total > -np.inf:
                beams.append((total, tokens))
        if not beams:
            break
    return max(finished, key=lambda one: one[0])


def _next(model, prompt: list[int], beams) -> torch.Tensor:
    """The next token's logits of each beam, (beams, V)."""
    ids = torch.tensor([prompt + tokens for _, tokens in beams])
    with torch.no_grad():
        return model(ids, use_cache=False).logits[:, -1]


def _allowed(logits, tokens: list[int], step: int, decoding: Decoding) -> torch.Tensor:
    """The logits (V,) after penalties, which see the new tokens only."""
    logits = logits.clone()
    for token in set(tokens):
        worse = logits[token] < 0
        logits[token] *= decoding.repetition_penalty if worse else 1 / decoding.repetition_penalty
    if step < decoding.min_new_tokens:
        logits[list(decoding.eos_token_ids)] = -torch.inf
    size = decoding.no_repeat_ngram_size
    for place in range(len(tokens) - size + 1):
        if tokens[place : place + size - 1] == tokens[len(tokens) - size + 1 :]:
            logits[tokens[place + size - 1]] = -torch.inf
    return logits
