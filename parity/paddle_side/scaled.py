"""scale_attn_by_inverse_layer_idx: logits by the model and by each decoder, and gradients."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import paddle

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.native_decoder import NativeDecoder
from paddle_impl.decoding.paddle_decoder import PaddleDecoder
from paddle_impl.decoding.sequences import uniform_draws
from paddle_impl.export import export_model
from paddle_impl.export import files as export_files
from paddle_impl.export.running import continue_prompts
from paddle_impl.parallel.ranks import Ranks
from parity.cases import Case
from parity.cases import scaled as fixtures
from parity.compare import Point, Trace
from parity.paddle_side import files, meeting, weights
from parity.paddle_side.backward import gradient_trace
from parity.paddle_side.forward import summed_loss

_DECODERS = {"paddle": PaddleDecoder, "native": NativeDecoder}


def written(case: Case, dtype: str) -> dict[str, bytes]:
    """The files of checkpoint.save."""
    return files.written(fixtures.scaled(case), "float32")


def logits(case: Case, dtype: str) -> Trace:
    """Logits (B, T, V) of the model, of two tensor parallel processes, of each decoder's steps and
    of transformers' files; greedy tokens by an exported model; gradients of the mean loss.
    """
    case = fixtures.scaled(case)
    model = weights.build(case, dtype)
    trace: Trace = {Point(0, "logits", "whole"): _logits(model, case)}
    halves = meeting.run(2, partial(_of_process, case, dtype), model=2)
    trace[Point(0, "logits", "split")] = halves[0]
    row = case.batch["input_ids"][0, : fixtures.LENGTH].tolist()
    for name, decoder in _DECODERS.items():
        own = decoder(model, rows=1, positions=fixtures.LENGTH)
        found = [own.prefill(0, row[: fixtures.PROMPT])]
        found += [own.step([0], [token])[0] for token in row[fixtures.PROMPT :]]
        trace[Point(0, "logits", f"{name} steps")] = np.stack(found)[None]
    with tempfile.TemporaryDirectory() as name:
        for file, content in case.given.items():
            (Path(name) / file).write_bytes(content)
        with weights.default_dtype(dtype):
            opened = checkpoint.load_language_model(Path(name))
        opened.eval()
        trace[Point(0, "logits", "opened")] = _logits(opened, case)
        directory = Path(name) / "exported"
        export_model(weights.build(case, "float32"), Tokenizer.byte_level(), directory)
        found = continue_prompts(directory, export_files.read(directory), fixtures.PROMPTS,
                                 Decoding(fixtures.NEW, vocab_size=fixtures.VOCABULARY),
                                 draws=partial(uniform_draws, 0))
        for number, (one,) in enumerate(found):
            trace[Point(0, "chosen ids", f"exported, prompt {number}")] = np.array(one.token_ids)
    loss_sum, weight = summed_loss(model, case.batch)
    (loss_sum / weight).backward()
    return trace | gradient_trace(model)


@paddle.no_grad()
def _logits(model, case: Case) -> np.ndarray:
    return model(paddle.to_tensor(case.batch["input_ids"])).numpy()


def _of_process(case: Case, dtype: str, ranks: Ranks) -> np.ndarray:
    return _logits(weights.build_share(case, dtype, ranks.model), case)
