"""The prompt of a gap: what stands before and behind it, in an order that fim.py trains on.

run_generation.py, the server and run_evaluation.py take such prompts from here. A prompt is a
transformed document without its middle, so the model's continuation is the middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from data_tools.fim import arranged
from data_tools.preparing.flags import FIM_TOKENS
from data_tools.tokenizing.any_tokenizer import AnyTokenizer

MODES = ("psm", "spm")
_BEHIND = 4  # a fourth of the room is for the suffix where both parts are long, as in llama.cpp


class GapPrompt(NamedTuple):
    """cut: tokens that were left out at the prefix's start, and at the suffix's end."""

    ids: list[int]
    cut: tuple[int, int]


class FimPrompts:
    """Prompts for a tokenizer that has the control tokens; ValueError, which names them, otherwise.

    end_tokens: the ids of the control tokens. A middle ends before any of them.
    """

    def __init__(self, tokenizer: AnyTokenizer):
        special = tokenizer.special_tokens
        missing = [token for token in FIM_TOKENS[:3] if token not in special]
        if missing:
            raise ValueError(
                f"a suffix is for models with fill-in-the-middle tokens, and this tokenizer has no "
                f"{' '.join(missing)}: train on data that was made with --fim_rate")
        self._tokenizer, self._tokens = tokenizer, tuple(special[token] for token in FIM_TOKENS[:3])
        self.end_tokens = tuple(special[token] for token in FIM_TOKENS if token in special)

    def prompt(
        self, prefix: str, suffix: str, most: int, *, mode: str = "psm", begun: str = "",
        front: Sequence[int] = (),
    ) -> GapPrompt:
        """At most `most` tokens. The texts are encoded one by one, and never to control tokens.

        mode: one of MODES. begun: how the middle begins; the continuation goes on behind it.
        front: ids before all others, such as a language's token. Where prefix and suffix do not
        fit, the prefix loses its start and the suffix its end. ValueError where the others alone do
        not fit, or a text is not Unicode.
        """
        before, behind, middle = map(self._encoded, (prefix, suffix, begun))
        room = most - len(front) - len(self._tokens) - len(middle)
        if room < 0:
            raise ValueError(f"the prompt has {most - room} tokens without prefix and suffix; at "
                             f"most {most} are accepted")
        kept = min(len(behind), max(room // _BEHIND, room - len(before)))
        cut = max(0, len(before) - (room - kept)), len(behind) - kept
        ids = arranged(before[cut[0]:], middle, behind[:kept], mode == "spm", self._tokens)
        return GapPrompt([*front, *ids.tolist()], cut)

    def _encoded(self, text: str):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{text[:30]!r} is not UTF-8 text") from None
        return self._tokenizer.encode(text)
