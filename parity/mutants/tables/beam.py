"""Bugs of beam search in its three conventions, and of the penalties."""

from parity.mutants.mutant import room

_BEAM = "paddle_impl.decoding.beam.BeamState"
_LARGEST = "paddle_impl.decoding.beam._largest"
_SCORES = "paddle_impl.decoding.beam_scores"
_HF = f"{_SCORES}.HF"
_NLP = f"{_SCORES}.PaddleNLP"
_LORA = f"{_SCORES}.LoRA"
_ENOUGH = f"{_SCORES}._enough"
_PROCESSORS = "paddle_impl.decoding.processors"
_REPEATING = f"{_PROCESSORS}.repeating"

_LENGTH = "candidates.sums / new**"
_OPEN = "np.where(np.arange(self._beams) == 0, 0.0, NOTHING)"
_EACH = "max(2, 1 + len(decoding.eos_token_ids))"
_LORA_LOGP = "_normalised(_processed(logits, beams, len(beams[0]), self._decoding))"
_PENALISED = "repetition_penalty(scores, histories,"
_MATCH = "grams[(grams[:, :-1] == begun).all(axis=-1), -1]"
_SUMS = "np.add(scores, self._sums[:, None], out=out)"

BUGS = {
    "beams forget their past": (
        f"{_BEAM}.advance", _SUMS, _SUMS.replace("self._sums", "0.0 * self._sums")),
    "beams continue each other's caches": (
        f"{_BEAM}.advance", "Move(rows[going].tolist()", "Move(rows[going][::-1].tolist()"),
    "beam's tokens of another beam": (
        f"{_BEAM}.advance", "beams[rank] for rank in going", "beams[rank] for rank in going[::-1]"),
    "padding takes a share of the probabilities": (
        f"{_BEAM}.advance", "logits[:, : self._decoding.vocab_size]", "logits"),
    "candidates in no order": (_LARGEST, "found[np.lexsort((found, -values[found]))]", "found"),
    "too few candidates looked at": (
        _LARGEST, "np.partition(peaks, -count)[-count]", "np.sort(peaks)[-count // 2]"),
    "last candidates overlooked": (
        _LARGEST, "np.flatnonzero(values >=", "np.flatnonzero(values[: -_BLOCK] >="),
    "beam's end token kept": (f"{_BEAM}._continuation", "one.tokens[:-1] if", "one.tokens if"),
    "best beam alone returned": (f"{_BEAM}.results", "found[:count]", "found[:1] * count"),
    "beams ended by the first end token alone": (
        f"{_BEAM}.advance", "self._decoding.eos_token_ids)", "self._decoding.eos_token_ids[:1])"),
    "length penalty multiplies": (f"{_HF}.take", _LENGTH, "candidates.sums * new**"),
    "length without the last token": (
        f"{_HF}.take", _LENGTH, "candidates.sums / max(1, new - 1)**"),
    "any candidate may finish": (f"{_HF}.take", "stopped[: self._beams]", "stopped"),
    "ended beams go on": (f"{_HF}.take", "np.where(stopped, NOTHING, 0.0)", "0.0"),
    "open beams not finished at the end": (
        f"{_HF}.take", "stopped[: self._beams]", "candidates.ended[: self._beams]"),
    "first finished beams kept": (
        f"{_HF}.take", "key=lambda one: one.score, reverse=True)",
        "key=lambda one: one.score > NOTHING, reverse=True)"),
    "early stop with the first finished beam": (
        f"{_HF}._over", "MISSING not in self._best", "self._best[0] != MISSING"),
    "early stop ignored": (f"{_HF}._over", 'full and early and early != "never"', "False"),
    "never taken for true": (f"{_HF}._over", ' and early != "never"', ""),
    "never taken for false": (f"{_HF}._over", 'early == "never" and penalty > 0.0', "False"),
    "search goes on to the last token": (
        f"{_HF}._over", "return not best_sum / length**penalty > self._best[-1].score",
        "return False"),
    "search ends when the best is finished": (
        f"{_HF}._over", "self._best[-1].score", "self._best[0].score"),
    "two candidates a beam whatever may end": (_ENOUGH, _EACH, "2"),
    "one candidate a beam": (_ENOUGH, _EACH, "1"),
    "all beams begin alike": (f"{_HF}.__init__", _OPEN, "np.zeros(self._beams)"),
    "penalties on the logits of beams": (
        f"{_HF}.log_probabilities", "if self._beams == 1:", "if True:"),
    "penalties on log-probabilities of one beam": (
        f"{_HF}.log_probabilities", "if self._beams == 1:", "if False:"),
    "one beam looks further than greedy": (
        f"{_HF}.__init__", "_enough(decoding) if self._beams > 1 else 1", "_enough(decoding)"),
    "PaddleNLP's end token counted": (f"{_NLP}.take", "new - 1, True", "new, True"),
    "PaddleNLP's length of six": (f"{_NLP}._scale", "length + 5", "length + 6"),
    "PaddleNLP's open beams not finished": (f"{_NLP}.take", "for rank in ranks:",
                                            "for rank in ranks[:0]:"),
    "PaddleNLP's worst beam kept": (f"{_NLP}._add", "score <= worst.score", "True"),
    "PaddleNLP never done early": (f"{_NLP}._over", "return bool(", "return False and bool("),
    "PaddleNLP done when full": (f"{_NLP}._over", "worst >= best_sum", "worst <= 0.0 * best_sum"),
    "PaddleNLP's candidates may all finish": (
        f"{_NLP}.take", "candidates.ended[: self._beams]", "candidates.ended"),
    "LoRA's penalties see the prompt": (
        f"{_LORA}.log_probabilities", "_processed(logits, beams,",
        "_processed(logits, [[*prompt, *tokens] for tokens in beams],"),
    "LoRA's penalties on log-probabilities": (
        f"{_LORA}.log_probabilities", _LORA_LOGP,
        "_processed(_normalised(logits), beams, len(beams[0]), self._decoding)"),
    "LoRA's ended beams go on": (
        f"{_LORA}.take", "np.flatnonzero(~stopped)",
        "np.flatnonzero(~stopped | (new < self._decoding.max_new_tokens))"),
    "LoRA's open beams do not compete": (
        f"{_LORA}.take", "in np.flatnonzero(stopped)", "in np.flatnonzero(ended)"),
    "LoRA's beams begin alike": (
        f"{_LORA}.__init__", "np.zeros(1)", "np.zeros(decoding.num_beams)"),
    "LoRA's end token not counted": (
        f"{_LORA}.take", _LENGTH, "candidates.sums / np.maximum(1, new - ended)**"),
    "penalty the other way round": (f"{_PROCESSORS}.repetition_penalty", "own < 0", "own > 0"),
    "penalty divides all": (
        f"{_PROCESSORS}.repetition_penalty", "np.where(own < 0, own * penalty, own / penalty)",
        "own / penalty"),
    "penalty on new tokens alone": (
        _PROCESSORS + ".process", _PENALISED,
        "repetition_penalty(scores, [one[len(one) - new :] for one in histories],"),
    "n-grams of one token more": (
        _PROCESSORS + ".process", "(history, decoding.no_repeat_ngram_size)",
        "(history, decoding.no_repeat_ngram_size + 1)"),
    "first n-gram let through": (
        _REPEATING, "sliding_window_view(tokens, size)", "sliding_window_view(tokens, size)[1:]"),
    "n-gram begins a token early": (
        _REPEATING, "tokens[len(tokens) - size + 1 :]", "tokens[len(tokens) - size : -1]"),
    "n-grams of all rows banned in each": (
        f"{_PROCESSORS}.ban_each", "scores[row, own]", "scores[:, own]"),
    "first end token alone waits": (
        _PROCESSORS + ".process", "list(decoding.eos_token_ids)",
        "list(decoding.eos_token_ids[:1])"),
}

CONTROLS = {
    "candidates by sorting all": (
        _LARGEST, "if count < len(values) // _BLOCK:", "if False:"),
    "length penalty as a factor": (
        f"{_HF}.take", "candidates.sums / new**self._decoding.length_penalty",
        "candidates.sums * float(new) ** -self._decoding.length_penalty"),
    "n-grams one by one": (
        _REPEATING, _MATCH,
        "np.array([gram[-1] for gram in grams if (gram[:-1] == begun).all()], np.int64)"),
    "every beam kept for the next step": (
        f"{_BEAM}.advance", "going[sums > -np.inf], sums[sums > -np.inf]", "going, sums"),
}

MUTANTS = room("beam", BUGS, CONTROLS)
