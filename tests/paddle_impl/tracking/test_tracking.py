"""Tracker: metrics.jsonl after a crash, the console, and runs whose sinks fail."""

import json
import sys
import types

import pytest

from paddle_impl.tracking import METRICS, Tracker, sinks

RECORD = {"loss": 1.5, "lr": 0.1, "grad_norm": 2.0, "steps_per_s": 1.0, "tokens_per_s": 10.0,
          "tokens_per_s_per_process": 10.0, "epoch": 0, "tokens": 5}


def records(path):
    return [json.loads(line) for line in (path / METRICS).read_text().splitlines()]


def steps(path):
    return [record["step"] for record in records(path)]


@pytest.fixture
def recorder(monkeypatch):
    """A sink called "recorder" that keeps its calls, and raises what `.error` holds."""
    module = types.ModuleType("paddle_impl.tracking.recorder_sink")
    module.calls, module.error = [], None

    class Recorder:
        def __getattr__(self, name):
            def call(*arguments):
                if module.error:
                    raise module.error
                module.calls.append((name, *arguments))
            return call

    def open_sink(output_dir, start_step, config):
        if module.error:
            raise module.error
        module.calls.append(("open", start_step, config))
        return Recorder()

    module.open_sink = open_sink
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sinks._KINDS, "recorder", sinks._Kind("json", "json", "recorder_sink"))
    return module


def test_a_resumed_run_drops_what_it_computes_again(tmp_path):
    tracker = Tracker(tmp_path, 0, 9, report_to="none")
    for step in (1, 2, 3, 4):
        tracker.train(RECORD | {"step": step})
    tracker.event(3, "overflow", "skipped")
    tracker.evaluation(4, {"valid_loss": 1.0})
    tracker.event(4, "overflow", "skipped")
    tracker.close()
    with open(tmp_path / METRICS, "a") as file:
        file.write('{"step": 5, "lo')
    tracker = Tracker(tmp_path, 3, 9, report_to="none")
    tracker.train(RECORD | {"step": 4})
    tracker.close()
    assert steps(tmp_path) == [1, 2, 3, 3, 4]
    assert records(tmp_path)[3] == {"step": 3, "event": "overflow", "message": "skipped"}


def test_other_processes_write_nothing(tmp_path, capsys):
    tracker = Tracker(tmp_path, 0, 9, enabled=False)
    tracker.train(RECORD | {"step": 1})
    tracker.evaluation(1, {"valid_loss": 1.0})
    tracker.text(1, "completions", [("a", "b")])
    tracker.event(1, "overflow", "skipped")
    tracker.say("hello")
    tracker.close()
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().out == ""


def test_records_are_on_disk_at_once(tmp_path):
    tracker = Tracker(tmp_path, 0, 9, report_to="none")
    tracker.train(RECORD | {"step": 1})
    assert steps(tmp_path) == [1]
    tracker.close()


def test_the_console_shows_what_a_record_holds_and_nothing_else(tmp_path, capsys):
    tracker = Tracker(tmp_path, 0, 9, report_to="none")
    tracker.train(RECORD | {"step": 7})
    tracker.train({"step": 8, "loss": 2.0, "mfu": 0.341, "memory_mib": 812.4, "loss_scale": 32768.0,
                   "skipped_steps": 3, "peak_memory_mib": None})
    tracker.evaluation(8, {"valid_loss": 1.25, "valid_perplexity": 3.5})
    tracker.event(8, "overflow", "loss scale 65536 -> 32768")
    tracker.text(8, "completions", [("def", " f():\n    pass")])
    assert capsys.readouterr().out.splitlines() == [
        "global step 7, epoch: 0, batch: 6, loss: 1.500000000, grad norm: 2.0000, "
        "speed: 1.00 step/s, ips_total: 10 tokens/s, ips: 10 tokens/s, learning rate: 1.00000e-01",
        "global step 8, batch: 7, loss: 2.000000000, mfu: 34.1%, memory: 812 MiB, "
        "loss scale: 32768, skipped steps: 3",
        "global step 8, valid_loss: 1.250000000, valid_perplexity: 3.500000000",
        "global step 8, overflow: loss scale 65536 -> 32768",
        "********** global step 8, completions: 'def' **********",
        "def f():",
        "    pass",
    ]
    assert records(tmp_path)[-1] == {
        "step": 8, "completions": [{"prompt": "def", "text": " f():\n    pass"}]
    }
    tracker.close()


def test_every_number_becomes_a_curve(tmp_path, recorder):
    tracker = Tracker(tmp_path, 2, 9, report_to="recorder", config={"seed": 1})
    tracker.train({"step": 3, "loss": 1.5, "lr": 0.1, "mfu": None, "skipped_steps": 2, "note": "x"})
    tracker.evaluation(3, {"valid_loss": 1.0, "valid_bits_per_byte": 2.0})
    tracker.text(3, "completions", [("a", "b")])
    tracker.close()
    assert recorder.calls == [
        ("open", 2, {"seed": 1}),
        ("scalars", 3, {"loss": 1.5, "learning_rate": 0.1, "skipped_steps": 2.0}),
        ("scalars", 3, {"valid_loss": 1.0, "valid_bits_per_byte": 2.0}),
        ("completions", 3, "completions", [("a", "b")]),
        ("close",),
    ]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("gone")])
