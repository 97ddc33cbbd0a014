"""Fill-in-the-middle on the windows of a file.

A window is a document that fits: its text, cut to whole characters, is transformed as a document
of its own. A window to be transformed is shortened by FIM_ROOM tokens, which the control tokens,
the end token and the tokens that a cut adds may take. One that is still too long stays as it was.
"""

from __future__ import annotations

from argparse import Namespace

import numpy as np

from data_tools.completion.options import FIM_ROOM
from data_tools.fim import FimEncoder


class Infilling:
    """too_long: how many windows stayed as they were because the transformed form did not fit."""

    def __init__(self, options: Namespace, tokenizer):
        self._encoder = FimEncoder(tokenizer, options.fim_rate, options.fim_spm_rate, options.seed)
        self._tokenizer, self._longest = tokenizer, options.segment_len
        # Where training adds an end token to every record, these have none.
        self._end = [tokenizer.eos_token_id] if options.eos == "file" else []
        self.too_long = 0

    def __call__(self, windows: list[np.ndarray]) -> list[np.ndarray]:
        """The windows, ids each, some of them transformed; a transformed one ends its document."""
        transformed = self._encoder.transformed([self._text(window) for window in windows])
        found = []
        for window, ids in zip(windows, transformed, strict=True):
            if ids is not None and len(ids) + len(self._end) > self._longest:
                self.too_long += 1
                ids = None
            found.append(window if ids is None else np.append(ids, self._end).astype(np.int64))
        return found

    def _text(self, window: np.ndarray) -> str:
        # The end token stands for no bytes; a character that the window cuts in two is left out.
        data = self._tokenizer.decode_bytes(window[: self._longest - FIM_ROOM].tolist())
        return data.decode("utf-8", errors="ignore")
