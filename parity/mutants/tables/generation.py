"""Bugs of generation: the KV cache, filters, sampling, the end of a text, and its score."""

from parity.mutants.mutant import room

_SAMPLING = "paddle_impl.decoding.sampling"
_TOP_K = f"{_SAMPLING}.top_k"
_TOP_P = f"{_SAMPLING}.top_p"
_CHOOSE = f"{_SAMPLING}.choose"
_PROBABILITIES = f"{_SAMPLING}.probabilities"
_PROCESS = "paddle_impl.decoding.processors.process"
_SEQUENCE = "paddle_impl.decoding.sequences.Sequence"
_STATE = "paddle_impl.decoding.sequences.SampleState"
_FITTED = "paddle_impl.generate.fitted"
_DECODER = "paddle_impl.decoding.paddle_decoder.PaddleDecoder"
_STEP = f"{_DECODER}._forward"
_GPT = "paddle_impl.model.GPTModel.forward"
_ATTENTION = "paddle_impl.model.Attention.forward"
_MASK = "paddle_impl.model.causal_mask"

_KTH = "np.partition(probabilities, -k, axis=-1)[:, -k, None]"
_KEPT = "before < p * ordered.sum(axis=-1, keepdims=True)"
_FILTERED = "top_p(top_k(whole, k), p)"
_DRAWN = "self._draws(self._step, self.width)"
_LIKELIEST = "scores.argmax(axis=-1)[rows]"
_POSITIONS = "paddle.arange(past, past + new,"
_NO_EOS = "new < decoding.min_new_tokens"
_ENDS = "token in self._decoding.eos_token_ids"
_LAST = "len(self.tokens) == self._decoding.max_new_tokens"