def test_a_sink_that_fails_is_told_once_and_tried_again(tmp_path, recorder, capsys, error):
    tracker = Tracker(tmp_path, 0, 9, report_to="recorder")
    recorder.error = error
    for step in (1, 2):
        tracker.train(RECORD | {"step": step})
    recorder.error = None
    tracker.train(RECORD | {"step": 3})
    recorder.error = error
    tracker.train(RECORD | {"step": 4})
    tracker.close()
    assert steps(tmp_path) == [1, 2, 3, 4]
    assert [call[:2] for call in recorder.calls] == [("open", 0), ("scalars", 3)]
    warnings = [line for line in capsys.readouterr().out.splitlines() if "warning" in line]
    assert len(warnings) == 2
    assert "recorder cannot be written" in warnings[0] and str(error.args[-1]) in warnings[0]
    assert warnings[1] == "warning: recorder lacks 3 records"


def test_metrics_on_a_full_disk_warn_and_come_back(tmp_path, capsys, monkeypatch):
    import os

    tracker = Tracker(tmp_path, 0, 9, report_to="none")
    tracker.train(RECORD | {"step": 1})
    write = os.write

    def full(descriptor, data):  # half of the record fits
        if len(data) < 60:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:50])

    monkeypatch.setattr(os, "write", full)
    tracker.train(RECORD | {"step": 2})
    tracker.train(RECORD | {"step": 3})
    monkeypatch.undo()
    tracker.train(RECORD | {"step": 4})
    tracker.close()
    assert steps(tmp_path) == [1, 4]
    out = capsys.readouterr().out
    assert out.count("metrics.jsonl cannot be written") == 1
    assert "metrics.jsonl lacks 2 records" in out


def test_a_console_that_is_gone_does_not_stop_the_run(tmp_path, monkeypatch):
    class Gone:
        def write(self, text):
            raise BrokenPipeError

        flush = isatty = write

    monkeypatch.setattr(sys, "stdout", Gone())
    tracker = Tracker(tmp_path, 0, 9, report_to="none")
    tracker.train(RECORD | {"step": 1})
    tracker.close()
    assert steps(tmp_path) == [1]


def test_a_sink_that_does_not_open_stops_a_new_run_only(tmp_path, recorder, capsys):
    recorder.error = RuntimeError("no\nlogin")
    with pytest.raises(OSError, match="--report_to recorder does not start: no login"):
        Tracker(tmp_path, 0, 9, report_to="recorder")
    assert not (tmp_path / METRICS).exists()  # it would make the directory another run's
    tracker = Tracker(tmp_path, 5, 9, report_to="recorder")
    tracker.train(RECORD | {"step": 6})
    tracker.close()
    assert steps(tmp_path) == [6]
    assert "recorder does not start: no login; training goes on" in capsys.readouterr().out


def test_the_picture_is_of_the_whole_run_and_of_no_step_twice(tmp_path, recorder, monkeypatch):
    drawn = []
    monkeypatch.setattr("paddle_impl.tracking.tracker.draw_runs",
                        lambda path, runs, *score, **_: drawn.append((path, runs, score)))
    for start, stop in ((0, 4), (2, 5)):
        tracker = Tracker(tmp_path, start, 9, report_to="recorder")
        for step in range(start + 1, stop + 1):
            tracker.train({"step": step, "loss": 10.0 * start + step})
        tracker.draw("valid_hits", True)
        tracker.close()
    (path, runs, score), (_, again, _) = drawn
    assert path == tmp_path / "curves.png" and score == ("valid_hits", True)
    assert [*runs.values()] == [{"loss": {1: 1, 2: 2, 3: 3, 4: 4}}]
    assert [*again.values()] == [{"loss": {1: 1, 2: 2, 3: 23, 4: 24, 5: 25}}]


@pytest.mark.parametrize("error", [ValueError("pictures need\nmatplotlib"), RuntimeError("odd")])
def test_a_picture_that_fails_is_one_warning(tmp_path, recorder, monkeypatch, capsys, error):
    def fail(*_, **more):
        raise error

    monkeypatch.setattr("paddle_impl.tracking.tracker.draw_runs", fail)
    tracker = Tracker(tmp_path, 0, 9, report_to="recorder")
    tracker.draw("valid_loss", False)  # there is nothing yet
    tracker.train({"step": 1, "loss": 1.0})
    tracker.draw("valid_loss", False)
    tracker.close()
    said = [line for line in capsys.readouterr().out.splitlines() if "curves.png" in line]
    assert said == [f"warning: curves.png is not drawn: {' '.join(str(error).split())}"]


def test_the_warning_names_the_picture_that_failed(tmp_path, recorder, capsys):
    tracker = Tracker(tmp_path, 0, 9, report_to="recorder")
    tracker.train({"step": 1, "loss": 1.0})
    tracker.draw("valid_loss", False, pictures={
        "first.png": {"losses": ("loss",)}, "second.jpg": {"losses": ("loss",)}})
    tracker.close()
    assert {"curves.png", "first.png"} <= {path.name for path in tmp_path.iterdir()}
    assert "warning: second.jpg is not drawn: " in capsys.readouterr().out


@pytest.mark.parametrize(("enabled", "report_to"), [(False, "recorder"), (True, "none")])
def test_other_processes_and_runs_without_sinks_draw_nothing(tmp_path, recorder, enabled,
                                                             report_to):
    tracker = Tracker(tmp_path, 0, 9, enabled=enabled, report_to=report_to)
    tracker.train({"step": 1, "loss": 1.0})
    tracker.draw("valid_loss", False)
    tracker.close()
    assert not (tmp_path / "curves.png").exists()
