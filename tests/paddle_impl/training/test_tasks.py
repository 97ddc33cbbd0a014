"""Any task trains through the same run: pairs with two forward passes, another head, an adapter."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from paddle_impl import checkpoint
from paddle_impl.parallel.tensor import WHOLE
from paddle_impl.training.task import check_trainable
from tests.paddle_impl.training import task_doubles as doubles

ROOT = Path(__file__).resolve().parents[3]
METRICS = {"pairs": {"accuracy", "margin"}, "classification": {"accuracy"}, "adapter": set(),
           "last block": set()}
WEIGHTS = {"pairs": "model.safetensors", "classification": "model.safetensors",
           "adapter": "adapter_model.safetensors", "last block": "model.safetensors"}


def records(output_dir: Path, key: str) -> list[dict]:
    lines = (output_dir / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if key in (record := json.loads(line))]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return doubles.write_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def whole(base, tmp_path_factory):
    """whole(task): the output of a run that nothing interrupted."""
    made = {}

    def of(task):
        if task not in made:
            made[task] = tmp_path_factory.mktemp(task) / "run"
            doubles.run(task, base, made[task]).train()
        return made[task]

    return of


@pytest.mark.parametrize("task", doubles.TASKS)
def test_it_trains_and_logs_its_metrics(task, whole):
    steps = records(whole(task), "loss")
    assert [record["step"] for record in steps] == [1, 2, 3, 4, 5, 6]
    assert all(METRICS[task] <= record.keys() for record in steps)
    for record in records(whole(task), "valid_loss"):
        assert {f"valid_{name}" for name in METRICS[task]} <= record.keys()
    assert [r["step"] for r in records(whole(task), "valid_loss")] == [3, 6]


@pytest.mark.parametrize("task", doubles.TASKS)
def test_validation_computes_what_training_does(task, base, tmp_path, monkeypatch):
    """The same rows without an update and without dropout: the same loss and metrics."""
    monkeypatch.setattr(doubles.TASKS[task], "learning_rate", lambda self, step: 0.0)
    monkeypatch.setattr(doubles.TASKS[task], "fit", lambda self, shape, fit=doubles.TASKS[
        task].fit: fit(self, shape).with_(embd_pdrop=0.0, resid_pdrop=0.0, attn_pdrop=0.0))
    doubles.run(task, base, tmp_path / "run", max_steps=1, eval_freq=1).train()
    (trained,), (measured,) = (records(tmp_path / "run", key) for key in ("loss", "valid_loss"))
    for name in {"loss", *METRICS[task]}:
        assert measured[f"valid_{name}"] == pytest.approx(trained[name], rel=1e-6)


@pytest.mark.parametrize("task", doubles.TASKS)
def test_killed_and_resumed_it_writes_the_same_bytes(task, base, whole, tmp_path):
    """kill -9 in the fifth step, whose last checkpoint is of the fourth."""
    output_dir = tmp_path / "run"
    process = subprocess.run(
        [sys.executable, "-m", "tests.paddle_impl.training.task_doubles", task, base, output_dir,
         "5"], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert max(checkpoint.checkpoints(output_dir)) == 4
    doubles.run(task, base, output_dir, resume=True).train()
    expected = sorted((whole(task) / "model_6").iterdir())
    assert [path.name for path in expected] == sorted(
        path.name for path in (output_dir / "model_6").iterdir())
    for path in expected:
        assert (output_dir / "model_6" / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("task", doubles.TASKS)
def test_what_was_saved_is_opened_again(task, base, whole):
    """By a run that has nothing else from the first one."""
    last = whole(task) / "model_6"
    assert (last / WEIGHTS[task]).is_file()
    opened = doubles.run(task, base, whole(task), resume=True, max_steps=7)
    assert opened.start_step == 6
    stored = checkpoint.load_state(last)
    assert (stored.task, stored.data) == (task, {"seed": 0})
    moved = doubles.run(task, base, whole(task).parent / "new").model
    changed = [name for (name, p), (_, q) in zip(
        opened.model.named_parameters(), moved.named_parameters(), strict=True)
        if not np.array_equal(p.numpy(), q.numpy())]
    assert changed and (task != "adapter" or all(name.endswith((".a", ".b")) for name in changed))


def test_a_classifier_says_what_it_is(whole):
    last = whole("classification") / "model_6"
    told = json.loads((last / "config.json").read_text())
    assert told["architectures"] == ["GPT2ForSequenceClassification"]
    assert type(checkpoint.load_model(last)).__name__ == "GPTForSequenceClassification"
    with pytest.raises(ValueError, match="GPT2ForSequenceClassification, text needs a GPT2LMHead"):
        checkpoint.load_language_model(last)


def test_an_adapter_is_small_and_stands_on_its_base(whole, base):
    last = whole("adapter") / "model_6"
    assert not (last / "model.safetensors").exists()
    told = json.loads((last / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == str(base)
    with pytest.raises(ValueError, match="holds an adapter of .*, not a whole model"):
        checkpoint.load_model(last)


@pytest.mark.parametrize(("task", "other"), [
    ("pairs", "classification"), ("classification", "adapter"), ("adapter", "pairs"),
])
def test_the_directory_of_another_task_is_refused(task, other, base, whole):
    with pytest.raises(ValueError, match=f"holds a run of another task: model_6 is of {other}, "
                                         f"this is {task}"):
        doubles.run(task, base, whole(other), resume=True, max_steps=9)


@pytest.mark.parametrize("task", doubles.TASKS)
def test_other_data_are_refused(task, base, whole):
    with pytest.raises(ValueError, match=r"another data: 0 there, 5 now \(pass the seed 0\)"):
        doubles.run(task, base, whole(task), seed=5, resume=True, max_steps=9)


def test_the_weights_of_another_model_are_refused(base, whole, tmp_path):
    with pytest.raises(ValueError, match="holds a GPT2ForSequenceClassification, this model is a "
                                         "GPT2LMHeadModel"):
        doubles.run("pairs", whole("classification") / "model_6", tmp_path / "run")


def test_the_best_checkpoint_is_kept_beside_the_newest(base, tmp_path):
    output_dir = tmp_path / "run"
    doubles.run("pairs", base, output_dir, eval_freq=1, keep_checkpoints=1, keep_best=True,
                save_steps=6).train()
    losses = {r["step"]: r["valid_loss"] for r in records(output_dir, "valid_loss")}
    best = min(losses, key=losses.get)
    assert [path.name for path in (output_dir / "best").iterdir()] == [f"model_{best}"]
    state = checkpoint.load_state(output_dir / "best" / f"model_{best}")
    assert state.progress["best_valid_loss"] == losses[best]
    assert [*checkpoint.checkpoints(output_dir)] == [6]


def test_another_measure_decides(base, tmp_path):
    flags = {"eval_freq": 1, "keep_best": True, "metric_for_best_model": "margin"}
    doubles.run("pairs", base, tmp_path, **flags).train()
    margins = {r["step"]: r["valid_margin"] for r in records(tmp_path, "valid_margin")}
    best = max(margins, key=margins.get)
    assert best != min(margins, key=margins.get)
    (kept,) = (tmp_path / "best").iterdir()
    assert kept.name == f"model_{best}"
    progress = checkpoint.load_state(kept).progress
    assert progress["best_valid_margin"] == margins[best] and "best_valid_loss" not in progress
    with pytest.raises(ValueError, match="another metric of the best checkpoint: margin there, "
                       r"loss now \(pass --metric_for_best_model margin\)"):
        doubles.run("pairs", base, tmp_path, resume=True, max_steps=9)
    doubles.run("pairs", base, tmp_path, resume=True, max_steps=9, **flags)


def test_a_measure_that_the_task_lacks_is_refused(base, tmp_path):
    with pytest.raises(ValueError, match="--metric_for_best_model bleu: pairs measures loss, "
                                         "accuracy, margin"):
        doubles.run("pairs", base, tmp_path, metric_for_best_model="bleu")


def test_the_last_step_is_evaluated_and_saved(base, tmp_path):
    doubles.run("pairs", base, tmp_path, max_steps=5, eval_freq=2, save_steps=3).train()
    assert [r["step"] for r in records(tmp_path, "valid_loss")] == [2, 4, 5]
    assert [*checkpoint.checkpoints(tmp_path)] == [3, 5]


def test_a_best_one_of_later_steps_is_written_again(base, tmp_path):
    """A run that continues before the best step comes to it once more, and one remains."""
    output_dir = tmp_path / "run"
    flags = {"eval_freq": 1, "keep_best": True, "save_steps": 1}
    doubles.run("pairs", base, output_dir, **flags).train()
    (best,) = (output_dir / "best").iterdir()
    (best / "of the first run").touch()
    step = int(best.name.removeprefix("model_"))
    assert step > 1
    for late in range(step, 7):
        (output_dir / f"model_{late}").rename(tmp_path / f"model_{late}")
    doubles.run("pairs", base, output_dir, resume=True, **flags).train()
    assert [*(output_dir / "best").iterdir()] == [best]
    assert not (best / "of the first run").exists()
    assert not records(output_dir, "event")


def test_the_best_is_kept_through_a_resume(base, tmp_path):
    """A run that is resumed before the best step comes to the same one again."""
    for name, more in (("whole", {}), ("resumed", {"max_steps": 2})):
        doubles.run("pairs", base, tmp_path / name, eval_freq=1, keep_best=True, **more).train()
    doubles.run("pairs", base, tmp_path / "resumed", eval_freq=1, keep_best=True,
                resume=True).train()
    whole, resumed = (sorted((tmp_path / name / "best").rglob("*"))
                      for name in ("whole", "resumed"))
    assert [path.name for path in whole] == [path.name for path in resumed]
    for one, other in zip(whole, resumed, strict=True):
        assert one.is_dir() or one.read_bytes() == other.read_bytes(), one.name


def test_frozen_weights_are_saved_as_they_were_and_have_no_state(base, whole):
    last = whole("last block") / "model_6"
    before, after = load_file(base / "model.safetensors"), load_file(last / "model.safetensors")
    assert before.keys() == after.keys()
    moved = {name for name, value in before.items() if not np.array_equal(value, after[name])}
    assert moved == {name for name in before if name.startswith("transformer.h.1.")}
    state = load_file(last / "optimizer.safetensors")
    assert {key.rpartition(".")[0] for key in state} == moved


def test_another_trainable_set_is_refused(base, whole, monkeypatch):
    monkeypatch.setattr(doubles.LastBlock, "trained", ("transformer.h.1.", "transformer.wpe"))
    with pytest.raises(ValueError, match="transformer.wpe.weight trained now and not there"):
        doubles.run("last block", base, whole("last block"), resume=True, max_steps=7)


def test_a_run_without_a_gradient_keeps_what_was_before(base, tmp_path, monkeypatch):
    monkeypatch.setattr(doubles.LastBlock, "nothing", True)
    with pytest.raises(FloatingPointError, match="step 1: .* every gradient of the 12 trainable"):
        doubles.run("last block", base, tmp_path / "run").train()
    kept = tmp_path / "run" / "no_gradient_step_1"
    np.testing.assert_array_equal(
        load_file(kept / "model_0" / "model.safetensors")["transformer.h.1.ln_1.weight"],
        load_file(base / "model.safetensors")["transformer.h.1.ln_1.weight"])
    assert (kept / "batch.npz").is_file()
    assert [r["event"] for r in records(tmp_path / "run", "event")] == ["no gradient"]


def test_frozen_parameters_in_a_split_model_are_refused(base):
    model = doubles.LastBlock(base, None).build(doubles.TINY, WHOLE)
    with pytest.raises(ValueError, match=r"--mp_degree 2 with frozen parameters \(transformer.wte"):
        check_trainable(model, 2)
    check_trainable(model, 1)
