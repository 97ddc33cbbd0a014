"""A run that was killed after its last step, and resumed, is given the rest of its end."""

import json

import pytest

from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.pretraining import pretraining_run


@pytest.fixture
def run(tiny_data, tmp_path):
    """run(**flags): train a run into tmp_path/run; returns the step it went on after."""

    def train(**more) -> int:
        made = pretraining_run(PretrainConfig.of(**{
            "model_type": "gpt", "model_name_or_path": "code-mini", "input_dir": str(tiny_data),
            "output_dir": str(tmp_path / "run"), "split": "60,20,20", "max_seq_len": 16,
            "micro_batch_size": 2, "max_steps": 4, "save_steps": 1, "eval_freq": 1, "eval_iters": 1,
            "device": "cpu", "peak_tflops": 1.0, **more}))
        made.train()
        return made.start_step

    return train


def kill_at_the_end(folder, kept: int) -> list[str]:
    """Leave a run as one that was killed while it drew; returns its records."""
    metrics = folder / "metrics.jsonl"
    lines = metrics.read_text().splitlines()
    metrics.write_text("".join(line + "\n" for line in lines[:kept]))
    (folder / "curves.png").rename(folder / ".curves.png.0123abcd.tmp")
    return lines


@pytest.mark.parametrize(("flags", "last"), [
    ({}, 4),
    # No evaluation is below its first one by so much: the run ends at the second.
    ({"early_stop": 1, "max_lr": 0.0, "min_lr": 0.0}, 2),
])
def test_it_is_drawn_and_tested(run, tmp_path, flags, last):
    run(**flags)
    folder = tmp_path / "run"
    whole = folder / "metrics.jsonl"
    lines = kill_at_the_end(folder, kept=-1)
    assert "test_loss" in json.loads(lines[-1]) and json.loads(lines[-1])["step"] == last
    checkpoint = (folder / f"model_{last}" / "optimizer.safetensors").stat().st_mtime_ns
    assert run(resume=True, **flags) == last
    assert whole.read_text().splitlines() == lines
    assert (folder / "curves.png").exists() and not list(folder.glob(".curves*"))
    assert (folder / f"model_{last}" / "optimizer.safetensors").stat().st_mtime_ns == checkpoint
    with pytest.raises(ValueError, match="ended already" if flags else "is at step 4 already"):
        run(resume=True, **flags)


@pytest.mark.parametrize("flags", [{"split": "80,20,0"}, {"eval_iters": 0}])
def test_where_nothing_is_tested_the_picture_tells(run, tmp_path, flags):
    run(**flags)
    with pytest.raises(ValueError, match="is at step 4 already"):
        run(resume=True, **flags)
    kill_at_the_end(tmp_path / "run", kept=None)
    assert run(resume=True, **flags) == 4
    assert (tmp_path / "run" / "curves.png").exists()


def test_where_nothing_is_drawn_either_the_last_step_is_the_end(run):
    flags = {"split": "80,20,0", "report_to": "none"}
    run(**flags)
    with pytest.raises(ValueError, match="is at step 4 already"):
        run(resume=True, **flags)
