"""A task names the curves of its values; a run of code completion has auto_coding's names."""

import math
from types import SimpleNamespace

import pytest
from visualdl import LogReader

from paddle_impl.config.run import RunConfig
from paddle_impl.finetuning.completion import Completion
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.reports import Reports

EVALUATIONS = {1: 3.0, 2: 2.0, 3: 4.0}  # step -> held-out perplexity


@pytest.fixture
def reports(tmp_path):
    """reports(start): of a run of code completion in tmp_path, opened behind step `start`."""
    def opened(start: int) -> Reports:
        config = RunConfig.of(
            model_type="gpt", model_name_or_path="code-mini", output_dir=str(tmp_path),
            report_to="visualdl", peak_tflops=1.0, device="cpu", max_steps=3)
        task = SimpleNamespace(ranks=Ranks(), measures=Completion.measures, step_tokens=1,
                               curves=Completion.curves, progress=lambda step: {}, events=[],
                               tokens=lambda first, last: last - first)
        made = Reports(config, task, 1.0)
        made.open(start)
        return made

    return opened


def test_they_are_those_of_the_source(reports, tmp_path):
    for start, steps in ((0, (1, 2)), (2, (3,))):  # the second run goes on with the first
        run = reports(start)
        for step in steps:
            run.log({"step": step, "loss": 1.0 / step, "lr": 0.5, "steps_per_s": 1.0})
            perplexity = EVALUATIONS[step]
            run.evaluation(step, "valid", {"loss": math.log(perplexity), "perplexity": perplexity})
        run.close() if step == 3 else run.tracker.close()
    found = {}
    for log in sorted((tmp_path / "train_log").iterdir()):
        reader = LogReader(file_path=str(log))
        for tag in reader.get_tags()["scalar"]:
            points = [(point.id, point.value) for point in reader.get_data("scalar", tag)]
            found.setdefault(tag, []).extend(points)
    assert found["loss_train"] == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert found["lr"] == [(1, 0.5), (2, 0.5), (3, 0.5)]
    assert found["loss_dev"] == [
        (step, pytest.approx(math.log(value))) for step, value in EVALUATIONS.items()]
    assert found["eval_perplexity_dev"] == [*EVALUATIONS.items()]
    assert found["best_score_for_perplexity"] == [(1, -3.0), (2, -2.0), (3, -2.0)]
    assert not {"loss", "learning_rate", "valid_loss", "valid_perplexity"} & found.keys()
