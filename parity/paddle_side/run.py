"""The whole recipe: token files and a checkpoint in, curves and a checkpoint out."""

import contextlib
import io
import json
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.pretraining import PretrainingRun
from parity.cases import ADAMW, WEIGHT_DECAY, Case, text
from parity.compare import Point, Trace
from parity.paddle_side import training, weights


def pretraining(case: Case, dtype: str) -> Trace:
    """Rate, loss and norm of each step, held-out losses, the weights at the end as an update."""
    trace: Trace = {}
    last = f"model_{text.RUN_STEPS}"
    with tempfile.TemporaryDirectory() as name, weights.default_dtype(dtype):
        directory = Path(name)
        text.write_token_file(directory / "code")
        start = directory / "start"
        start.mkdir()
        (start / "config.json").write_text(json.dumps(case.config.to_hf()))
        save_file(case.weights, start / "model.safetensors", metadata={"format": "pt"})
        records = _run(case, directory, start, "whole")
        _run(case, directory, directory / "whole" / f"model_{text.RUN_SAVE_EVERY}", "resumed")
        end, resumed = (load_file(directory / run / last / "model.safetensors")
                        for run in ("whole", "resumed"))
    for record in records:
        trace |= _curves(record)
    for name in sorted(end):
        trace |= training.update(text.RUN_STEPS, case, name, end[name])
        same = end[name].tobytes() == resumed[name].tobytes()
        trace[Point(text.RUN_STEPS, "resumed", name)] = np.asarray(same)
    return trace


def _run(case: Case, directory: Path, start: Path, output: str) -> list[dict]:
    """PretrainingRun, and the records it wrote."""
    schedule = case.schedule
    config = PretrainConfig(
        model_type="gpt", model_name_or_path=str(start), input_dir=str(directory / "code_ids.npy"),
        output_dir=str(directory / output), split=text.SPLIT_FLAG, max_seq_len=text.WINDOW,
        micro_batch_size=text.BATCH, global_batch_size=text.BATCH * text.ACCUMULATION,
        weight_decay=WEIGHT_DECAY, grad_clip=case.clip, max_lr=schedule["max_lr"],
        min_lr=schedule["min_lr"], warmup_rate=schedule["warmup_rate"],
        decay_steps=schedule["decay_steps"], adam_beta1=ADAMW["beta1"], adam_beta2=ADAMW["beta2"],
        adam_epsilon=ADAMW["epsilon"], max_steps=text.RUN_STEPS, save_steps=text.RUN_SAVE_EVERY,
        logging_freq=1, eval_freq=text.RUN_EVAL_EVERY, eval_iters=text.RUN_EVAL_BATCHES,
        check_accuracy=True, seed=text.SEED, device="cpu",
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        PretrainingRun(config).train()
    lines = (directory / output / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def _curves(record: dict) -> Trace:
    names = {"loss": ("loss curve", "loss"), "lr": ("learning rate", "lr"),
             "grad_norm": ("norm curve", "raw gradient norm"),
             "valid_loss": ("held-out loss", "valid"), "test_loss": ("held-out loss", "test")}
    return {Point(record["step"], *names[key]): np.asarray(record[key])
            for key in names if key in record}
