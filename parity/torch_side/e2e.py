"""BLEU and NIST by pymteval's formulas; records by microsoft/LoRA's FT_Dataset.

Written from the published definitions, with lists of n-grams as texts: pymteval.py of
https://github.com/tuetschek/e2e-metrics, data_utils.py and model.py of
https://github.com/microsoft/LoRA.
"""

import html
import math
import re

import numpy as np
import torch
import torch.nn.functional as F

from parity.cases import Case, e2e
from parity.compare import Point, Trace
from parity.torch_side import weights
from parity.torch_side.backward import gradient_trace

_BETA = -math.log(0.5) / math.log(1.5) ** 2


def scored(case: Case, dtype: str) -> Trace:
    trace: Trace = {}
    for name, (outputs, references) in e2e.corpora().items():
        given = [_words(text) for text in outputs]
        known = [[_words(text) for text in own] for own in references]
        trace[Point(0, "score", f"BLEU, {name}")] = np.asarray(_bleu(given, known))
        trace[Point(0, "score", f"NIST, {name}")] = np.asarray(_nist(given, known))
    return trace


def padded(case: Case, dtype: str) -> Trace:
    """Every row is SEQ_LEN tokens, padded with 0; a mask tells which targets count."""
    trace: Trace = {}
    for joint_lm in (False, True):
        rows = [_row(*record, joint_lm) for record in e2e.records(case)]
        inputs, targets, mask = (torch.tensor(column) for column in zip(*rows, strict=True))
        model = weights.build(case, dtype)
        logits = model(inputs, use_cache=False).logits
        losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none") * mask
        loss = losses.sum() / mask.sum()
        loss.backward()
        at = "jlm" if joint_lm else "clm"
        trace[Point(0, "loss", at)] = loss.detach().numpy()
        trace |= {point._replace(tensor=f"{at}: {point.tensor}"): value
                  for point, value in gradient_trace(model).items()}
    return trace


def _row(context, completion, joint_lm: bool) -> tuple[list[int], list[int], list[float]]:
    both = context + completion
    used = min(len(both), e2e.SEQ_LEN)
    if joint_lm:
        mask = [1.0] * (used - 1)
    else:
        mask = [0.0] * (len(context) - 1) + [1.0] * (used - len(context))
    return tuple((part + [0] * e2e.SEQ_LEN)[: e2e.SEQ_LEN] for part in (both, both[1:], mask))


def _words(text: str) -> list[str]:
    """mteval-v13a's words, in lower case."""
    text = f" {html.unescape(text)} "
    text = re.sub(r"([^\w\s.,'-]|_)", r" \1 ", text.replace("£", "\0")).replace(" \0 ", "£")
    text = re.sub(r"(?<=\D)([.,])", r" \1 ", text)
    text = re.sub(r"([.,])(?=\D)", r" \1 ", text)
    return re.sub(r"(?<=\d)-", " - ", text).lower().split()


def _grams(words: list[str], n: int) -> list[str]:
    return ["\t".join(words[place - n : place]) for place in range(n, len(words) + 1)]


def _matches(words: list[str], references: list[list[str]], n: int) -> dict[str, int]:
    """n-gram -> how often it counts: at most as often as one reference has it."""
    own = _grams(words, n)
    return {gram: min(own.count(gram), max(_grams(reference, n).count(gram)
                                           for reference in references)) for gram in set(own)}


def _bleu(given, known) -> float:
    total, logs = 0, []
    for n in range(1, 5):
        hits = sum(sum(_matches(words, own, n).values())
                   for words, own in zip(given, known, strict=True))
        count = sum(len(words) - n + 1 for words in given)
        logs.append(math.log(max(hits, 1e-15) / count))
    for words, own in zip(given, known, strict=True):
        total += min((abs(len(one) - len(words)), len(one)) for one in own)[1]
    length = sum(map(len, given))
    brevity = math.exp(1.0 - total / length) if length <= total else 1.0
    return brevity * math.exp(sum(logs) / 4)


def _nist(given, known) -> float:
    every = {n: [gram for own in known for words in own for gram in _grams(words, n)]
             for n in range(1, 6)}

    def info(gram: str, n: int) -> float:
        before = every[n - 1].count(gram.rpartition("\t")[0]) if n > 1 else len(every[1])
        return math.log(before / every[n].count(gram), 2)

    score = 0.0
    for n in range(1, 6):
        gained = sum(info(gram, n) * count for words, own in zip(given, known, strict=True)
                     for gram, count in _matches(words, own, n).items() if count)
        score += gained / sum(len(words) - n + 1 for words in given)
    ratio = sum(map(len, given)) / sum(np.mean([len(one) for one in own]) for own in known)
    return score * math.exp(-_BETA * math.log(min(ratio, 1.0)) ** 2)
