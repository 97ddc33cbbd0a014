"""A Decoder for an exported model: paddle.inference runs the graph, numpy holds the cache.

Shapes: N rows fed together, T new tokens, S past tokens, L layers, H heads, D head size, V
vocabulary. This file needs neither the model's code nor a checkpoint.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import paddle
from paddle import inference

from paddle_impl.decoding.decoder import check_room
from paddle_impl.export import files
from paddle_impl.process import runtime

_HIDDEN = -1e9  # as model.causal_mask: exact in softmax, and no row becomes NaN


class ExportedDecoder:
    """See decoder.Decoder. One run of the graph feeds all rows of the same length.

    export: what files.read(directory) returned. ValueError for an export that this version of
    Paddle cannot read.
    """

    def __init__(self, directory: Path, export: files.Export, rows: int, positions: int):
        self.rows, self.positions = rows, min(positions, export.positions)
        self.vocab_size = export.vocab_size
        self._lengths = np.zeros(rows, np.int64)
        # Positions before layers: the past of a row is one piece of memory.
        self._cache = np.empty(
            (rows, self.positions, export.layers, 2, export.heads, export.head_size), np.float32
        )
        self._predictor = _predictor(directory, export)
        self._inputs = {name: self._predictor.get_input_handle(name)
                        for name in ("input_ids", "positions", "mask", "past")}
        self._outputs = [self._predictor.get_output_handle(name)
                         for name in self._predictor.get_output_names()]

    def prefill(self, row: int, prompt: Sequence[int]) -> np.ndarray:
        check_room(0, len(prompt), self.positions)
        self._lengths[row] = 0
        return self._feed([row], np.array([prompt], np.int64))[0]

    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> np.ndarray:
        rows, tokens = np.asarray(rows), np.asarray(tokens, np.int64)
        lengths = self._lengths[rows]
        check_room(int(lengths.max()), 1, self.positions)
        logits: list = [None] * len(rows)
        for length in np.unique(lengths):
            (same,) = np.nonzero(lengths == length)
            for index, own in zip(same, self._feed(rows[same], tokens[same, None]), strict=True):
                logits[index] = own
        return np.stack(logits)

    def copy(self, source: int, target: int) -> None:
        length = self._lengths[source]
        self._cache[target, :length] = self._cache[source, :length]
        self._lengths[target] = length

    def _feed(self, rows: Sequence[int], ids: np.ndarray) -> np.ndarray:
        """Feed ids (N, T) to rows of the same length; returns the logits after the last, (N, V)."""
        past, new = int(self._lengths[rows[0]]), ids.shape[1]
        total = past + new
        # A slice of one row is not copied before it is fed; several rows are gathered.
        rows = slice(rows[0], rows[0] + 1) if len(rows) == 1 else rows
        for name, values in (
            ("input_ids", ids),
            ("positions", np.arange(past, total)),
            ("mask", np.triu(np.full((new, total), _HIDDEN, np.float32), past + 1)),
            ("past", self._cache[rows, :past]),
        ):
            self._inputs[name].copy_from_cpu(np.ascontiguousarray(values))
        self._predictor.run()
        logits, keys_values = [output.copy_to_cpu() for output in self._outputs]
        self._cache[rows, past:total] = keys_values
        self._lengths[rows] = total
        return logits


def _predictor(directory: Path, export: files.Export):
    if not export.program.endswith(".pdmodel") and paddle.__version__.startswith("2."):
        raise ValueError(
            f"{directory} was exported by Paddle {export.paddle}, which Paddle "
            f"{paddle.__version__} cannot read: export it again with this version"
        )
    config = inference.Config(str(directory / export.program), str(directory / files.WEIGHTS))
    config.disable_gpu()
    config.disable_glog_info()
    # oneDNN is on by default, and its concat fails where the past has length 0: in Paddle 2.6.2
    # with an error, in 3.3.1 without one.
    config.disable_mkldnn()
    config.set_cpu_math_library_num_threads(runtime.core_count())
    return inference.create_predictor(config)
