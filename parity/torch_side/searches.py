"""Beam searches that transformers does not have, restated from their authors' code.

They continue one prompt, without a cache or a batch: every step computes whole sequences. They
share no code with paddle_impl.
"""

from typing import NamedTuple

import torch

from paddle_impl.config.decoding import Decoding
from parity.torch_side.generation import processors


class Found(NamedTuple):
    """score: float64; tokens: the new ones, an end token included."""

    score: float
    tokens: list[int]


def paddlenlp(model, prompt: list[int], decoding: Decoding) -> list[Found]:
    """PaddleNLP 2.8.1, beam_search with BeamHypotheses and BeamSearchScorer.

    PaddleNLP's has one end token. With more, this takes as many candidates as transformers would.
    """
    beams, ends, start = decoding.num_beams, decoding.eos_token_ids, len(prompt)
    kept, found = max(2, 1 + len(ends)) * beams, []
    vocab_size = model.config.vocab_size
    filters = processors(decoding, start, vocab_size)
    ids = torch.tensor([prompt] * beams)
    sums = torch.tensor([0.0] + [-1e9] * (beams - 1), dtype=torch.float64)

    def worth(total: float, length: int) -> float:
        return total / ((length + 5) / 6) ** decoding.length_penalty

    def add(total: float, length: int, tokens: list[int]) -> None:
        one = Found(worth(total, length), tokens)
        if len(found) < beams or one.score > min(other.score for other in found):
            found.append(one)
            found.sort(key=lambda other: other.score)
            del found[:-beams]

    for length in range(decoding.max_new_tokens):
        scores = filters(ids, _next(model, ids).log_softmax(dim=-1)) + sums[:, None]
        best, where = scores.flatten().topk(min(kept, scores.numel()))
        going = []
        for rank, (total, at) in enumerate(zip(best.tolist(), where.tolist(), strict=True)):
            row, token = divmod(at, vocab_size)
            if token not in ends:
                going.append((total, [*ids[row].tolist(), token]))
            elif rank < beams:
                add(total, length, [*ids[row, start:].tolist(), token])
            if len(going) == beams:
                break
        sums = torch.tensor([total for total, _ in going], dtype=torch.float64)
        ids = torch.tensor([tokens for _, tokens in going])
        if len(found) == beams and (
            decoding.early_stopping or found[0].score >= worth(float(best[0]), length)
        ):
            break
    else:
        for total, tokens in going:
            add(total, decoding.max_new_tokens, tokens[start:])
    return found[::-1]


def lora(model, prompt: list[int], decoding: Decoding) -> list[Found]:
    """microsoft/LoRA, examples/NLG/src/gpt2_beam.py. It returns the best beam only, this all.

    Its penalties are applied to the logits and do not count the prompt's tokens.
    """
    beams, ends, found = decoding.num_beams, decoding.eos_token_ids, []
    vocab_size = model.config.vocab_size
    filters = processors(decoding, 0, vocab_size)
    new = torch.zeros((beams, 0), dtype=torch.int64)
    sums = torch.zeros(beams, dtype=torch.float64)

    def add(rows) -> None:
        for row in rows:
            score = float(sums[row]) / new.shape[1] ** decoding.length_penalty
            found.append(Found(score, new[row].tolist()))
            sums[row] = -torch.inf

    for step in range(decoding.max_new_tokens):
        ids = torch.cat([torch.tensor([prompt] * len(new)), new], dim=1)
        logits = filters(new, _next(model, ids))
        scores = sums[:, None] + logits.softmax(dim=-1).log()
        if step == 0:
            scores = scores[:1]
        sums, where = scores.flatten().topk(min(beams, scores.numel()))
        new = torch.cat([new[where // vocab_size], where[:, None] % vocab_size], dim=1)
        add([row for row in range(len(new)) if int(new[row, -1]) in ends])
    add(range(len(new)))
    alive = [one for one in found if one.score > -torch.inf]
    return sorted(alive, key=lambda one: one.score, reverse=True)


def _next(model, ids: torch.Tensor) -> torch.Tensor:
    """Logits after each row's last token, (n, V)."""
    with torch.no_grad():
        return model(ids, use_cache=False).logits[:, -1]
