"""Bugs of the server: from a request's fields to settings, from continuations to its answer."""

from parity.mutants.mutant import room

_READER = "paddle_impl.serving.request.Reader"
_DECODING = f"{_READER}._decoding"
_JOB = "paddle_impl.serving.job.Job"
_RESPONSE = "paddle_impl.serving.response.Response"
_COMPLETION = "paddle_impl.serving.response.Completion"

_TOP_K = 'max(0, body.integer("top_k", usual["top_k"], -1))'
_TOP_P = 'body.number("top_p", usual["top_p"], 0, 1)'
_PROMPTS = "sum(map(len, self._request.prompts))"

BUGS = {
    "served: as many tokens as fit": (
        f"{_READER}.completion", "min(16, self.max_new)", "self.max_new"),
    "served: stop strings before min_tokens": (_DECODING, "stop_after=least", "stop_after=0"),
    "served: end tokens before min_tokens": (_DECODING, "min_new_tokens=least",
                                             "min_new_tokens=0"),
    "served: temperature 1": (_DECODING, "temperature or 1.0", "1.0"),
    "served: top_k of -1 is 1": (_DECODING, _TOP_K, _TOP_K.replace("max(0, ", "abs(")),
    "served: top_k of all": (_DECODING, "top_k=top_k", "top_k=0"),
    "served: top_p of all": (_DECODING, _TOP_P, f"max(1.0, {_TOP_P})"),
    "served: penalty the other way round": (
        _DECODING, 'body.number("repetition_penalty",', '1 / body.number("repetition_penalty",'),
    "served: the model's vocabulary": (
        _DECODING, "vocab_size=self._vocab_size", "vocab_size=self._config.vocab_size"),
    "served: the model's end tokens": (
        f"{_READER}.__init__", "options.eos_token_ids or end_tokens(config, tokenizer)",
        "end_tokens(config, tokenizer)"),
    "served: room of the first prompt": (
        f"{_READER}._request", "self._fitted(decoding, prompt) for",
        "self._fitted(decoding, prompts[0]) for"),
    "served: an empty prompt is token 0": (
        "paddle_impl.decoding.prompt.prompt_ids", "[tokenizer.eos_token_id]", "[0]"),
    "served: draws of the first prompt": (
        f"{_JOB}.__init__", "uniform_draws(request.seed, number)",
        "uniform_draws(request.seed, 0)"),
    "served: another seed": (
        f"{_JOB}.__init__", "uniform_draws(request.seed, number)", "uniform_draws(number, 0)"),
    "served: pieces of the choice before": (
        f"{_JOB}._listener", "number * self.request.n", "number * (self.request.n - 1)"),
    "served: pieces without the last bytes": (
        f"{_JOB}._listener", "take(last=reason is not None)", "take()"),
    "served: end tokens not counted": (
        f"{_JOB}.choices", "len(sequence.tokens)", "len(sequence.result().token_ids)"),
    "served: prompts counted for each choice": (
        f"{_RESPONSE}._usage", _PROMPTS, f"{_PROMPTS} * self._request.n"),
    "served: echo of the prompts in turn": (
        f"{_COMPLETION}._echo", "number // self._request.n", "number % len(self._request.echo)"),
    "served: echo where none is wanted": (
        f"{_READER}.completion", 'texts() if body.boolean("echo") else None',
        'body.boolean("echo") or texts()'),
}

CONTROLS = {
    "served: echo joined at once": (
        f"{_COMPLETION}._whole", '"".join(self._echo(number)) + text',
        '"".join([*self._echo(number), text])'),
}

MUTANTS = room("serving", BUGS, CONTROLS)
