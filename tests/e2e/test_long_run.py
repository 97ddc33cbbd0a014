"""Events of a long run: non-finite losses, damaged checkpoints, a full disk, and early stop."""

import json
import re
import shutil
from collections import namedtuple

import numpy as np
import pytest

from paddle_impl import checkpoint, pretraining
from paddle_impl.data.loader import PretrainLoader
from paddle_impl.objectives import CAUSAL_LM


def records(output_dir, key):
    lines = (output_dir / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if key in (record := json.loads(line))]


def saved(output_dir):
    return sorted(path.name for path in output_dir.glob("*model_*"))


@pytest.fixture
def poisoned(monkeypatch):
    """The loss of micro batch 3, which step 4 reads, is NaN."""
    read = PretrainLoader.micro_batch

    def micro_batch(self, index):
        bad = index == 3 and self.accumulation_steps == 1 and len(self.dataset) > 8
        return read(self, index) | {"poison": np.array([np.nan if bad else 0.0], np.float32)}

    def loss(model, batch):
        total, metrics = CAUSAL_LM.loss(model, batch)
        return total * (1.0 + batch["poison"].sum()), metrics

    monkeypatch.setattr(PretrainLoader, "micro_batch", micro_batch)
    monkeypatch.setattr(pretraining, "objective_of",
                        lambda options, tokenizer: CAUSAL_LM._replace(loss=loss))


