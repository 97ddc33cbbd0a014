"""Invalid inputs: token ids outside of the vocabulary, and more tokens than positions."""

import tempfile
from pathlib import Path

import numpy as np

from paddle_impl.config.decoding import Decoding
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.generate import generate
from paddle_impl.pretraining import pretraining_run
from parity.cases import UNFIT_INPUTS, Case
from parity.compare import Point, Trace
from parity.paddle_side import files, weights


def refusals(case: Case, dtype: str) -> Trace:
    """1 for each invalid input that raises an error, as a prompt and as a dataset.

    Paddle's embedding does not check a negative id, it reads foreign memory. So generate() and the
    pretraining run must check their inputs.
    """
    model = weights.build(case, dtype)
    trace: Trace = {}
    for name, ids in UNFIT_INPUTS.items():
        at = {door: Point(0, "refusal", f"{door}: {name}") for door in ("prompt", "dataset")}
        refused = _refused(lambda ids=ids: generate(model, [ids], Decoding(1)))
        trace[at["prompt"]] = np.asarray(refused)
        with tempfile.TemporaryDirectory() as directory:
            refused = _refused(lambda ids=ids, at=Path(directory): _pretrain(case, dtype, ids, at))
        trace[at["dataset"]] = np.asarray(refused)
    return trace


def _pretrain(case: Case, dtype: str, ids: list[int], directory: Path) -> None:
    """Build a pretraining run whose dataset holds these ids in one sample."""
    model = directory / "model"
    model.mkdir()
    for name, content in files.written(case, dtype).items():
        if name != "training_state.json":
            (model / name).write_bytes(content)
    np.save(directory / "x_ids.npy", np.array([*ids, 1], np.int32))
    np.savez(directory / "x_idx.npz", lens=np.array([len(ids) + 1], np.int32),
             docs=np.array([0, 1], np.int64))
    pretraining_run(PretrainConfig.of(
        model_type="gpt", model_name_or_path=str(model), input_dir=str(directory / "x_ids.npy"),
        output_dir=str(directory / "out"), max_seq_len=len(ids), micro_batch_size=1, max_steps=1,
        split="1,0,0", device="cpu",
    ))


def _refused(action) -> bool:
    try:
        action()
    except ValueError:
        return True
    return False
