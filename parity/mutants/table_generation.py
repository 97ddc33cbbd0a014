"""Bugs of generation: the cache, the filters, the draw, the end of a text and its score."""

from parity.mutants.mutant import room

_SAMPLING = "paddle_impl.decoding.sampling"
_TOP_K = f"{_SAMPLING}.top_k"
_TOP_P = f"{_SAMPLING}.top_p"
_CHOOSE = f"{_SAMPLING}.choose"
_SAMPLE = f"{_SAMPLING}.sample"
_GENERATE = "paddle_impl.generate.generate"
_GPT = "paddle_impl.model.GPTModel.forward"
_ATTENTION = "paddle_impl.model.Attention.forward"
_MASK = "paddle_impl.model.causal_mask"

_KTH = "np.partition(probabilities, -k, axis=-1)[:, -k, None]"
_KEPT = "before < p * ordered.sum(axis=-1, keepdims=True)"
_SAMPLED = "np.exp(log_softmax(logits.astype(np.float64) / temperature))"
_FILTERED = "choose(top_p(top_k(probabilities, k), p), draws)"
_LOGP = "np.take_along_axis(sampling.log_softmax(logits), token[:, None], axis=-1)"
_POSITIONS = "paddle.arange(past, past + new,"
_NO_EOS = "step < min_new_tokens"
_IDS = "chosen[i, : lengths[i] - (0 if alive[i] else 1)]"

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
    "top-p before top-k": (_SAMPLE, _FILTERED, "choose(top_k(top_p(probabilities, p), k), draws)"),
    "temperature ignored": (_SAMPLE, "/ temperature", "/ 1.0"),
    "temperature multiplies": (_SAMPLE, "/ temperature", "* temperature"),
    "temperature after the filters": [
        (_SAMPLE, "/ temperature", "/ 1.0"),
        (_SAMPLE, _FILTERED,
         "choose(top_p(top_k(probabilities, k), p) ** (1.0 / temperature), draws)")],
    "probabilities in float16": (
        _SAMPLE, "logits.astype(np.float64) / temperature",
        "(logits / temperature).astype(np.float16)"),
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
    "draws of the first step again": (_GENERATE, "draws(step, sequences)", "draws(0, sequences)"),
    "draws of the step after": (
        _GENERATE, "draws(step, sequences)", "draws(step + 1, sequences)"),
    "greedy takes the last of equals": (
        _GENERATE, "logits.argmax(axis=-1)", "logits.shape[-1] - 1 - logits[:, ::-1].argmax(-1)"),
    "greedy takes the second": (
        _GENERATE, "logits.argmax(axis=-1)", "np.argsort(-logits, axis=-1)[:, 1]"),
    "next token after the first position": (
        "paddle_impl.generate._last_logits", "[:, -1]", "[:, 0]"),
    "padded vocabulary chosen": (_GENERATE, "slice(vocab_size, None)", "slice(0, 0)"),
    "last of the vocabulary banned": (
        _GENERATE, "slice(vocab_size, None)", "slice(vocab_size - 1, None)"),
    "end token banned a step too long": (_GENERATE, _NO_EOS, "step <= min_new_tokens"),
    "end token never banned": (_GENERATE, _NO_EOS, "False"),
    "end token always banned": (_GENERATE, _NO_EOS, "True"),
    "end token ignored": (_GENERATE, "alive &= token != eos_token_id", "pass"),
    "end token kept in the text": (_GENERATE, _IDS, "chosen[i, : lengths[i]]"),
    "last token taken for the end token": (_GENERATE, _IDS, "chosen[i, : lengths[i] - 1]"),
    "all stop with the first": (
        _GENERATE, "not alive.any() or", "not alive.all() or"),
    "finished sequences go on": (_GENERATE, "lengths += alive", "lengths += 1"),
    "score goes on after the end": (
        _GENERATE, "np.where(alive[:, None], logp, 0.0)", "logp"),
    "score without the end token": (
        _GENERATE, "scores[i].sum() / lengths[i]",
        "scores[i][: lengths[i] - (0 if alive[i] else 1)].sum() / lengths[i]"),
    "score is a sum": (_GENERATE, "scores[i].sum() / lengths[i]", "scores[i].sum()"),
    "score at the sampling temperature": (
        _GENERATE, _LOGP, _LOGP.replace("(logits)", "(logits / temperature)")),
    "one token too many": [
        (_GENERATE, "for step in range(min(max_new_tokens, room)):",
         "for step in range(min(max_new_tokens + 1, room)):"),
        (_GENERATE, "step + 1 == min(max_new_tokens, room)", "step == max_new_tokens")],
    "one token too few": (
        _GENERATE, "for step in range(min(max_new_tokens, room)):",
        "for step in range(min(max_new_tokens, room) - (room > 1)):"),
    "one position left unused": (
        _GENERATE, "room = config.n_positions - len(prompt)",
        "room = max(1, config.n_positions - len(prompt) - 1)"),
    "dropout while generating": (_GENERATE, "model.eval()", "model.train()"),
    "sequences share the first one's cache": (
        _GENERATE, "logits = _last_logits(model, token[:, None], cache)",
        "logits = np.repeat(_last_logits(model, token[:, None], cache)[:1], sequences, axis=0)"),
    "negative ids let through": (_GENERATE, "min(prompt) < 0 or ", ""),
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
    "last token fed too": (_GENERATE, "step + 1 == min(max_new_tokens, room)", "False"),
    "temperature on log-probabilities": (
        _SAMPLE, "log_softmax(logits.astype(np.float64) / temperature)",
        "log_softmax(log_softmax(logits) / temperature)"),
    "top-k by sorting": (_TOP_K, _KTH, "np.sort(probabilities, axis=-1)[:, -k, None]"),
    "keys and values joined at once": (
        _ATTENTION, "v = paddle.concat([past[1], v], axis=2)",
        "v = paddle.concat([past[1].unsqueeze(0), v.unsqueeze(0)], axis=3).squeeze(0)"),
}

MUTANTS = room("generation", BUGS, CONTROLS)