BUGS = {
    "top-k keeps one more": (_TOP_K, _KTH, _KTH.replace("-k", "-k - 1")),
    "top-k keeps one less": (_TOP_K, _KTH, _KTH.replace("-k", "-k + 1 or -1")),
    "top-k drops the k-th": (_TOP_K, "probabilities < kth", "probabilities <= kth"),
    "top-k drops ties with the k-th": (
        _TOP_K, "return np.where(probabilities < kth, 0.0, probabilities)",
        "rank = np.argsort(np.argsort(-probabilities, axis=-1, kind='stable'), axis=-1)\n"
        "    return np.where(rank >= k, 0.0, probabilities)"),
    "top-k of the first row for all": (_TOP_K, "[:, -k, None]", "[:1, -k, None]"),
    "top-k keeps the least": (_TOP_K, "probabilities < kth", "probabilities > kth"),
    "top-p drops the token that crosses": (
        _TOP_P, _KEPT, f"(before + ordered <= p * {_KEPT.partition('p * ')[2]})"
                       " | (np.arange(ordered.shape[-1]) == 0)"),
    "top-p keeps one more": (_TOP_P, "- ordered\n", "- 2 * ordered\n"),
    "top-p up to but not at p": (_TOP_P, "before < p", "before <= p"),
    "top-p of the whole, not of what top-k left": (
        _TOP_P, "p * ordered.sum(axis=-1, keepdims=True)", "p"),
    "top-p from the least on": (_TOP_P, "np.argsort(-probabilities,", "np.argsort(probabilities,"),
    "top-p left in sorted order": (
        _TOP_P, "np.put_along_axis(result, order, kept, axis=-1)", "result[:] = kept"),
    "top-p sums in float32": (
        _TOP_P, "np.cumsum(ordered, axis=-1)", "np.cumsum(ordered, axis=-1, dtype=np.float32)"),
    "top-p before top-k": (_PROBABILITIES, _FILTERED, "top_k(top_p(whole, p), k)"),
    "temperature ignored": (_PROBABILITIES, "/ temperature", "/ 1.0"),
    "temperature multiplies": (_PROBABILITIES, "/ temperature", "* temperature"),
    "temperature after the filters": [
        (_PROBABILITIES, "/ temperature", "/ 1.0"),
        (_PROBABILITIES, _FILTERED, f"{_FILTERED} ** (1.0 / temperature)")],
    "probabilities in float16": (
        _PROBABILITIES, "scores.astype(np.float64) / temperature",
        "(scores / temperature).astype(np.float16)"),
    "softmax over the sequences": (
        f"{_SAMPLING}.log_softmax", "np.exp(shifted).sum(axis=-1, keepdims=True)",
        "np.exp(shifted).sum(axis=0, keepdims=True)"),
    "draw from the last token on": (
        _CHOOSE, "targets = draws[:, None]", "targets = (1.0 - draws[:, None])"),
    "draw of 0 takes a banned token": (_CHOOSE, "cumulative <= targets", "cumulative < targets"),
    "draw against 1, not the row's sum": (
        _CHOOSE, "draws[:, None] * cumulative[:, -1:]", "draws[:, None]"),
    "one draw for all sequences": (_CHOOSE, "draws[:, None]", "draws[:1, None]"),
    "token after the drawn one": (
        _CHOOSE, "np.sum(cumulative <= targets, axis=-1)",
        "np.minimum(np.sum(cumulative <= targets, axis=-1) + 1, cumulative.shape[-1] - 1)"),
    "draws of the first step again": (
        f"{_STATE}._choose", _DRAWN, "self._draws(0, self.width)"),
    "draws of the step after": (
        f"{_STATE}._choose", _DRAWN, "self._draws(self._step + 1, self.width)"),
    "draws of those before once one has ended": (
        f"{_STATE}._choose", f"{_DRAWN}[self._live]", f"{_DRAWN}[: len(self._live)]"),
    "greedy takes the last of equals": (
        f"{_STATE}._choose", _LIKELIEST,
        "(scores.shape[-1] - 1 - scores[:, ::-1].argmax(axis=-1))[rows]"),
    "greedy takes the second": (
        f"{_STATE}._choose", _LIKELIEST, "np.argsort(-scores, axis=-1)[rows, 1]"),
    "next token after the first position": (
        "paddle_impl.model.GPTForCausalLM.next_logits", "[:, -1]", "[:, 0]"),
    "padded vocabulary chosen": (
        _PROCESS, "slice(decoding.vocab_size, None)", "slice(0, 0)"),
    "last of the vocabulary banned": (
        _PROCESS, "slice(decoding.vocab_size, None)", "slice(decoding.vocab_size - 1, None)"),
    "end token banned a step too long": (_PROCESS, _NO_EOS, "new <= decoding.min_new_tokens"),
    "end token never banned": (_PROCESS, _NO_EOS, "False"),
    "end token always banned": (_PROCESS, _NO_EOS, "True"),
    "end token ignored": (f"{_SEQUENCE}.add", _ENDS, "False"),
    "first end token alone ends": (
        f"{_SEQUENCE}.add", _ENDS, "token in self._decoding.eos_token_ids[:1]"),
    "end token kept in the text": (
        f"{_SEQUENCE}.result", "self.tokens[:-1] if", "list(self.tokens) if"),
    "last token taken for the end token": (
        f"{_SEQUENCE}.result", "else list(self.tokens)", "else self.tokens[:-1]"),
    "all stop with the first": (
        f"{_STATE}.advance", "if sequence.finish_reason is None:",
        "if all(one.finish_reason is None for one in self.sequences):"),
    "finished sequences go on": (
        f"{_STATE}.advance", "if sequence.finish_reason is None:",
        "if sequence.finish_reason != 'length':"),
    "score without the end token": (
        f"{_SEQUENCE}.add", "+= log_probability", f"+= 0.0 if {_ENDS} else log_probability"),
    "score is a sum": (f"{_SEQUENCE}.result", "self._score / len(self.tokens)", "self._score"),
    "score at the sampling temperature": (
        f"{_STATE}.advance", "log_probability(scores, tokens",
        "log_probability(scores / self._decoding.temperature, tokens"),
    "score before the penalties": (
        f"{_STATE}.advance", "log_probability(scores, tokens", "log_probability(logits, tokens"),
    "score of the row beside": (
        f"{_SAMPLING}.log_probability", "np.log(totals[rows])", "np.log(totals[rows[::-1]])"),
    "one token too many": (f"{_SEQUENCE}.add", _LAST, _LAST.replace("==", ">")),
    "one token too few": (
        f"{_SEQUENCE}.add", _LAST,
        "len(self.tokens) == max(1, self._decoding.max_new_tokens - 1)"),
    "one position left unused": (
        _FITTED, "room = positions - len(prompt)",
        "room = max(1, positions - len(prompt) - 1)"),
    "end token banned a step too short": (
        _PROCESS, _NO_EOS, "new + 1 < decoding.min_new_tokens"),
    "negative ids let through": (_FITTED, "min(prompt) < 0 or ", ""),
    "dropout while generating": (f"{_DECODER}.__init__", "model.eval()", "model.train()"),
    "sequences share the first one's cache": (
        f"{_DECODER}.step", "return logits if",
        "logits[:] = logits[:1].copy()\n    return logits if"),
    "steps at position 0": (_STEP, "gpt.wpe(at)", "gpt.wpe(paddle.zeros_like(at))"),
    "steps at the longest row's position": (
        _STEP, "gpt.wpe(at)", "gpt.wpe(at.max().expand([count]))"),
    "short rows see what is not there": (
        _STEP, "<= lengths[:, None]", "<= lengths.max() + 0 * lengths[:, None]"),
    "short rows see what is not there at a block's end": (
        _STEP, "lengths.min() + 1 < room", "lengths.max() + 1 < room"),
    "no mask a step before a block's end": (
        _STEP, "lengths.min() + 1 < room", "lengths.min() + 2 < room"),
    "the first block alone is seen": (
        _STEP, "np.arange(room) <= lengths[:, None]",
        "(np.arange(room) <= lengths[:, None]) & (np.arange(room) < 64)"),
    "the second block alone is seen": (
        _STEP, "np.arange(room) <= lengths[:, None]",
        "(np.arange(room) <= lengths[:, None]) & (np.arange(room) >= lengths[:, None] // 64 * 64)"),
    "a wider cache begins empty": (
        "paddle_impl.decoding.paddle_decoder._widened", "paddle.concat([part, ",
        "paddle.concat([part if length < 64 else paddle.zeros_like(part), "),
    "steps do not see their own token": (_STEP, "<= lengths[:, None]", "< lengths[:, None]"),
    "steps see themselves and the first alone": (
        _STEP, "np.arange(room) <= lengths[:, None]",
        "(np.arange(room) == lengths[:, None]) | (np.arange(room) == 0)"),
    "scores of a step not scaled": (_STEP, "q * block.attn.scale", "q"),
    "scores of a step as the first block's": (_STEP, "block.attn.scale", "gpt.h[0].attn.scale"),
    "values of a step are keys": (
        _STEP, "values.put_along_axis_(slots, v, axis=2)",
        "values.put_along_axis_(slots, k, axis=2)"),
    "new keys at the longest row's end": (
        _STEP, "at.reshape([count, 1, 1, 1])", "at.max().reshape([1, 1, 1, 1])"),
    "tokens in the order of the rows": (
        f"{_DECODER}.step", "np.asarray(tokens, np.int64)[lying]", "np.asarray(tokens, np.int64)"),
    "forked rows continue the first": (
        "paddle_impl.decoding.batch.Batch._arrange", "copy(source, target)",
        "copy(sources[0], target)"),
    "cached tokens at position 0": (_GPT, _POSITIONS, "paddle.arange(0, new,"),
    "cached tokens a position late": (
        _GPT, _POSITIONS, "paddle.arange(past - (past > 0), past - (past > 0) + new,"),
    "positions of the whole cache": (_GPT, "cache[0][0].shape[2]", "cache[0][0].shape[1]"),
    "one cache for all layers": (
        _GPT, "None if cache is None else cache[layer]", "None if cache is None else cache[0]"),
    "cache not extended": (
        _GPT, "cache[layer] = present", "cache[layer] = cache[layer] or present"),
    "cache keeps the last tokens alone": (
        _ATTENTION, "self.c_proj(mixed.reshape([*x.shape[:2], -1]))), (k, v)",
        "self.c_proj(mixed.reshape(x.shape))), (k[:, :, -1:], v[:, :, -1:])"),
    "new keys before the cached": (_ATTENTION, "[past[0], k]", "[k, past[0]]"),
    "cached values are keys": (_ATTENTION, "[past[1], v]", "[past[0], v]"),
    "new token sees the first alone": [
        (_MASK, "if new == 1:", "if total == 0:"),
        (_MASK, "diagonal=total - new + 1", "diagonal=1")],
    "new tokens masked as if first": (_MASK, "diagonal=total - new + 1", "diagonal=1"),
    "new tokens not masked": (_MASK, "if new == 1:", "if new < total or new == 1:"),
}

CONTROLS = {
    "likeliest by sorting": (
        f"{_STATE}._choose", _LIKELIEST, "np.argsort(-scores, axis=-1, kind='stable')[rows, 0]"),
    "temperature on log-probabilities": (
        _PROBABILITIES, "log_softmax(scores.astype(np.float64) / temperature)",
        "log_softmax(log_softmax(scores) / temperature)"),
    "rows always gathered": (f"{_DECODER}._settled", "return sorted", "return False and sorted"),
    "room behind a row's end not empty": (
        "paddle_impl.decoding.paddle_decoder._widened",
        "paddle.zeros([count", "paddle.ones([count"),
    "room as large as the longest row needs": (
        f"{_DECODER}._arrange", "max(room, min(self.positions,", "max(0, min(self.positions,"),
    "top-k by sorting": (_TOP_K, _KTH, "np.sort(probabilities, axis=-1)[:, -k, None]"),
    "keys and values joined at once": (
        _ATTENTION, "v = paddle.concat([past[1], v], axis=2)",
        "v = paddle.concat([past[1].unsqueeze(0), v.unsqueeze(0)], axis=3).squeeze(0)"),
}

MUTANTS = room("generation", BUGS, CONTROLS)
