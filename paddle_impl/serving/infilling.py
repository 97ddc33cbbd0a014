"""Requests for what stands in a gap: `suffix` in OpenAI's completions, and llama.cpp's /infill.

Names and defaults of /infill are those of llama.cpp's server, whose editors send it. The order of
the prompt's parts is the one that models are trained with: data_tools/fim_prompt.py.
"""

from dataclasses import dataclass

from data_tools.fim_prompt import FimPrompts
from paddle_impl.serving.errors import RequestError
from paddle_impl.serving.fields import Body, is_text, wrong
from paddle_impl.serving.prompts import MAX_SEQUENCES

SAMPLING = {"temperature": 0.8, "top_k": 40, "top_p": 0.95}  # where a request names none
# Settings that are not built, with the values that ask for nothing.
_NEUTRAL = {
    "n": (1,), "n_cmpl": (1,), "min_p": (0, 0.0), "typical_p": (1, 1.0), "repeat_penalty": (1, 1.0),
    "presence_penalty": (0, 0.0), "frequency_penalty": (0, 0.0), "dynatemp_range": (0, 0.0),
    "dry_multiplier": (0, 0.0), "xtc_probability": (0, 0.0), "mirostat": (0,), "n_probs": (0,),
    "n_keep": (0,), "ignore_eos": (False,), "logit_bias": ([], {}), "grammar": ("",), "lora": ([],),
    "return_tokens": (False,),
}
# How fast the answer is made, and in which order its filters are applied, which is always ours.
_NO_EFFECT = ("cache_prompt", "id_slot", "n_cache_reuse", "t_max_prompt_ms", "t_max_predict_ms",
              "timings_per_token", "samplers")


@dataclass(frozen=True)
class Gap:
    """What a body says of the gap: the texts around it, how its middle begins, and other texts.

    n_indent: the middle ends before a line that is indented less. response_fields: what the answer
    has; () for all.
    """

    prefix: str
    suffix: str
    begun: str
    extra: list[str]
    n_indent: int
    response_fields: tuple[str, ...]


def fim_prompts(tokenizer) -> FimPrompts:
    """RequestError where the model fills no gaps."""
    try:
        return FimPrompts(tokenizer)
    except ValueError as error:
        raise RequestError(str(error), param="suffix", code="unsupported_parameter") from None


def read_prefixes(value) -> list[str]:
    """The prompts of a request with a suffix, which are texts."""
    texts = [value] if is_text(value) else value
    if not isinstance(texts, list) or not texts or not all(map(is_text, texts)):
        raise wrong("prompt", "a text or a list of texts where there is a suffix", value)
    if len(texts) > MAX_SEQUENCES:
        raise RequestError(f"prompt has {len(texts)} texts; at most {MAX_SEQUENCES} are accepted",
                           param="prompt")
    return texts


def read_gap(body: Body) -> Gap:
    """The fields that /infill has beside those of sampling."""
    parts = {name: body.text(name) for name in ("input_prefix", "input_suffix")}
    for name, text in parts.items():
        if text is None:
            raise RequestError(f"{name} is required: the text on its side of the gap, or \"\"",
                               param=name)
    extra = body.take("input_extra") or []
    if not isinstance(extra, list) or not all(
            isinstance(one, dict) and is_text(one.get("text")) for one in extra):
        raise wrong("input_extra", 'a list of {"filename": ..., "text": ...}', extra)
    fields = body.take("response_fields") or []
    if not isinstance(fields, list) or not all(map(is_text, fields)):
        raise wrong("response_fields", "a list of names", fields)
    for name, values in _NEUTRAL.items():
        body.neutral(name, *values)
    body.ignore(*_NO_EFFECT)
    return Gap(*parts.values(), body.text("prompt") or "", [one["text"] for one in extra],
               body.integer("n_indent", 0, 0), tuple(fields))
