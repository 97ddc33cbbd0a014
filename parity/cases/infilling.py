"""What the rungs of fill-in-the-middle encode: files, texts so short that parts are empty, gaps."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parity.cases import MODEL, text
from parity.compare import Point, Trace

TOKENS = ("<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>")
# name -> (--fim_rate, --fim_spm_rate, --seed)
RATES = {
    "half": (0.5, 0.5, 1234),
    "another seed": (0.5, 0.5, 77),
    "all in PSM": (1.0, 0.0, 5),
    "all in SPM": (1.0, 1.0, 5),
    "most, few in SPM": (0.9, 0.25, 6),
}
DOCUMENTS = text.DOCUMENTS | {
    "i_control.py": "a = '<fim_prefix>' + '<fim_suffix>' + '<fim_middle>'  # text, not tokens\n",
    "j_words.py": "if self == the: return self\nfor i in self: return i\n" * 3,
}
SHORT = ("ab", "中é", "i", "def self", "\r\n ", "    return")
SEEDS = range(30)  # of each short text


def write_documents(directory: Path) -> None:
    for name, content in DOCUMENTS.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8"))

# Gaps to fill with a model of cases.MODEL and a token for each byte: the id of a byte is the byte.
END = 256
PREFIX, MIDDLE, SUFFIX, PAD = range(END + 1, END + 5)  # in the order of TOKENS
PYTHON, VOCABULARY = END + 5, END + 6  # the model has more
MODEL_ID, SEED = "the model", 31


@dataclass(frozen=True)
class Gap:
    """most: new tokens; the prompt keeps room for them, or for half of the model's positions.
    sequences: 0 is one greedy continuation, others are sampled.
    """

    prefix: str
    suffix: str
    mode: str = "psm"
    language: str | None = None
    most: int = 12
    sequences: int = 0


_LONG = "".join(f"x{number} = {number}\n" for number in range(30))
GAPS = {
    "plain": Gap("def f(x):\n", "\n    return y\n"),
    "SPM": Gap("def f(x):\n", "\n    return y\n", mode="spm"),
    "no prefix": Gap("", "b"),
    "no suffix": Gap("a", ""),
    "neither": Gap("", "", mode="spm"),
    "language": Gap("a = ", " + b", language="python"),
    "language, SPM": Gap("a = ", " + b", mode="spm", language="Python"),
    "control tokens as text": Gap("<fim_suffix>", "<python>"),
    "letters of several bytes": Gap("中 = 'é'\n", "🙂\n"),
    "both too long": Gap(_LONG, _LONG),
    "both too long, SPM, language": Gap(_LONG, _LONG, mode="spm", language="python"),
    "prefix too long": Gap(_LONG, "end"),
    "suffix too long": Gap("begin", _LONG),
    "one token too long": Gap("a" * 30, "b" * 20),
    "as long as may be": Gap("a" * 29, "b" * 20),
    "half of the positions": Gap(_LONG, _LONG, most=60),
    **{f"sampled {number}": Gap("ab" * number, "cd" * (9 - number), sequences=4, most=16,
                                mode=("psm", "spm")[number % 2]) for number in range(9)},
}
_TWO = {"input_prefix": "def f(x):\n", "input_suffix": "\n    return y\n"}
# name -> (fim_mode, language, body of /infill)
INFILLS = {
    "greedy": ("psm", None, {**_TWO, "temperature": 0, "n_predict": 9}),
    "typed": ("psm", None, {**_TWO, "temperature": 0, "prompt": "    y = ", "n_predict": 9}),
    "typed, SPM": ("spm", None, {**_TWO, "temperature": 0, "prompt": "    y = ", "n_predict": 9}),
    "other texts": ("psm", "python", {
        **_TWO, "temperature": 0, "n_predict": 9, "input_extra": [
            {"filename": "a", "text": "a = 1\n"}, {"filename": "b", "text": "b"}]}),
    "other texts too long": ("psm", None, {
        **_TWO, "temperature": 0, "n_predict": 9, "input_extra": [{"text": _LONG}]}),
    "too long": ("psm", None, {
        "input_prefix": _LONG, "input_suffix": _LONG, "temperature": 0, "prompt": "typed"}),
    "usual sampling": ("psm", None, {**_TWO, "seed": 5}),
    "sampled": ("spm", None, {**_TWO, "seed": 6, "temperature": 3.0, "top_k": 0, "top_p": 1.0,
                              "n_predict": 25}),
}


def draws(number: int) -> np.ndarray:
    """The draws of the sequences of the gap with this number, (step, sequence)."""
    return np.random.default_rng([SEED, number]).random((MODEL.n_positions, 4))


def points(name: str, prompt: list[int], found: list[tuple[list[int], bool, float]]) -> Trace:
    """prompt: its ids. found: the new ids without an end token, whether one came, and the score."""
    trace: Trace = {Point(0, "prompt ids", name): np.array(prompt)}
    for number, (ids, ended, score) in enumerate(found):
        trace |= {
            Point(0, "chosen ids", f"{name}, {number}"): np.array([*ids, -1]),
            Point(0, "ended", f"{name}, {number}"): np.array([ended, not ended]),
            Point(0, "score", f"{name}, {number}"): np.array(score),
        }
    return trace