def test_a_poisoned_batch_stops_the_run_and_leaves_what_to_look_at(
        pretrain, poisoned, tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        pretrain(tmp_path / "run", "--eval_iters", 0)
    assert error.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "step 4: loss nan, gradient norm nan; first bad tensor: the loss in micro batch 0, " \
        "samples 6 to 7 (document" in message
    evidence = tmp_path / "run" / "nonfinite_step_4"
    with np.load(evidence / "batch.npz", allow_pickle=False) as batch:
        assert batch["input_ids"].shape == (1, 1, 2, 32)
        assert np.isnan(batch["poison"][0, 0, 0])
    # The weights before the step; no resume takes them for a checkpoint.
    assert checkpoint.load_state(evidence / "model_3").step == 3
    assert saved(tmp_path / "run") == ["model_3"]
    ((event,),) = [records(tmp_path / "run", "event")]
    assert (event["step"], event["event"]) == (4, "not finite")


def test_a_poisoned_batch_may_be_left_out(pretrain, poisoned, tmp_path, capsys):
    pretrain(tmp_path / "run", "--eval_iters", 0, "--skip_nonfinite", 1)
    assert "no update, 1 of 1 left out" in capsys.readouterr().out
    losses = [record["loss"] for record in records(tmp_path / "run", "loss")]
    assert losses[3] is None and None not in losses[:3] + losses[4:]
    last = tmp_path / "run" / "model_6"
    assert checkpoint.load_state(last).progress["skipped_steps"] == 1
    for name, value in checkpoint.load_model(last).named_parameters():
        assert np.isfinite(value.numpy()).all(), name


def test_the_number_left_out_is_that_of_the_whole_run(pretrain, poisoned, tmp_path):
    """Stopped after step 5 and resumed, it remembers that one update was left out."""
    pretrain(tmp_path / "run", "--eval_iters", 0, "--skip_nonfinite", 1, "--save_steps", 5,
             "--max_steps", 5)
    pretrain(tmp_path / "run", "--eval_iters", 0, "--skip_nonfinite", 1, "--resume")
    assert checkpoint.load_state(tmp_path / "run" / "model_6").progress["skipped_steps"] == 1


def test_old_checkpoints_go_once_the_new_one_is_there(pretrain, tmp_path):
    pretrain(tmp_path / "run", "--save_steps", 1, "--keep_checkpoints", 2)
    assert saved(tmp_path / "run") == ["model_5", "model_6"]


def test_a_damaged_checkpoint_is_passed_over(pretrain, tmp_path, capsys):
    """One bit of model_6: the run continues after model_3 and ends with the same bytes."""
    pretrain(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    weights = tmp_path / "cut" / "model_6" / "model.safetensors"
    damaged = bytearray(weights.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    weights.write_bytes(damaged)
    capsys.readouterr()
    pretrain(tmp_path / "cut", "--resume")
    out = capsys.readouterr().out
    assert "model_6 is damaged (model.safetensors" in out and "continuing from model_3" in out
    assert saved(tmp_path / "cut") == ["damaged_model_6", "model_3", "model_6"]
    assert weights.read_bytes() == (
        tmp_path / "whole" / "model_6" / "model.safetensors").read_bytes()


def test_a_full_disk_does_not_end_the_run_before_its_end(pretrain, tmp_path, monkeypatch, capsys):
    """Step 3 finds no room and training goes on; step 6 does."""
    usage = namedtuple("usage", "total used free")
    full, room = usage(10**9, 10**9 - 10, 10), usage(10**12, 0, 10**12)
    now = [room]
    monkeypatch.setattr("paddle_impl.checkpoint.writing.shutil.disk_usage", lambda path: now[0])
    from paddle_impl.training.reports import Reports

    log = Reports.log

    def filling(self, record):
        now[0] = full if record["step"] <= 3 else room
        log(self, record)

    with monkeypatch.context() as patch:
        patch.setattr(Reports, "log", filling)
        pretrain(tmp_path / "run")
        assert saved(tmp_path / "run") == ["model_6"]
        assert "cannot save step 3: needs " in capsys.readouterr().out
        with pytest.raises(SystemExit) as error:
            pretrain(tmp_path / "never", "--max_steps", 2)
        assert error.value.code == 2
        assert "cannot save step 2: needs " in capsys.readouterr().err
        assert saved(tmp_path / "never") == []
    # At the start: a new run is refused, a resumed one is warned and trains.
    with pytest.raises(SystemExit):
        pretrain(tmp_path / "new")
    said = capsys.readouterr().err
    assert re.search(r"error: a checkpoint needs about \d+\.\d MiB, 0\.0 KiB free on \S+/new: make "
                     "room, or name another --output_dir", said)
    assert not (tmp_path / "new").exists()
    with pytest.raises(SystemExit):
        pretrain(tmp_path / "run", "--max_steps", 7, "--resume")
    captured = capsys.readouterr()
    assert "warning: a checkpoint needs about" in captured.out and "global step 7," in captured.out
    assert "cannot save step 7: needs " in captured.err


def test_early_stop_and_a_resume_that_knows(pretrain, tmp_path, capsys):
    """At rate 0 no evaluation is better than the first, after step 2."""
    still = ("--max_lr", 0, "--min_lr", 0, "--early_stop", 1)
    pretrain(tmp_path / "run", *still)
    assert saved(tmp_path / "run") == ["model_3", "model_4"]
    assert [r["step"] for r in records(tmp_path / "run", "valid_loss")] == [2, 4]
    assert [r["step"] for r in records(tmp_path / "run", "test_loss")] == [4]
    assert "in 1 evaluation(s)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        pretrain(tmp_path / "run", *still, "--resume")
    assert "the run has ended already, by --early_stop 1" in capsys.readouterr().err


def test_prompts_are_completed_and_nothing_else_changes(pretrain, tmp_path, capsys):
    prompts = tmp_path / "test.txt"
    prompts.write_text("def\nreturn a\n")
    pretrain(tmp_path / "plain")
    pretrain(tmp_path / "run", "--test_file", prompts, "--max_dec_len", 4)
    found = records(tmp_path / "run", "completions")
    assert [record["step"] for record in found] == [2, 4, 6]
    assert [pair["prompt"] for pair in found[0]["completions"]] == ["def", "return a"]
    assert "********** global step 2, completions: 'def' **********" in capsys.readouterr().out
    for key in ("loss", "valid_loss"):
        assert [r[key] for r in records(tmp_path / "run", key)] == [
            r[key] for r in records(tmp_path / "plain", key)]


def test_what_is_recorded(pretrain, tmp_path):
    pretrain(tmp_path / "run", "--report_to", "none", "--peak_tflops", 1)
    assert not (tmp_path / "run" / "train_log").exists()
    step = records(tmp_path / "run", "loss")[0]
    assert step["memory_mib"] > 0 and step["peak_memory_mib"] >= step["memory_mib"]
    assert 0 < step["mfu"] < 1
    valid = records(tmp_path / "run", "valid_loss")[0]
    assert valid["valid_perplexity"] == pytest.approx(np.exp(valid["valid_loss"]))
    assert valid["valid_bits_per_byte"] > 0


def test_every_difference_of_a_resumed_run_is_named(pretrain, tmp_path, capsys):
    pretrain(tmp_path / "run", "--max_steps", 3)
    with pytest.raises(SystemExit):
        pretrain(tmp_path / "run", "--resume", "--seed", 5, "--micro_batch_size", 4)
    message = capsys.readouterr().err
    assert "seed: 1234 there, 5 now" in message
    assert "global batch size: 2 there, 4 now" in message and "--global_batch_size 2" in message


def test_a_second_start_into_the_same_batch_says_the_same(pretrain, poisoned, tmp_path, capsys):
    for more in ([], ["--resume"]):
        with pytest.raises(SystemExit):
            pretrain(tmp_path / "run", "--eval_iters", 0, *more)
        assert "step 4: loss nan" in capsys.readouterr().err
    assert saved(tmp_path / "run" / "nonfinite_step_4") == ["model_3"]


def test_a_signal_in_the_last_step_changes_nothing(pretrain, tmp_path, monkeypatch):
    """Everything is done: there is nothing to continue, and the test is measured."""
    from paddle_impl.process.stopping import StopSignals

    calls = []
    monkeypatch.setattr(StopSignals, "requested", lambda self: calls.append(1) or len(calls) == 6)
    pretrain(tmp_path / "run")
    assert [r["step"] for r in records(tmp_path / "run", "test_loss")] == [6]
