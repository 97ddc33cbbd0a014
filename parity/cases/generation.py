"""The fixtures of generation: prompts, settings, shared draws, and logits to filter."""

from dataclasses import dataclass

import numpy as np

from paddle_impl.config.decoding import Decoding
from parity.cases import MODEL

_VOCABULARY = MODEL.vocab_size
_rng = np.random.default_rng(77)
PROMPTS = [_rng.integers(1, _VOCABULARY, size).tolist() for size in (1, 9, 40)]
PROMPTS[1][2:4] = 0, _VOCABULARY - 1  # the first and the last id
PROMPTS.append([*PROMPTS[2], *range(MODEL.n_positions - 41)])  # room for a single token
# (step, sequence) -> the uniform draw that chooses the token
DRAWS = _rng.random((MODEL.n_positions, 4))


@dataclass(frozen=True)
class Setting:
    """How to continue PROMPTS. ends: whether the token that `end_token` finds ends a text."""

    max_new_tokens: int = 12
    min_new_tokens: int = 0
    ends: bool = False
    vocab_size: int = _VOCABULARY
    sequences: int = 1
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


GREEDY = {
    "plain": Setting(),
    "one token": Setting(max_new_tokens=1),
    "end token": Setting(ends=True),
    "end token not yet": Setting(ends=True, min_new_tokens=8),
    "padded vocabulary": Setting(vocab_size=_VOCABULARY // 2),
    "to the last position": Setting(max_new_tokens=MODEL.n_positions),
}
SAMPLED = {
    "plain": Setting(sequences=4),
    "temperature": Setting(temperature=0.3),
    "top-k": Setting(sequences=3, top_k=7),
    "top-p": Setting(sequences=3, top_p=0.4),
    "all, end token": Setting(sequences=4, temperature=0.7, top_k=9, top_p=0.8, ends=True,
                              min_new_tokens=2),
}

# By an exported model, whose tokenizer has fewer tokens than the model.
_EXPORTED = 257
EXPORTED = {
    "plain": Setting(vocab_size=_EXPORTED),
    "to the last position": Setting(max_new_tokens=MODEL.n_positions, vocab_size=_EXPORTED),
}

_SPREADS = np.array([0.1, 1.0, 3.0, 9.0, 2.0, 2.0, 0.0])
FILTER_LOGITS = _rng.standard_normal((len(_SPREADS), _VOCABULARY)) * _SPREADS[:, None]
# Probabilities 1/2, 1/4 and 1/4, all others 0: the first sum equals top-p 0.5 to the last bit.
FILTER_LOGITS[-1] = -1e9
FILTER_LOGITS[-1, [7, 3, 5]] = np.log(2.0), 0.0, 0.0
TIED_LOGITS = np.round(FILTER_LOGITS)  # many equal scores, the k-th largest among them
# The sum of the 20 largest probabilities of a row, in float64. A p just above it keeps one token
# more than a p just below it.
_SORTED = np.sort(np.exp(FILTER_LOGITS[1]) / np.exp(FILTER_LOGITS[1]).sum())[::-1]
_SUM = float(_SORTED[:20].sum())
FILTERS = {
    "temperature": Setting(temperature=0.6),
    "top-1": Setting(top_k=1),
    "top-2": Setting(top_k=2),
    "top-all": Setting(top_k=_VOCABULARY),
    "top-p 0.05": Setting(top_p=0.05),
    "top-p 0.5": Setting(top_p=0.5),
    "top-p 0.99": Setting(top_p=0.99),
    "top-p above a sum": Setting(top_p=_SUM + 1e-10),
    "top-p below a sum": Setting(top_p=_SUM - 1e-10),
    "temperature, top-k, top-p": Setting(temperature=1.7, top_k=12, top_p=0.6),
}
# Draws at both ends of the unit interval choose the first and the last token of any probability.
FILTER_DRAWS = np.array([0.0, 1.0 - 2.0**-53, 0.5, 0.25, 0.999, 1e-9, 0.3])
# The tokens so far of each row of FILTER_LOGITS, the last NEW of them generated. Few different ids,
# so that they repeat.
NEW = 4
HISTORIES = _rng.integers(0, 6, (len(_SPREADS), 14))
HISTORIES[0] = range(14)  # no token twice
_ENDS = (5, 0, _VOCABULARY - 1)
PROCESSORS = {
    "repetition penalty": Decoding(9, repetition_penalty=1.4),
    "repetition reward": Decoding(9, repetition_penalty=0.6),
    "no token twice": Decoding(9, no_repeat_ngram_size=1),
    "no pair twice": Decoding(9, no_repeat_ngram_size=2),
    "no triple twice": Decoding(9, no_repeat_ngram_size=3),
    "longest n-gram": Decoding(9, no_repeat_ngram_size=14),
    "n-gram longer than all": Decoding(9, no_repeat_ngram_size=16),
    "no end yet": Decoding(9, min_new_tokens=NEW + 1, eos_token_ids=_ENDS),
    "end may come": Decoding(9, min_new_tokens=NEW, eos_token_ids=_ENDS),
    "padded vocabulary": Decoding(9, vocab_size=_VOCABULARY // 2),
    "all of them": Decoding(9, min_new_tokens=8, repetition_penalty=1.2, no_repeat_ngram_size=2,
                            eos_token_ids=_ENDS, vocab_size=_VOCABULARY - 1),
}
# Tokens fed at a time to a cached sequence: the prompt, single tokens, several at once.
CHUNKS = (7, 1, 1, 5, 1, 20, 1, 12)


def end_token(token_ids: list[int]) -> int:
    """The token whose first occurrence is the latest; as end token it leaves most of the text."""
    return max(token_ids, key=token_ids.index)
