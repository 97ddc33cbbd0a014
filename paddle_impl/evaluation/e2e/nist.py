"""NIST of n-grams up to five, as pymteval of the E2E challenge's metrics computes it.

Automatic Evaluation of Machine Translation Quality Using N-gram Co-Occurrence Statistics,
Doddington 2002. A text of fewer than n words counts as having no n-grams, as in mteval's Perl;
pymteval subtracts from the count of the others, and cannot divide where all are as short.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

ORDER = 5
# Outputs of two thirds of the references' length cost half the score.
_BETA = math.log(2.0) / math.log(1.5) ** 2


def nist(instances: Iterable[tuple[Sequence[str], Sequence[Sequence[str]]]]) -> float:
    """The score of a whole set; 0 where no output has a word.

    instances: the words of each output, and those of each of its references; compared as they are.
    """
    written, matched, known = Counter(), Counter(), Counter()
    output_length = reference_length = 0.0
    for output, references in instances:
        own = _ngrams(output)
        of_references = [_ngrams(reference) for reference in references]
        for ngram, count in own.items():
            written[len(ngram)] += count
        matched.update(own & reduce(or_, of_references))  # the most that any reference has
        for counts in of_references:
            known.update(counts)
        output_length += len(output)
        lengths = [len(reference) for reference in references]
        known[()] += sum(lengths)
        reference_length += sum(lengths) / len(lengths)
    gained = Counter()
    for ngram, count in matched.items():
        gained[len(ngram)] += count * math.log2(known[ngram[:-1]] / known[ngram])
    score = sum(gained[n] / written[n] for n in written)
    return score * _penalty(output_length, reference_length)


def _penalty(output_length: float, reference_length: float) -> float:
    if output_length >= reference_length:
        return 1.0
    if output_length == 0:
        return 0.0
    return math.exp(-_BETA * math.log(output_length / reference_length) ** 2)


def _ngrams(words: Sequence[str]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[start : start + n]) for n in range(1, ORDER + 1)
                   for start in range(len(words) - n + 1))
