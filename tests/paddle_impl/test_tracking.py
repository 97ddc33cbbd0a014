"""metrics.jsonl across a crash: no line twice, none lost, none cut."""

import json

from paddle_impl.tracking import METRICS, Tracker

RECORD = {"loss": 1.5, "lr": 0.1, "grad_norm": 2.0, "steps_per_s": 1.0, "tokens_per_s": 10.0,
          "tokens_per_s_per_process": 10.0, "epoch": 0, "tokens": 5}


def steps(path):
    return [json.loads(line)["step"] for line in (path / METRICS).read_text().splitlines()]


def test_a_resumed_run_drops_what_it_computes_again(tmp_path):
    tracker = Tracker(tmp_path, 0, 9)
    for step in (1, 2, 3, 4):
        tracker.train(RECORD | {"step": step})
    tracker.evaluation(4, "valid_loss", 1.0)
    tracker.close()
    with open(tmp_path / METRICS, "a") as file:
        file.write('{"step": 5, "lo')
    tracker = Tracker(tmp_path, 3, 9)
    tracker.train(RECORD | {"step": 4})
    tracker.close()
    assert steps(tmp_path) == [1, 2, 3, 4]


def test_other_processes_write_nothing(tmp_path, capsys):
    tracker = Tracker(tmp_path, 0, 9, enabled=False)
    tracker.train(RECORD | {"step": 1})
    tracker.evaluation(1, "valid_loss", 1.0)
    tracker.say("hello")
    tracker.close()
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().out == ""


def test_records_are_on_disk_at_once(tmp_path):
    tracker = Tracker(tmp_path, 0, 9)
    tracker.train(RECORD | {"step": 1})
    assert steps(tmp_path) == [1]
    tracker.close()
