"""Checkpoint directories: each side opens what the other side has written."""

import json
import tempfile
from pathlib import Path

import numpy as np

from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState
from paddle_impl.checkpoint.directory import drop_older
from parity.cases import CHECKPOINT_STEPS, FOREIGN, KEPT, OTHER_FOLDERS, UP_TO, Case
from parity.compare import Point, Trace
from parity.paddle_side import training, weights


def written(case: Case, dtype: str) -> dict[str, bytes]:
    """The files of checkpoint.save, training state and all."""
    return _written(case, dtype, 3)


def _written(case: Case, dtype: str, step: int) -> dict[str, bytes]:
    model = weights.build(case, dtype)
    state = TrainingState(
        step=step, samples=4 * step, seed=0, order_key="", sample_order="", tokenizer=None,
        global_batch_size=4, schedule=case.schedule,
    )
    with tempfile.TemporaryDirectory() as directory:
        optimizer = training.build_optimizer(model)
        path = checkpoint.save(Path(directory), model, optimizer, state, None)
        return {file.name: file.read_bytes() for file in path.iterdir()}


def opened(case: Case, dtype: str) -> Trace:
    """Configuration and every tensor of the directory that transformers wrote."""
    with tempfile.TemporaryDirectory() as directory:
        for name, content in case.given.items():
            (Path(directory) / name).write_bytes(content)
        model = checkpoint.load_model(Path(directory))
    c = model.config
    numbers = (c.n_layer, c.n_embd, c.n_head, c.inner, c.vocab_size,
               c.n_positions, c.layer_norm_epsilon, c.initializer_range, c.embd_pdrop,
               c.attn_pdrop, c.resid_pdrop, c.bos_token_id, c.eos_token_id)
    trace: Trace = {Point(0, "config", "config.json"): np.array(numbers, dtype=np.float64)}
    named = dict(model.named_parameters())
    trace[Point(0, "config", "head is tied")] = np.asarray("lm_head.weight" not in named)
    # load_model refuses a directory with other settings.
    trace[Point(0, "config", "computes what GPT-2 does")] = np.asarray(True)
    for name in sorted(named):
        trace[Point(0, "state dict", name)] = named[name].numpy()
    return trace


def foreign(case: Case, dtype: str) -> Trace:
    """1 for each config.json that is refused because its model is not GPT-2."""
    refused: Trace = {}
    for name, value in FOREIGN.items():
        with tempfile.TemporaryDirectory() as directory:
            config = case.config.to_hf() | {name: value}
            (Path(directory) / "config.json").write_text(json.dumps(config))
            try:
                checkpoint.load_config(Path(directory))
                named = False
            except ValueError as error:
                named = name in str(error)
        refused[Point(0, "refusal", name)] = np.asarray(named)
    return refused


def newest(case: Case, dtype: str) -> Trace:
    """The step from which a run resumes, and what remains when older checkpoints are removed.

    Other folders, a file, and a folder that was not finished do not count, and remain.
    """
    folders = {f"model_{step}": step for step in CHECKPOINT_STEPS}
    folders |= dict.fromkeys((*OTHER_FOLDERS, ".model_12.tmp"), 12)
    files = {step: _written(case, dtype, step) for step in set(folders.values())}
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        for folder, step in folders.items():
            (directory / folder).mkdir()
            for name, content in files[step].items():
                (directory / folder / name).write_bytes(content)
        (directory / "model_17").write_text("a file")
        found = checkpoint.newest(directory)
        drop_older(directory, UP_TO, KEPT)
        kept = [step for step in range(20) if (directory / f"model_{step}").is_dir()]
        others = [(directory / folder).is_dir() for folder in OTHER_FOLDERS]
    return {
        Point(0, "newest", "step"): np.asarray(int(found.name.rpartition("_")[2])),
        Point(0, "kept", "steps"): np.array(kept),
        Point(0, "kept", "other folders"): np.array(others),
    }
