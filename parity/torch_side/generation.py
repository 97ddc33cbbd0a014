"""Generation by transformers: its generate(), its logits filters, and logits without a cache."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinNewTokensLengthLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from paddle_impl.config.decoding import Decoding
from parity.cases import Case
from parity.cases import generation as cases
from parity.cases.generation import Setting
from parity.compare import Point, Trace
from parity.torch_side import weights


def greedy(case: Case, dtype: str) -> Trace:
    """Token ids and mean log-probability of every prompt and setting."""
    return _continuations(case, dtype, cases.GREEDY)


def sampled(case: Case, dtype: str) -> Trace:
    """The same for sampled continuations, whose tokens are chosen by shared uniform draws."""
    return _continuations(case, dtype, cases.SAMPLED)


def exported(case: Case, dtype: str) -> Trace:
    """The same for a model whose last tokens are never chosen."""
    return _continuations(case, dtype, cases.EXPORTED)


def cached_logits(case: Case, dtype: str) -> Trace:
    """Logits (1, T, V) of one sequence, computed without a cache; the same for each way to feed it.
    """
    model = weights.build(case, dtype)
    trace: Trace = {}
    for row, name in enumerate(("in chunks", "token by token")):
        ids = torch.from_numpy(case.batch["input_ids"][row, None, : sum(cases.CHUNKS)])
        with torch.no_grad():
            trace[Point(0, "logits", name)] = model(ids, use_cache=False).logits.numpy()
    return trace


def filters(case: Case, dtype: str) -> Trace:
    """Probabilities (rows, V) that each filter leaves, and the tokens that shared draws choose."""
    trace: Trace = {}
    for name, setting in cases.FILTERS.items():
        # Where top-p cuts between equal probabilities, either of them may be kept.
        for kind in ("plain",) if setting.top_p < 1.0 else ("plain", "tied"):
            logits = cases.TIED_LOGITS if kind == "tied" else cases.FILTER_LOGITS
            left = _warpers(setting)(None, torch.from_numpy(logits)).softmax(dim=-1)
            trace[Point(0, "filtered", f"{name}, {kind} logits")] = left.numpy()
            chosen = choose(left, torch.from_numpy(cases.FILTER_DRAWS))
            trace[Point(0, "chosen ids", f"{name}, {kind} logits")] = chosen.numpy()
    histories, logits = torch.from_numpy(cases.HISTORIES), torch.from_numpy(cases.FILTER_LOGITS)
    for name, decoding in cases.PROCESSORS.items():
        own = processors(decoding, histories.shape[1] - cases.NEW, logits.shape[1])
        for kind, scores in (("logits", logits), ("log-probabilities", logits.log_softmax(-1))):
            left = own(histories, scores).softmax(dim=-1)
            trace[Point(0, "filtered", f"{name}, {kind}")] = left.numpy()
    first = torch.from_numpy(cases.TIED_LOGITS).argmax(dim=-1)
    trace[Point(0, "chosen ids", "greedy among equals")] = first.numpy()
    return trace


def _continuations(case: Case, dtype: str, settings: dict[str, Setting]) -> Trace:
    model = weights.build(case, dtype)
    trace: Trace = {}
    for name, setting in settings.items():
        for number, prompt in enumerate(cases.PROMPTS):
            drawn = settings is cases.SAMPLED
            end = None
            if setting.ends:
                free = replace(setting, ends=False, min_new_tokens=0)
                end = cases.end_token(_generate(model, prompt, free, None, drawn)[0])
            for sequence, ids in enumerate(_generate(model, prompt, setting, end, drawn)):
                at = f"{name}, prompt {number}, sequence {sequence}"
                score = _mean_log_probability(model, prompt, ids, setting, end)
                stopped = ids and ids[-1] == end
                trace[Point(0, "chosen ids", at)] = np.array([*ids[: -1 if stopped else None], -1])
                trace[Point(0, "ended", at)] = np.asarray([bool(stopped), not stopped])
                trace[Point(0, "score", at)] = np.asarray(score)
    return trace


def _generate(model, prompt: list[int], setting: Setting, end: int | None, drawn: bool):
    """New tokens of each sequence, its end token included."""
    new = min(setting.max_new_tokens, model.config.n_positions - len(prompt))
    steps = iter(cases.DRAWS[:, : setting.sequences])

    def multinomial(probabilities, num_samples):
        return choose(probabilities.double(), torch.from_numpy(next(steps)))[:, None]

    options = {"do_sample": False}
    if drawn:
        options = {"do_sample": True, "temperature": setting.temperature, "top_p": setting.top_p,
                   "top_k": setting.top_k, "num_return_sequences": setting.sequences}
    banned = list(range(setting.vocab_size, model.config.vocab_size))
    ids = torch.tensor([prompt]) % setting.vocab_size
    with patch.object(torch, "multinomial", multinomial):
        out = model.generate(
            ids, attention_mask=torch.ones_like(ids), pad_token_id=0, eos_token_id=end,
            max_new_tokens=new, suppress_tokens=banned or None,
            min_new_tokens=min(setting.min_new_tokens, new) if end is not None else None, **options,
        )
    rows = out[:, len(prompt):].tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def _mean_log_probability(model, prompt, ids: list[int], setting: Setting, end) -> float:
    """Computed in the model's precision, because generate() casts logits to float32."""
    sequence = torch.tensor([prompt]) % setting.vocab_size
    sequence = torch.cat([sequence, torch.tensor([ids])], dim=1)
    with torch.no_grad():
        logits = model(sequence, use_cache=False).logits[0, len(prompt) - 1 : -1].double()
    logits[:, setting.vocab_size :] = -torch.inf
    if end is not None:
        logits[: setting.min_new_tokens, end] = -torch.inf
    chosen = logits.log_softmax(dim=-1)[torch.arange(len(ids)), ids]
    return float(chosen.mean())


def _warpers(setting: Setting) -> LogitsProcessorList:
    warpers = LogitsProcessorList([TemperatureLogitsWarper(setting.temperature)])
    if setting.top_k:
        warpers.append(TopKLogitsWarper(setting.top_k))
    if setting.top_p < 1.0:
        warpers.append(TopPLogitsWarper(setting.top_p))
    return warpers


def processors(decoding: Decoding, prompt_length: int, vocab_size: int) -> LogitsProcessorList:
    """The logits processors of a setting, in the order in which generate() applies them."""
    found = LogitsProcessorList()
    if decoding.repetition_penalty != 1.0:
        found.append(RepetitionPenaltyLogitsProcessor(decoding.repetition_penalty))
    if decoding.no_repeat_ngram_size:
        found.append(NoRepeatNGramLogitsProcessor(decoding.no_repeat_ngram_size))
    if decoding.eos_token_ids and decoding.min_new_tokens:
        found.append(MinNewTokensLengthLogitsProcessor(
            prompt_length, decoding.min_new_tokens, list(decoding.eos_token_ids)))
    if banned := list(range(decoding.vocab_size or vocab_size, vocab_size)):
        found.append(SuppressTokensLogitsProcessor(banned))
    return found


def choose(probabilities: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Inverse of the cumulative distribution in token order: (N, V), (N,) -> (N,)."""
    sums = probabilities.cumsum(dim=-1)
    return torch.searchsorted(sums, draws[:, None] * sums[:, -1:], right=True)[:, 0]
