"""A pretraining run with a schedule that its flags name."""

import json

import pytest

from paddle_impl import checkpoint
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.pretraining import pretraining_run


@pytest.fixture
def run(tiny_data, tmp_path):
    def build(**more):
        return pretraining_run(PretrainConfig.of(**{
            "model_type": "gpt", "model_name_or_path": "code-mini", "input_dir": str(tiny_data),
            "output_dir": str(tmp_path / "run"), "split": "80,15,5", "max_seq_len": 16,
            "micro_batch_size": 2, "max_steps": 4, "save_steps": 2, "eval_iters": 0,
            "logging_freq": 1, "device": "cpu", "report_to": "none", "peak_tflops": 1.0,
            "max_lr": 0.01, **more}))

    return build


def test_it_trains_by_it_keeps_it_and_tells_another_one(run, tmp_path):
    assert run(scheduler="warmuplinear", warmup_ratio=0.5).train() is None
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    rates = [record["lr"] for line in lines if "loss" in (record := json.loads(line))]
    assert rates == [0.0, 0.005, 0.01, 0.005]
    settings = checkpoint.load_state(tmp_path / "run" / "model_4").schedule
    assert settings.items() >= {"scheduler": "linear", "first_step": 0, "max_lr": 0.01,
                                "warmup_steps": 2, "total_steps": 4}.items()
    flags = {"max_steps": 6, "resume": True}
    resumed = run(scheduler="linear", warmup_steps=2, **flags)
    assert any("total_steps 4 there, 6 now" in note and "scheduler" not in note
               for note in resumed.warnings)
    assert resumed.task.learning_rate(5) == 0.01 * (6 - 4) / (6 - 2)
    other = run(scheduler="cosine", warmup_steps=2, first_step=1, **flags)
    (note,) = (note for note in other.warnings if "the settings are not" in note)
    for part in ("scheduler linear there, cosine now", "first_step 0 there, 1 now",
                 "num_cycles not told there, 0.5 now"):
        assert part in note
