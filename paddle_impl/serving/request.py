"""Reads a client's JSON body into prompts and settings, and checks them for the engine.

Names and meanings are OpenAI's; top_k, min_tokens and repetition_penalty are vLLM's.
"""

import secrets
import sys
from dataclasses import dataclass

from data_tools.completion.languages import id_of
from data_tools.fim_prompt import FimPrompts
from data_tools.tokenizing.chat_template import ChatTemplate
from paddle_impl.config.decoding import Decoding
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.serving import ServingOptions
from paddle_impl.decoding.end_tokens import end_tokens
from paddle_impl.decoding.stop_strings import StopStrings
from paddle_impl.generate import fitted
from paddle_impl.serving.errors import RequestError
from paddle_impl.serving.fields import Body, is_text, wrong
from paddle_impl.serving.infilling import SAMPLING, Gap, fim_prompts, read_gap, read_prefixes
from paddle_impl.serving.prompts import MAX_SEQUENCES, TOO_LONG, PromptReader, read_messages

MAX_STOP_BYTES = 1 << 16  # of all stop strings together; the memory they take grows with them
COLDEST, HOTTEST = 1e-5, 1e5  # beyond, scores leave what floats can tell apart
WEAKEST, STRONGEST = 0.1, 10.0  # of repetition_penalty, for the same reason
_USUAL = {"temperature": 1.0, "top_k": 0, "top_p": 1.0}
_NO_EFFECT = ("user", "safety_identifier", "prompt_cache_key")


@dataclass(frozen=True)
class CompletionRequest:
    """A request that was checked. decodings[i] are the settings of prompts[i], fitted to it.

    Choice i * n + j of the response is the j-th continuation of prompt i. echo: for each prompt the
    text that precedes its choices; None where the client does not want it. stops: those of every
    prompt.
    """

    prompts: list[list[int]]
    decodings: list[Decoding]
    seed: int
    stream: bool
    include_usage: bool
    echo: list[str] | None
    stops: StopStrings

    @property
    def n(self) -> int:
        return self.decodings[0].num_return_sequences


@dataclass(frozen=True)
class InfillRequest(CompletionRequest):
    """A request of /infill. truncated: whether the text around its gap was cut."""

    gap: Gap
    truncated: bool


