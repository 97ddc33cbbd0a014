"""Bugs of the E2E part: which words of a record are learned; BLEU and NIST of outputs."""

from parity.mutants.mutant import room

_READ = "data_tools.e2e.records.E2ERecords.read"
_NIST = "paddle_impl.evaluation.e2e.nist.nist"
_PENALTY = "paddle_impl.evaluation.e2e.nist._penalty"
_NGRAMS = "paddle_impl.evaluation.e2e.nist._ngrams"
_SCORES = "paddle_impl.evaluation.e2e.scores.of_ngrams"

BUGS = {
    "the context's end token is learned": (
        _READ, "labels[: len(context)]", "labels[: len(context) - 1]"),
    "the completion's first token is not learned": (
        _READ, "labels[: len(context)]", "labels[: len(context) + 1]"),
    "the context is learned": (_READ, "if not self.joint_lm:", "if False:"),
    "the context is not learned with jlm": (_READ, "if not self.joint_lm:", "if True:"),
    "a long record loses its start": (_READ, "[: self.seq_len]", "[-self.seq_len :]"),
    "a long record keeps a token too many": (_READ, "[: self.seq_len]", "[: self.seq_len + 1]"),
    "matches of all references together": (_NIST, "reduce(or_,", "reduce(lambda a, b: a + b,"),
    "matches that all references have": (_NIST, "reduce(or_,", "reduce(lambda a, b: a & b,"),
    "information in nats": (_NIST, "math.log2(", "math.log("),
    "information of the word alone": (_NIST, "known[ngram[:-1]]", "known[()]"),
    "information given the word behind": (_NIST, "known[ngram[:-1]]", "known[ngram[1:]]"),
    "length of all references": (_NIST, "sum(lengths) / len(lengths)", "sum(lengths)"),
    "length of the shortest reference": (
        _NIST, "sum(lengths) / len(lengths)", "min(lengths)"),
    "length in the information of one reference": (
        _NIST, "known[()] += sum(lengths)", "known[()] += lengths[0]"),
    "an n-gram counts once": (
        _NIST, "gained[len(ngram)] += count *", "gained[len(ngram)] +="),
    "gain per match": (_NIST, "written[len(ngram)] += count\n",
                       "written[len(ngram)] += count * (ngram in of_references[0])\n"),
    "no penalty": (_PENALTY, "output_length >= reference_length", "output_length > 0"),
    "the penalty is linear": (_PENALTY, "reference_length) ** 2", "reference_length) ** 1"),
    "n-grams up to four": (_NGRAMS, "ORDER + 1", "ORDER"),
    "case makes a difference in NIST": (_SCORES, ".lower()", ""),
    "case makes a difference in BLEU": (_SCORES, "lowercase=True", "lowercase=False"),
    "words by white space in BLEU": (_SCORES, 'tokenize="13a"', 'tokenize="none"'),
    "words by white space in NIST": (_SCORES, "tokenize(text).lower()", "text.lower()"),
    "half a match where there is none": (
        _SCORES, 'smooth_method="floor"', 'smooth_method="exp"'),
    "BLEU against the first reference": (_SCORES, "for number in range(most)",
                                         "for number in range(1)"),
}
CONTROLS = {
    "the most by a loop": (
        _NIST, "reduce(or_, of_references)",
        "reduce(lambda a, b: Counter({k: max(a[k], b[k]) for k in {*a, *b}}), of_references)"),
}

MUTANTS = room("e2e", BUGS, CONTROLS)
