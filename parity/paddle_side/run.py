"""A whole pretraining run: from token files and a checkpoint to curves and a checkpoint."""

import contextlib
import io
import json
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
from safetensors.numpy import load_file, save_file

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.optim.precision import LossScaler, Precision
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.pretraining import Pretraining, pretraining_run
from paddle_impl.training.nonfinite import NonFiniteError
from paddle_impl.training.trainer import Trainer
from parity.cases import ADAMW, WEIGHT_DECAY, Case, scaling, text
from parity.compare import Point, Trace
from parity.paddle_side import training, weights


def pretraining(case: Case, dtype: str) -> Trace:
    """Learning rate, loss and gradient norm of each step, held-out losses, and the total update."""
    trace: Trace = {}
    with tempfile.TemporaryDirectory() as name, weights.default_dtype(dtype):
        directory = Path(name)
        text.write_token_file(directory / "code", text.END_ID)
        text.write_tokenizer(directory / "code_tokenizer")
        start = _start(case, directory)
        records = _run(case, directory, start, "whole")
        middle = directory / "whole" / f"model_{text.RUN_SAVE_EVERY}"
        _run(case, directory, middle, "resumed")
        last, resumed = (directory / output / f"model_{text.RUN_STEPS}"
                         for output in ("whole", "resumed"))
        for record in records:
            trace |= _curves(record)
        made = Tokenizer.load(directory / "code_tokenizer").fingerprint()
        kept = Tokenizer.load(last).fingerprint() == made
        trace[Point(text.RUN_STEPS, "kept", "tokenizer")] = np.asarray(kept)
        end_token = checkpoint.load_config(last).eos_token_id
        trace[Point(text.RUN_STEPS, "kept", "end token")] = np.asarray(end_token)
        weights_of = [load_file(path / "model.safetensors") for path in (last, resumed)]
    for name in sorted(weights_of[0]):
        whole, again = (found[name] for found in weights_of)
        trace |= training.update(text.RUN_STEPS, case, name, whole)
        same = whole.tobytes() == again.tobytes()
        trace[Point(text.RUN_STEPS, "resumed", name)] = np.asarray(same)
    return trace