class Reader:
    """Reads bodies into requests, within the limits of the model and of the server."""

    def __init__(self, config: ModelConfig, tokenizer, options: ServingOptions,
                 template: ChatTemplate | None):
        self._config, self._tokenizer, self._options = config, tokenizer, options
        self._template = template
        self.max_prompt = min(options.max_prompt_tokens or config.n_positions,
                              config.n_positions - 1)
        self.max_new = min(options.max_new_tokens or config.n_positions, config.n_positions)
        self._ends = options.eos_token_ids or end_tokens(config, tokenizer)
        self._vocab_size = min(tokenizer.vocab_size, config.vocab_size)
        self._front = [] if options.language is None else [
            id_of(options.language, tokenizer.special_tokens)]
        self._prompts = PromptReader(tokenizer, self.max_prompt, self._front)

    def completion(self, content: bytes) -> CompletionRequest:
        body = self._opened(content)
        ends: tuple[int, ...] = ()
        if suffix := body.text("suffix"):
            prompts, ends = self._gaps(read_prefixes(body.take("prompt")), suffix)
            body.neutral("echo", False)
            echo = None
        else:
            prompts, texts = self._prompts.read(body.take("prompt"))
            echo = texts() if body.boolean("echo") else None
        new = body.integer("max_tokens", min(16, self.max_new), 1, self.max_new)
        body.neutral("logprobs")
        body.neutral("best_of", 1)
        body.neutral("use_beam_search", False)
        return self._request(body, prompts, new, echo, ends)

    def infill(self, content: bytes) -> InfillRequest:
        """A gap in llama.cpp's form. What does not fit is left out on the far sides."""
        body = Body(content)
        model = body.text("model")
        if model and model != self._options.model_id:
            raise unknown_model(model)
        fim = fim_prompts(self._tokenizer)
        gap = read_gap(body)
        new = body.integer("n_predict", -1, -1)
        if new == 0:
            raise wrong("n_predict", "-1, or an integer of at least 1", new)
        new = self.max_new if new < 0 else min(new, self.max_new)
        positions = self._config.n_positions
        prompt, truncated = self._whole_gap(
            fim, gap, min(self.max_prompt, positions - min(new, positions // 2)))
        decoding = self._decoding(body, new, fim.end_tokens, SAMPLING)
        seed, stream = body.integer("seed", -1, -1), body.boolean("stream")
        if stream and gap.n_indent:
            raise RequestError("n_indent is not supported with stream: true", param="n_indent",
                               code="unsupported_parameter")
        body.finish()
        return InfillRequest([prompt], [self._fitted(decoding, prompt)],
                             secrets.randbits(32) if seed < 0 else seed, stream, False, None,
                             StopStrings(decoding.stop), gap, truncated)

    def chat(self, content: bytes) -> CompletionRequest:
        """RequestError where the model has no chat template."""
        body = self._opened(content)
        if self._template is None:
            raise RequestError("the model has no chat template; use /v1/completions",
                               code="no_chat_template")
        messages = read_messages(body.take("messages"))
        try:
            text = self._template.render(messages, add_generation_prompt=True)
        except ValueError as error:
            raise RequestError(str(error), param="messages") from None
        # The template writes special tokens as text, and transformers reads them as tokens, too.
        encoded = self._tokenizer.encode(self._prompts.fitting(text), special_tokens=True)
        prompt = [int(i) for i in encoded]
        new = body.integer("max_tokens", self.max_new, 1, self.max_new)
        new = body.integer("max_completion_tokens", new, 1, self.max_new)
        body.neutral("logprobs", False)
        body.neutral("top_logprobs", 0)
        body.neutral("response_format", {"type": "text"})
        body.neutral("tools", [])
        body.neutral("tool_choice", "none")
        return self._request(body, [prompt], new, None)

    def _opened(self, content: bytes) -> Body:
        body = Body(content)
        model = body.text("model")
        if model is None:
            raise RequestError("you must provide a model parameter", param="model")
        if model != self._options.model_id:
            raise unknown_model(model)
        return body

    def _gaps(self, prefixes: list[str], suffix: str) -> tuple[list[list[int]], tuple[int, ...]]:
        """The prompts for what stands between each prefix and the suffix, and their end tokens."""
        fim, fitting = fim_prompts(self._tokenizer), self._prompts.fitting
        return [fim.prompt(fitting(prefix), fitting(suffix), sys.maxsize,
                           mode=self._options.fim_mode, front=self._front).ids
                for prefix in prefixes], fim.end_tokens

    def _whole_gap(self, fim: FimPrompts, gap: Gap, most: int) -> tuple[list[int], bool]:
        """The prompt of a gap, and whether a side of it was cut. Other texts, each as a document
        before it, get the room that is left.
        """
        longest = self._prompts.max_bytes  # more characters are more than `most` tokens
        try:
            prompt, cut = fim.prompt(
                gap.prefix[-longest:], gap.suffix[:longest], most, mode=self._options.fim_mode,
                begun=self._prompts.fitting(gap.begun), front=self._front)
        except ValueError as error:
            raise RequestError(str(error), param="prompt", code=TOO_LONG) from None
        others = [int(i) for text in gap.extra for i in
                  (*self._tokenizer.encode(text[-longest:]), self._tokenizer.eos_token_id)]
        return others[max(0, len(others) - (most - len(prompt))):] + prompt, any(cut)

    def _request(self, body: Body, prompts, new: int, echo, ends=()) -> CompletionRequest:
        decoding = self._decoding(body, new, ends)
        n = decoding.num_return_sequences
        if len(prompts) * n > MAX_SEQUENCES:
            raise RequestError(f"n {n} for each of {len(prompts)} prompts makes {len(prompts) * n} "
                               f"sequences; at most {MAX_SEQUENCES} are accepted", param="n")
        seed = body.integer("seed", None, 0)
        stream = body.boolean("stream")
        include_usage = _include_usage(body.take("stream_options"), stream)
        for name in ("presence_penalty", "frequency_penalty"):
            body.neutral(name, 0, 0.0)
        body.neutral("logit_bias", {})
        body.ignore(*_NO_EFFECT)
        body.finish()
        return CompletionRequest(prompts, [self._fitted(decoding, prompt) for prompt in prompts],
                                 secrets.randbits(32) if seed is None else seed, stream,
                                 include_usage, echo, StopStrings(decoding.stop))

    def _decoding(self, body: Body, new: int, ends: tuple[int, ...], usual=_USUAL) -> Decoding:
        """ends: end tokens beside the model's. usual: values of fields that are absent."""
        temperature = body.number("temperature", usual["temperature"], 0, HOTTEST)
        if temperature != 0 and temperature < COLDEST:
            raise wrong("temperature", f"0 or at least {COLDEST}", temperature)
        n = body.integer("n", 1, 1, self._options.rows)
        if temperature == 0 and n > 1:
            raise wrong("n", "1 with temperature 0, where all continuations are the same", n)
        stop = _stops(body.take("stop"))
        least = body.integer("min_tokens", 0, 0, new)
        top_k = max(0, body.integer("top_k", usual["top_k"], -1))
        try:
            return Decoding(
                strategy="sampling" if temperature else "greedy_search", max_new_tokens=new,
                min_new_tokens=least, stop_after=least, num_return_sequences=n,
                temperature=temperature or 1.0, top_k=top_k,
                top_p=body.number("top_p", usual["top_p"], 0, 1),
                repetition_penalty=body.number("repetition_penalty", 1.0, WEAKEST, STRONGEST),
                stop=stop, eos_token_ids=(*self._ends, *ends),
                vocab_size=self._vocab_size,
            )
        except ValueError as error:
            raise RequestError(str(error), param=str(error).split()[0],
                               code="invalid_value") from None

    def _fitted(self, decoding: Decoding, prompt: list[int]) -> Decoding:
        if len(prompt) > self.max_prompt:
            raise RequestError(
                f"the prompt has {len(prompt)} tokens; at most {self.max_prompt} are accepted",
                param="prompt", code=TOO_LONG)
        try:
            return fitted(decoding, prompt, self._config.vocab_size, self._config.n_positions)
        except ValueError as error:
            raise RequestError(str(error), param="prompt", code="invalid_value") from None


def unknown_model(name: str) -> RequestError:
    return RequestError(f"the model {name[:80]!r} does not exist", status=404, param="model",
                        code="model_not_found")


def _stops(value) -> tuple[str, ...]:
    if value is None:
        return ()
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(is_text(text) and text for text in texts):
        raise wrong("stop", "a text or a list of texts, none of them empty", value)
    size = sum(len(text.encode()) for text in texts)
    if size > MAX_STOP_BYTES:
        raise RequestError(f"stop has {size} bytes in all; at most {MAX_STOP_BYTES} are accepted",
                           param="stop", code="invalid_value")
    return tuple(dict.fromkeys(texts))


def _include_usage(value, stream: bool) -> bool:
    if value is None:
        return False
    if not stream:
        raise RequestError("stream_options is for stream: true", param="stream_options")
    usage = value.get("include_usage", False) if isinstance(value, dict) else None
    if not isinstance(usage, bool) or set(value) - {"include_usage"}:
        raise wrong("stream_options", '{"include_usage": true or false}', value)
    return usage
