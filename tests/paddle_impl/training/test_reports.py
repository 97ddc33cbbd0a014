"""Speeds in the records of steps are of the tokens that the task counts."""

import json

import pytest

from paddle_impl.config.run import RunConfig
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.reports import Reports
from paddle_impl.training.task import Task

STEP_FLOPS = 1e12


class Even(Task):
    step_tokens = 60


class Padded(Even):
    counted = (60, 30, 0, 45)  # tokens of each step that are no padding

    def tokens(self, first, last):
        return sum(self.counted[first:last])


@pytest.fixture
def logged(tmp_path):
    """logged(task, start, *steps): the records of these steps, at two steps a second."""
    def log(task, start, *steps):
        config = RunConfig.of(
            model_type="gpt", model_name_or_path="code-mini", output_dir=str(tmp_path),
            report_to="none", peak_tflops=4.0, device="cpu", max_steps=4)
        reports = Reports(config, task(Ranks()), STEP_FLOPS)
        reports.open(start)
        for step in steps:
            reports.log({"step": step, "loss": 1.0, "lr": 0.5, "steps_per_s": 2.0})
        reports.close()
        lines = (tmp_path / "metrics.jsonl").read_text().splitlines()[-len(steps):]
        return [[json.loads(line)[name] for name in ("tokens", "tokens_per_s", "mfu")]
                for line in lines]

    return log


def test_without_padding_every_step_counts_alike(logged):
    assert logged(Even, 0, 1, 3, 4) == [[60, 120, 0.5], [180, 120, 0.5], [240, 120, 0.5]]
    assert logged(Even, 3, 4) == [[240, 120, 0.5]]


def test_padding_is_no_token(logged):
    """Steps 2 and 3 are logged together; a resumed run counts those before it too."""
    assert logged(Padded, 0, 1, 3, 4) == [[60, 120, 0.5], [90, 30, 0.125], [135, 90, 0.375]]
    assert logged(Padded, 3, 4) == [[135, 90, 0.375]]