def settings(case: Case, dtype: str) -> Trace:
    """The rate of every dropout module, and 1 for each of three facts about seeds.

    Another seed changes the initial weights and the dropout masks, and nothing else.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        text.write_constant_file(directory / "code")
        start = _start(case, directory)
        dropping = {"check_accuracy": False, "hidden_dropout_prob": text.RUN_DROPOUT,
                    "attention_probs_dropout_prob": text.RUN_ATTENTION_DROPOUT}
        run = pretraining_run(_config(case, directory, start, "none", **dropping))
        layers = dict(run.model.named_sublayers())
        trace: Trace = {Point(0, "dropout", name): np.asarray(layers[name].p)
                        for name in case.dropouts()}

        def first_loss(output: str, begin, **changes) -> float:
            return _run(case, directory, begin, output, max_steps=1, **changes)[0]["loss"]

        plain, other = first_loss("a", start), first_loss("b", start, seed=text.SEED + 1)
        masks = [first_loss(f"c{n}", start, seed=text.SEED + n, **dropping) for n in (0, 1)]
        fresh = [first_loss(f"d{n}", "code-mini", seed=text.SEED + n) for n in (0, 1)]
    trace[Point(0, "seed", "first weights")] = np.asarray(fresh[0] != fresh[1])
    trace[Point(0, "seed", "dropout")] = np.asarray(masks[0] != masks[1])
    trace[Point(0, "seed", "nothing else")] = np.asarray(plain == other)
    return trace


def rates(case: Case, dtype: str) -> Trace:
    """The learning rate of each step of a run, and after it, by several flags."""
    trace: Trace = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        text.write_constant_file(directory / "code")
        for what, flags in text.RATE_FLAGS.items():
            task = Pretraining(_config(case, directory, directory, "none",
                                       max_steps=text.RATE_STEPS, **flags), Ranks())
            for step in range(1, text.RATE_STEPS + 3):
                trace[Point(step, "learning rate", what)] = np.asarray(task.learning_rate(step))
    return trace


def progress(case: Case, dtype: str) -> Trace:
    """What a run counts, in a whole run and in one that is resumed: the loss scale after each step,
    the skipped updates, and the evaluations before an early stop.
    """
    trace: Trace = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        text.write_constant_file(directory / "code")
        start, middle = _start(case, directory), f"model_{scaling.RESUMED_AFTER}"
        with _spoiled():
            # Two steps may be skipped, and when it is resumed one, which it has used up before.
            for output, begin, skips in (("whole", start, 2),
                                         ("resumed", directory / "whole" / middle, 1)):
                records = _run(
                    case, directory, begin, output, max_steps=scaling.RESUMED_STEPS, eval_iters=0,
                    save_steps=scaling.RESUMED_AFTER, skip_nonfinite=skips)
                steps = [record for record in records if "loss" in record]
                for phase, key in (("loss scale", "loss_scale"), ("skipped", "skipped_steps"),
                                   ("ended", "step")):
                    values = [float(record.get(key, 0)) for record in steps]
                    trace[Point(0, phase, output)] = np.array(values)
        flags = {"max_steps": 20, "save_steps": scaling.RESUMED_AFTER, "max_lr": 0.0, "min_lr": 0.0,
                 "eval_freq": scaling.EVALUATE_EVERY, "early_stop": scaling.PATIENCE}
        for output, begin in (("still", start), ("resumed still", directory / "still" / middle)):
            records = _run(case, directory, begin, output, **flags)
            last = [record["step"] for record in records if "loss" in record][-1]
            trace[Point(0, "ended", f"{output}, early stop")] = np.array(last)
    return trace


@contextlib.contextmanager
def _spoiled():
    """Runs in this context scale the loss, and some of their steps are not finite."""
    plain = Trainer._forward

    def forward(trainer, step, index, batch):
        loss, metrics = plain(trainer, step, index, batch)
        return scaling.spoiled(loss, step), metrics

    def scaler(precision, scale):
        return LossScaler(scaling.INITIAL, growth_interval=scaling.RESUMED_GROWTH)

    with patch.object(Trainer, "_forward", forward), patch.object(Precision, "scaler", scaler):
        yield


def _start(case: Case, directory: Path) -> Path:
    """A directory with the case's weights, as transformers writes it."""
    start = directory / "start"
    start.mkdir()
    (start / "config.json").write_text(json.dumps(case.config.to_hf()))
    save_file(case.weights, start / "model.safetensors", metadata={"format": "pt"})
    return start


def _run(case: Case, directory: Path, start, output: str, **changes) -> list[dict]:
    """A pretraining run, to its end or to a step that is not finite; the records that it wrote."""
    with (contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()),
          contextlib.suppress(NonFiniteError)):
        pretraining_run(_config(case, directory, start, output, **changes)).train()
    lines = (directory / output / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def _config(case: Case, directory: Path, start, output: str, **changes) -> PretrainConfig:
    schedule = case.schedule
    flags = {
        "model_type": "gpt", "model_name_or_path": str(start),
        "input_dir": str(directory / "code_ids.npy"), "output_dir": str(directory / output),
        "split": text.SPLIT_FLAG, "max_seq_len": text.WINDOW, "micro_batch_size": text.BATCH,
        "global_batch_size": text.BATCH * text.ACCUMULATION, "weight_decay": WEIGHT_DECAY,
        "grad_clip": case.clip, "max_lr": schedule["max_lr"], "min_lr": schedule["min_lr"],
        "warmup_rate": schedule["warmup_rate"], "decay_steps": schedule["decay_steps"],
        "adam_beta1": ADAMW["beta1"], "adam_beta2": ADAMW["beta2"],
        "adam_epsilon": ADAMW["epsilon"], "max_steps": text.RUN_STEPS,
        "save_steps": text.RUN_SAVE_EVERY, "logging_freq": 1, "eval_freq": text.RUN_EVAL_EVERY,
        "eval_iters": text.RUN_EVAL_BATCHES, "check_accuracy": True, "seed": text.SEED,
        "device": "cpu",
    }
    return PretrainConfig.of(**flags | changes)


def _curves(record: dict) -> Trace:
    names = {"loss": ("loss curve", "loss"), "lr": ("learning rate", "lr"),
             "grad_norm": ("norm curve", "raw gradient norm"),
             "valid_loss": ("held-out loss", "valid"), "test_loss": ("held-out loss", "test")}
    return {Point(record["step"], *names[key]): np.asarray(record[key])
            for key in names if key in record}
