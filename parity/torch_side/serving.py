"""What a server answers to requests: transformers' generate, each prompt on its own.

The fields are read by OpenAI's reference; top_k, min_tokens and repetition_penalty are vLLM's.
"""

import numpy as np

from paddle_impl.config.decoding import Decoding
from parity.cases import Case
from parity.cases import serving as fixtures
from parity.compare import Trace
from parity.torch_side import weights
from parity.torch_side.decoding import continued, first_stop


def answers(case: Case, dtype: str) -> Trace:
    """Texts, finish reasons and usage of every request, whole and streamed, which are the same."""
    model = weights.build(case, dtype)
    trace: Trace = {}
    for name, ends, body in fixtures.requests():
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        choices, new = [], 0
        for number, prompt in enumerate(prompts):
            ids = (list(prompt.encode()) or [fixtures.END]) if isinstance(prompt, str) else prompt
            before = prompt if body.get("echo") else ""
            for text, reason, count in _choices(model, ids, number, ends, body):
                choices.append((before + text, reason))
                new += count
        used = sum(len(prompt.encode()) or 1 if isinstance(prompt, str) else len(prompt)
                   for prompt in prompts)
        for way in ("whole", "streamed"):
            trace |= fixtures.points(f"{name}, {way}", choices, (used, new, used + new))
    return trace


def _choices(model, ids: list[int], number: int, ends: tuple[int, ...], body: dict):
    """(text, finish reason, tokens with the end token) of each continuation of a prompt."""
    decoding, n = _decoding(body, ends, model.config.n_positions - len(ids)), body.get("n", 1)
    draws = np.random.default_rng([body.get("seed", 0), number])
    drawn = draws.random((decoding.max_new_tokens, n)) if decoding.sampled else None
    stops = body.get("stop", [])
    stops = [stops] if isinstance(stops, str) else stops
    for tokens in continued(model, ids, decoding, drawn)[0]:
        ended = tokens[-1] in ends
        count, text = first_stop(tokens[:-1] if ended else tokens, _spelled, stops,
                                 body.get("min_tokens", 0))
        stopped = ended or count is not None
        yield text, "stop" if stopped else "length", len(tokens[:count])


def _decoding(body: dict, ends: tuple[int, ...], room: int) -> Decoding:
    new, temperature = min(body.get("max_tokens", 16), room), body.get("temperature", 1.0)
    return Decoding(
        new, strategy="sampling" if temperature else "greedy_search",
        min_new_tokens=min(body.get("min_tokens", 0), new),
        num_return_sequences=body.get("n", 1), temperature=temperature or 1.0,
        top_k=max(0, body.get("top_k", 0)), top_p=body.get("top_p", 1.0),
        repetition_penalty=body.get("repetition_penalty", 1.0), eos_token_ids=ends,
        vocab_size=fixtures.VOCABULARY,
    )


def _spelled(tokens: list[int]) -> bytes:
    """A token is a byte; the end token has no text."""
    return bytes(token for token in tokens if token != fixtures.END)
