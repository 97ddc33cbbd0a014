"""The decode step in C++ (paddle_impl/kernels), for float32 and float64 models on a CPU.

N rows are fed at a time; H heads of size D, V vocabulary. A step reads the weights once for all
rows. The bits of a row's logits do not depend on the other rows.
"""

import ctypes
import os
from collections.abc import Sequence

import numpy as np
import paddle

from paddle_impl.decoding.decoder import check_room
from paddle_impl.decoding.layers import replaced_layer
from paddle_impl.process.runtime import core_count

try:
    from paddle_impl.kernels import _decode
except ImportError as error:
    _decode, _MISSING = None, str(error)

_DTYPES = {paddle.float32: ("Decoder32", ctypes.c_float),
           paddle.float64: ("Decoder64", ctypes.c_double)}


def refusal(model) -> str:
    """The reason why this decoder cannot serve the model; empty where it can."""
    if _decode is None:
        return f"the compiled decode step is missing: run bash scripts/setup.sh ({_MISSING})"
    if model.parts.degree > 1:
        return "the model is split over several processes"
    if replaced := replaced_layer(model):
        return f"{replaced}, whose output is not known from its weights alone"
    parameters = dict(model.named_parameters())
    if parameters.keys() != _names(model.config):
        return "the model has other parameters than GPT-2's"
    for name, parameter in parameters.items():
        if not parameter.place.is_cpu_place():
            return f"{name} is on {parameter.place}, not on the CPU"
        if parameter.dtype not in _DTYPES:
            return f"{name} is {_plain(parameter.dtype)}, not float32 or float64"
    kinds = {_plain(parameter.dtype) for parameter in parameters.values()}
    if len(kinds) > 1:
        return f"the parameters are of several types: {', '.join(sorted(kinds))}"
    return ""


class NativeDecoder:
    """See decoder.Decoder. It uses the weights that the model has when the decoder is made.

    All but the embeddings are copied, in the order in which a step reads them: a model that is
    trained further needs a new decoder. A copied row shares its past with the source. ValueError
    for a step of a row whose past another row has overwritten.

    threads: by default OMP_NUM_THREADS, or all cores. instructions: one of `instruction_sets()`,
    by default the fastest. ValueError where `refusal` names a reason, or the memory does not
    suffice.
    """

    def __init__(self, model, rows: int, positions: int, *, threads: int | None = None,
                 instructions: str | None = None):
        if reason := refusal(model):
            raise ValueError(f"the decode step in C++ cannot serve this model: {reason}")
        model.eval()
        config = model.config
        self.rows, self.positions = rows, min(positions, config.n_positions)
        self.vocab_size = config.vocab_size
        self._model = model
        # A detached tensor keeps the memory alive even when the parameter is given other memory.
        self._held = {name.removeprefix("transformer."): parameter.detach()
                      for name, parameter in model.named_parameters()}
        kind, number = _DTYPES[self._held["wte.weight"].dtype]
        weights = {name: _view(tensor, number) for name, tensor in self._held.items()}
        if config.scale_attn_by_inverse_layer_idx:
            weights |= _scaled_queries(weights, config)
        # Paddle hands an epsilon to its kernels as a float32, of a float64 model, too.
        epsilon = float(np.float32(config.layer_norm_epsilon))
        try:
            self._native = getattr(_decode, kind)(
                weights, config.n_layer, config.n_head, epsilon, self.rows, self.positions,
                threads or thread_count(), instructions or instruction_sets()[0],
            )
        except MemoryError:
            raise ValueError(f"no memory for the weights and {self.rows} rows of {self.positions} "
                             "positions: lower --batch_size") from None

    @paddle.no_grad()
    def prefill(self, row: int, prompt: Sequence[int]) -> np.ndarray:
        check_room(0, len(prompt), self.positions)
        cache = self._model.new_cache()
        ids = paddle.to_tensor([list(prompt)], dtype="int64")
        logits = self._model.next_logits(ids, cache).numpy()[0]
        self._native.fill(row, len(prompt))
        for layer, (keys, values) in enumerate(cache):  # (1, H, T, D) each
            self._native.load(row, layer, keys.numpy()[0], values.numpy()[0])
        return logits

    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> np.ndarray:
        return self._native.step(rows, tokens)

    def copy(self, source: int, target: int) -> None:
        self._native.copy(source, target)


def instruction_sets() -> list[str]:
    """The instruction sets that were compiled and that this processor has, the fastest first."""
    return _decode.instruction_sets()


def thread_count() -> int:
    """OMP_NUM_THREADS, as Paddle's own kernels use it, else all cores.

    Of several numbers with commas between them, which are for nested loops, the first counts.
    """
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else core_count()


def _names(config) -> set[str]:
    linears = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj", "ln_1", "ln_2")
    names = {"wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias"} | {
        f"h.{layer}.{part}.{kind}"
        for layer in range(config.n_layer) for part in linears for kind in ("weight", "bias")
    }
    return {f"transformer.{name}" for name in names}


def _scaled_queries(weights: dict[str, np.ndarray], config) -> dict[str, np.ndarray]:
    """The query, key and value projections with queries divided by the block's number, from 1; the
    step itself divides scores by the root of the head's size only.
    """
    found = {}
    for layer in range(config.n_layer):
        for kind in ("weight", "bias"):
            name = f"h.{layer}.attn.c_attn.{kind}"
            found[name] = weights[name].copy()
            found[name][..., : config.n_embd] /= layer + 1
    return found


def _plain(dtype) -> str:
    return str(dtype).rpartition(".")[2]


def _view(tensor: paddle.Tensor, number) -> np.ndarray:
    """The tensor's own memory, which `numpy()` would copy; valid while the tensor is held."""
    address = tensor.value().get_tensor()._ptr()
    count = int(np.prod(tensor.shape))
    return np.ctypeslib.as_array((number * count).from_address(address)).reshape(tensor.shape)
