"""ck_report.json: the newest evaluation and the best one, under auto_coding's names."""

import json

import pytest

from paddle_impl.tracking.ck_report import CK_REPORT, CheckpointReport
from paddle_impl.tracking.metrics_file import MetricsFile

MEASURES = {"loss": False, "perplexity": False, "hits": True}


def trained(step, loss):
    return {"step": step, "loss": loss, "lr": loss / 10, "epoch": step / 4}


def evaluated(step, loss, hits):
    return {"step": step, "valid_loss": loss, "valid_perplexity": 2 * loss, "valid_hits": hits}


RECORDS = [
    trained(1, 5.0), trained(2, 4.0), evaluated(2, 3.0, 0.25), trained(3, 3.5),
    evaluated(3, 2.5, 0.125), trained(4, 3.25), evaluated(4, 2.5, 0.5),
    trained(5, 3.0), evaluated(5, float("nan"), 0.25), {"step": 5, "test_loss": 0.0},
]


def written(directory, records=RECORDS, metric="loss", restored=()):
    report = CheckpointReport(directory, MEASURES, metric)
    if restored:
        metrics = MetricsFile(directory / "metrics.jsonl", 0)
        for record in restored:
            metrics.write(record)
        metrics.close()
        report.restore(directory / "metrics.jsonl")
    for record in records:
        report.record(record)
    return json.loads((directory / CK_REPORT).read_text())


def test_the_newest_and_the_best_evaluation(tmp_path):
    assert written(tmp_path, RECORDS[:7]) == {
        "latest": {"step": 4, "epoch": 1.0, "lr": 0.325, "loss_train": 3.25, "loss_dev": 2.5,
                   "eval_perplexity_dev": 5.0, "eval_hits_dev": 0.5,
                   "best_score_for_perplexity": -5.0, "best_score_for_hits": 0.125},
        "best": {"step": 3, "epoch": 0.75, "lr": 0.35, "loss_train": 3.5, "loss_dev": 2.5,
                 "eval_perplexity_dev": 5.0, "eval_hits_dev": 0.125,
                 "best_score_for_perplexity": -5.0, "best_score_for_hits": 0.125}}


def test_another_measure_decides_and_nan_is_never_the_best(tmp_path):
    told = written(tmp_path, metric="hits")
    assert told["best"]["step"] == 4 and told["latest"]["step"] == 5
    assert told["latest"]["loss_dev"] is None
    assert told["latest"]["best_score_for_hits"] == 0.5
    first = written(tmp_path, [evaluated(1, float("nan"), 0), evaluated(2, 9.0, 0)])
    assert first["best"]["step"] == 2 and first["best"]["loss_dev"] == 9.0


@pytest.mark.parametrize("at", range(1, len(RECORDS) - 2))
def test_a_resumed_run_writes_the_same(tmp_path, at):
    (tmp_path / "whole").mkdir()
    assert written(tmp_path, RECORDS[at:], restored=RECORDS[:at]) == written(tmp_path / "whole")


def test_before_the_first_evaluation_there_is_no_file(tmp_path):
    CheckpointReport(tmp_path, MEASURES, "loss").record(trained(1, 1.0))
    assert not (tmp_path / CK_REPORT).exists()
