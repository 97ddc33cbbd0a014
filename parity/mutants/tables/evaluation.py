"""Bugs of evaluation: accuracy, WikiText's detokenizing and counts, LAMBADA's last words."""

from parity.mutants.mutant import room

_SCORE = "paddle_impl.evaluation.scoring.score"
_ALIGNED = "paddle_impl.evaluation.scoring._aligned"
_DETOKENIZE = "paddle_impl.evaluation.wikitext.detokenize"
_MEASURE = "paddle_impl.evaluation.wikitext.score_text"
_ADJUSTED = "paddle_impl.evaluation.wikitext.WikiText.adjusted_perplexity"
_LAST = "paddle_impl.evaluation.lambada.last_words"
_PASSAGE = "paddle_impl.evaluation.lambada.passage"

_BEST = "(logits if own == logits.shape[-1] else logits[:, :, :own])"
_RIGHT = "(best.numpy() == targets).sum(axis=1)"

BUGS = {
    "padding counts as the likeliest": (_SCORE, _BEST, "logits"),
    "likeliest a token late": (
        _SCORE, "best.numpy() == targets", "np.roll(best.numpy(), 1, axis=1) == targets"),
    "accuracy of rows, not of tokens": (_SCORE, _RIGHT, _RIGHT.replace("sum", "any")),
    "padding's share of the probability left out": (
        _SCORE, "cross_entropy(logits, ", "cross_entropy(logits[:, :, :own], "),
    "head at the first positions": (
        _SCORE, "hidden[:, inputs.shape[1] - targets.shape[1] :]",
        "hidden[:, : targets.shape[1]]"),
    "targets aligned to the left": (
        _ALIGNED, "row[len(row) - len(own) :] = own", "row[: len(own)] = own"),
    "WikiText as it stands": [
        (_DETOKENIZE, "for apart, joined in _JOINED:",
         "original = text\n    for apart, joined in _JOINED:"),
        (_DETOKENIZE, "return text", "return original"),
    ],
    "brackets left open": (
        _DETOKENIZE, "text = _closed_up(text, opening, closing)", "pass"),
    "headings left as they are": (_DETOKENIZE, "for apart, joined in _LAST:", "for apart, joined "
                                  "in _LAST[3:]:"),
    "original words counted after detokenizing": (
        _MEASURE, 'len(text.strip().split(" "))', 'len(detokenize(text).strip().split(" "))'),
    "line ends not counted as words": (_MEASURE, '.split(" "))', ".split())"),
    "the two counts swapped": (
        _MEASURE, "original, len(ids))", "len(ids), original)"),
    "adjusted by all words": (_ADJUSTED, "self.original_tokens - 1", "self.original_tokens"),
    "first tokens of a long passage": (_LAST, "inputs[-window:]", "inputs[:window]"),
    "a passage a token short of the window": (_LAST, "inputs[-window:]", "inputs[1 - window:]"),
    "a word right by one of its tokens": (_LAST, "int(n) == len(row.targets)", "int(n) > 0"),
    "a word right by its last token": (_LAST, "Row(inputs[-window:], one.word)",
                                       "Row(inputs[-window:], one.word[-1:])"),
    "a last word's first occurrence": (_PASSAGE, ".rfind(", ".find("),
    "only the end of a word": (_PASSAGE, 'encode(" " + words[-1])', "encode(words[-1][-1:])"),
}
CONTROLS = {
    "head at every position": (
        _SCORE, "model.head(hidden[:, inputs.shape[1] - targets.shape[1] :])",
        "model.head(hidden)[:, inputs.shape[1] - targets.shape[1] :]"),
}

MUTANTS = room("evaluation", BUGS, CONTROLS)
