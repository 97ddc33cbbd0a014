"""Requests to a server: JSON bodies by OpenAI's names, and the points of what it answers."""

import string

import numpy as np

from parity.cases import MODEL
from parity.compare import Point, Trace

MODEL_ID = "the model"
ROWS = 3  # sequences that are computed at a time, fewer than some requests have
VOCABULARY, END = 257, 256  # of a tokenizer with a token for each byte; the model has more
# Texts that come in the continuations, some of them inside of others.
_STOPS = [*"aeiou", "0", " (", "(", "é", "never", "q", "t", "<", ">"]
_PAIRS = [a + b for a in string.ascii_letters[:40] for b in string.ascii_letters[:40]]
_LONG = [token % VOCABULARY for token in range(7, 7 + 3 * (MODEL.n_positions - 4), 3)]
_IDS = [[1, 2, 3], _LONG, [7] * 20]
_TEXTS = ["def f(x):\n", "", "世 é"]
_SAMPLED = {"temperature": 0.7, "top_k": 40, "top_p": 0.9, "seed": 5}

# name -> body; the end token is the model's
REQUESTS = {
    "texts": {"prompt": _TEXTS, "temperature": 0},
    "ids, to the last position": {"prompt": _IDS, "temperature": 0, "max_tokens": 30},
    "echo": {"prompt": _TEXTS, "temperature": 0, "max_tokens": 5, "echo": True},
    "penalty": {"prompt": "ab", "temperature": 0, "max_tokens": 12, "repetition_penalty": 1.4},
    "sampled": {"prompt": _TEXTS, "max_tokens": 8, "n": 2, "echo": True, **_SAMPLED},
    "sampled among all": {"prompt": [_IDS[0]], "max_tokens": 9, "n": 3, "seed": 6, "top_k": -1},
    "stop": {"prompt": _IDS, "max_tokens": 20, "n": 2, "seed": 7, "stop": _STOPS},
    "stop, one text": {"prompt": _IDS, "max_tokens": 20, "n": 3, "seed": 8, "stop": "e"},
    "stop, pairs": {"prompt": _TEXTS, "max_tokens": 25, "n": 3, "seed": 4, "stop": _PAIRS},
    "stop, not yet": {"prompt": _IDS, "max_tokens": 20, "n": 2, "seed": 7, "stop": _STOPS,
                      "min_tokens": 5},
    "many stops, not yet": {"prompt": _IDS, "max_tokens": 6, "n": 3, "seed": 3, "min_tokens": 2,
                            "stop": [*string.ascii_letters, *string.digits]},
}
# Of a server whose end tokens are a third of all.
ENDS = tuple(range(1, VOCABULARY, 3))
ENDING = {
    "ends": {"prompt": _TEXTS, "max_tokens": 12, "n": 3, "seed": 9},
    "ends, not yet": {"prompt": _TEXTS, "max_tokens": 12, "n": 3, "seed": 9, "min_tokens": 4},
    "ends or stops": {"prompt": _IDS, "max_tokens": 12, "n": 3, "seed": 9, "stop": _STOPS},
}


def requests() -> list[tuple[str, tuple[int, ...], dict]]:
    """(name, end tokens, body) of each request."""
    return [(name, ends, body) for ends, bodies in (((END,), REQUESTS), (ENDS, ENDING))
            for name, body in bodies.items()]


def points(name: str, choices: list[tuple[str, str]], usage: tuple[int, int, int]) -> Trace:
    """choices: (text, finish reason) of each; usage: tokens of prompts, of choices, and of both."""
    ended = [[reason == kind for kind in ("stop", "length")] for _, reason in choices]
    trace = {Point(0, "decoded", f"{name}, choice {number}"):
             np.frombuffer(f"|{text}".encode(), np.uint8)
             for number, (text, _) in enumerate(choices)}
    return trace | {Point(0, "ended", name): np.array(ended),
                    Point(0, "tokens", f"{name}, usage"): np.array(usage)}
