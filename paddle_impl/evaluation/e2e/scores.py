"""BLEU, NIST, METEOR, ROUGE_L and CIDEr of systems' outputs against references."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import NamedTuple

from paddle_impl.evaluation.e2e import java
from paddle_impl.evaluation.e2e.nist import nist

METRICS = ("BLEU", "NIST", "METEOR", "ROUGE_L", "CIDEr")
_OF_JAVA = METRICS[2:]
# pymteval counts a missing n-gram as this many, so that the logarithm exists.
_TINY = 1e-15


class System(NamedTuple):
    """outputs: one for each instance, perhaps empty. references: one or more for each instance.
    about: what the outputs are, for people.
    """

    outputs: Sequence[str]
    references: Sequence[Sequence[str]]
    about: str = ""


@dataclass(frozen=True)
class Scores:
    """values: by the names of METRICS; None for what was not computed. notes: for people."""

    values: Mapping[str, float | None]
    not_computed: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def shown(self, metric: str) -> str:
        value = self.values[metric]
        return (f"not computed: {self.not_computed[metric]}" if value is None else f"{value:.4f}")

    def text(self) -> str:
        """The block that the challenge's measure_scores.py prints, and the notes."""
        lines = [f"{metric}: {self.shown(metric)}" for metric in METRICS]
        return "\n".join(["SCORES:", "==============", *lines, *self.notes])


def score(systems: Mapping[str, System], *, java_timeout: float = java.TIME_LIMIT,
          progress: Callable[[Iterable], Iterable] = iter) -> Iterator[tuple[str, Scores]]:
    """(name, its scores) of each system, one after the other.

    java_timeout: seconds that a program may take for one system. Without Java, METEOR, ROUGE_L and
    CIDEr, whose words are PTB's, are not computed. ValueError where the extra `metrics` is not
    there or a program fails.
    """
    with ExitStack() as stack:
        if java.found():
            meteor = stack.enter_context(java.Meteor(java_timeout))
        before = None
        for name, (outputs, references, _) in systems.items():
            assert len(outputs) == len(references) and all(references)
            values: dict[str, float | None] = {**of_ngrams(outputs, references)}
            if java.found():
                if references is not before:  # several systems have the same ones
                    flat = [text for own in references for text in own]
                    tokenized = iter(java.tokenized(flat, java_timeout))
                    known = [[next(tokenized) for _ in own] for own in references]
                    before = references
                ptb = java.tokenized(outputs, java_timeout)
                values["METEOR"] = meteor.score(ptb, known, progress)
                values |= _of_captions(ptb, known)
            missing = {metric: java.NO_JAVA for metric in _OF_JAVA if metric not in values}
            yield name, Scores(values | dict.fromkeys(missing), missing, _notes(outputs, missing))


def _notes(outputs: Sequence[str], missing: Mapping[str, str]) -> tuple[str, ...]:
    empty = sum(not output.strip() for output in outputs)
    notes = [f"{empty:,} of {len(outputs):,} outputs are empty"] if empty else []
    if len(outputs) == 1 and "CIDEr" not in missing:
        notes.append("CIDEr of a single instance is 0: it weighs words by how few instances have "
                     "them")
    return tuple(notes)


def of_ngrams(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """BLEU-4 from 0 to 1, which is 0 where no output has four words, and NIST-5.

    Words are those of mteval-v13a, in lower case. sacrebleu's BLEU equals pymteval's.
    """
    try:
        from sacrebleu.metrics import BLEU
        from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
    except ImportError:
        raise ValueError(java.MISSING.format("sacrebleu")) from None
    bleu = BLEU(tokenize="13a", lowercase=True, force=True, smooth_method="floor",
                smooth_value=_TINY)
    most = max(map(len, references))
    streams = [[own[number] if number < len(own) else None for own in references]
               for number in range(most)]
    tokenize = Tokenizer13a()
    given, *known = ([tokenize(text).lower().split() for text in texts]
                     for texts in (outputs, *references))
    return {"BLEU": bleu.corpus_score(list(outputs), streams).score / 100.0,
            "NIST": nist(zip(given, known, strict=True))}


def _of_captions(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """ROUGE_L and CIDEr of PTB's words; CIDEr is 0 where no reference has any."""
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    known = {number: list(own) for number, own in enumerate(references)}
    given = {number: [output] for number, output in enumerate(outputs)}
    found = {"ROUGE_L": float(Rouge().compute_score(known, given)[0]), "CIDEr": 0.0}
    if any(text for own in references for text in own):
        found["CIDEr"] = float(Cider().compute_score(known, given)[0])
    return found
