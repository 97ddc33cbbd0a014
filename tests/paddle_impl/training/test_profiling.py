"""--profiler_options: every key works or is refused; a trace has the batches of its range only."""

import json
import re

import numpy as np
import paddle
import pytest

from paddle_impl.training.profiling import Profiler, ProfilerOptions


def options(text):
    return ProfilerOptions.parse(text)


def test_options_are_read_as_paddlenlps_users_write_them():
    assert options("batch_range=[50, 60]; profile_path=a b/model.profile;") == ProfilerOptions(
        batch_range=(50, 60), profile_path="a b/model.profile", timer_only=False)
    assert options("batch_range=[1,2]") == ProfilerOptions(batch_range=(1, 2))
    assert options("state=GPU;sorted_key=max;tracer_option=AllOpDetail;exit_on_finished=no"
                   ) == ProfilerOptions((10, 20), "GPU", "max", "AllOpDetail", None, False, False)
    assert options("timer_only=False;exit_on_finished=TRUE") == ProfilerOptions(timer_only=False)


@pytest.mark.parametrize(("text", "message"), [
    ("", "takes key=value;key=value, got ''"),
    ("x", "takes key=value;key=value, got 'x'"),
    ("state=", "takes key=value;key=value, got 'state='"),
    ("range=[1,2]", "no key 'range'; its keys are batch_range, state,"),
    ("state=CPU;state=GPU", "names state twice"),
    ("state=cpu", "state is one of All, CPU, GPU, got 'cpu'"),
    ("sorted_key=calls", "sorted_key is one of total, ave, max, min, got 'calls'"),
    ("tracer_option=x", "tracer_option is one of Default, OpDetail, AllOpDetail"),
    ("batch_range=[5,5]", "first below last, got '.5,5.'"),
    ("batch_range=[-1,5]", "batch_range takes .first,last."),
    ("batch_range=[1,5,9]", "batch_range takes .first,last."),
    ("timer_only=maybe", "timer_only takes true or false, got 'maybe'"),
    ("timer_only=true;state=CPU", "state belongs to a trace, and timer_only=true makes none"),
])
def test_what_it_cannot_do_is_refused(text, message):
    with pytest.raises(ValueError, match=f"--profiler_options.*{message}"):
        options(text)


def test_a_launch_that_cannot_reach_the_range_is_refused():
    options("batch_range=[2,5]").check("cpu", 5)
    options("state=GPU").check("gpu", 20)
    with pytest.raises(ValueError, match=r"batch_range=\[2,5\] ends after the 4 batches"):
        options("batch_range=[2,5]").check("cpu", 4)
    with pytest.raises(ValueError, match="state=GPU does not go with --device cpu"):
        options("state=GPU").check("cpu", 100)


def train(profiler, batches, before=lambda batch: None):
    """Steps of a small layer; (step() of each batch, the weights at the end)."""
    paddle.seed(1)
    layer = paddle.nn.Linear(4, 4)
    layer.weight.set_value(np.eye(4, dtype=np.float32))
    optimizer = paddle.optimizer.AdamW(parameters=layer.parameters())
    stops = []
    if profiler:
        profiler.start()
    for batch in range(batches):
        before(batch)
        with paddle.profiler.RecordEvent(f"batch{batch}"):
            layer(paddle.ones([2, 4])).sum().backward()
            optimizer.step()
            optimizer.clear_grad()
        if profiler:
            stops.append(profiler.step())
            if stops[-1]:
                break
    if profiler:
        profiler.stop()
    return stops, layer.weight.numpy()


def names(path):
    """Names of a chrome trace's events, without the duration that Paddle appends."""
    events = json.loads(path.read_text())["traceEvents"]
    return [re.sub(r"\[.*", "", event["name"]) for event in events if "name" in event]


def test_a_trace_holds_the_batches_of_the_range(tmp_path):
    said = []
    profiler = Profiler(options("batch_range=[2,4];state=CPU"), tmp_path, 3, said.append)
    stops, _ = train(profiler, 9)
    assert stops == [False, False, False, True]  # exit_on_finished
    found = names(tmp_path / "profile" / "process_3.json")
    assert {name for name in found if name.startswith("batch")} == {"batch2", "batch3"}
    assert any("matmul" in name for name in found)
    text = "\n".join(said)
    assert text.startswith("profiler: batches 2 to 3: mean ")
    assert "Operator Summary" in text and "matmul" in text and f"trace {tmp_path}" in text


def test_training_goes_on_after_the_range_and_computes_the_same(tmp_path):
    said = []
    path = tmp_path / "traces"
    profiler = Profiler(
        options(f"batch_range=[0,1];exit_on_finished=false;profile_path={path}"), tmp_path, 0,
        said.append,
    )
    stops, weights = train(profiler, 4)
    assert stops == [False] * 4
    assert {name for name in names(path / "process_0.json") if name.startswith("batch")} == {
        "batch0"}
    assert "\n".join(said).count("profiler: batches") == 1
    np.testing.assert_array_equal(weights, train(None, 4)[1])


def test_tracer_option_decides_the_detail(tmp_path):
    def traced(option):
        said = []
        text = f"batch_range=[1,2];tracer_option={option};profile_path={tmp_path / option}"
        train(Profiler(options(text), tmp_path, 0, said.append), 2)
        return "\n".join(said), (tmp_path / option / "process_0.json").read_text()

    plain, plain_trace = traced("Default")
    detailed, detailed_trace = traced("OpDetail")
    everything, full_trace = traced("AllOpDetail")
    assert "infer_meta" not in plain and "infer_meta" in detailed and "infer_meta" in everything
    assert '"cat": "Allocate"' in full_trace and "Memory Summary" in everything
    for text in (plain, plain_trace, detailed, detailed_trace):
        assert '"cat": "Allocate"' not in text and "Memory Summary" not in text


def test_the_timer_alone_times_the_range(tmp_path, monkeypatch):
    said, now = [], [0.0]
    monkeypatch.setattr("paddle_impl.training.profiling.time.perf_counter", lambda: now[0])

    def work(batch):  # 1, 2, 3, ... seconds
        now[0] += batch + 1.0

    stops, _ = train(Profiler(options("batch_range=[1,4]"), tmp_path, 0, said.append), 9, work)
    assert stops == [False, False, False, True]
    assert said == ["profiler: batches 1 to 3: mean 3000.00 ms, least 2000.00, most 4000.00, "
                    "0.333 batches/s"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("batches", "traced"), [(1, False), (2, False), (4, True)])
def test_a_run_that_ends_early_says_so_and_keeps_what_it_has(tmp_path, batches, traced):
    said = []
    stops, _ = train(
        Profiler(options("batch_range=[2,9];state=CPU"), tmp_path, 0, said.append), batches)
    assert not any(stops)
    assert said[0].startswith(f"warning: the run ends after {batches} batches")
    assert (tmp_path / "profile" / "process_0.json").exists() == traced
    assert any(line.startswith("profiler: batches 2 to 3") for line in said) == traced
