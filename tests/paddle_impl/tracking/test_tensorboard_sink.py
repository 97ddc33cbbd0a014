"""TensorBoard event files, read by a parser of the format and, where installed, by TensorBoard."""

import struct

import pytest

pytest.importorskip("tensorboardX", reason="the sink needs the extra [tensorboard]")

from tensorboardX.proto.event_pb2 import Event, SessionLog  # noqa: E402
from tensorboardX.record_writer import masked_crc32c  # noqa: E402

from paddle_impl.tracking.tensorboard_sink import open_sink  # noqa: E402


def events(path):
    """Every message of the file, its two checksums verified."""
    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        header_sum, body = struct.unpack("<I", data[8:12])[0], data[12:12 + length]
        body_sum = struct.unpack("<I", data[12 + length:16 + length])[0]
        assert header_sum == masked_crc32c(data[:8]) and body_sum == masked_crc32c(body)
        found.append(Event.FromString(body))
        data = data[16 + length:]
    return found


def files(directory):
    return sorted((directory / "tensorboard").iterdir())


def test_curves_and_texts_are_read_back(tmp_path):
    sink = open_sink(tmp_path, 0, {})
    for step in (1, 2):
        sink.scalars(step, {"loss": 4.0 / step, "learning_rate": 0.5})
    sink.completions(2, "completions", [("def", " f():\n  pass")])
    (path,) = files(tmp_path)
    first, start, *rest = events(path)  # before it is closed
    sink.close()
    assert first.file_version == "brain.Event:2" and first.wall_time > 1e9
    assert start.session_log.status == SessionLog.SessionStatus.START and start.step == 1
    points = [(e.step, v.tag, v.simple_value) for e in rest[:-1] for v in e.summary.value]
    assert points == [(1, "loss", 4.0), (1, "learning_rate", 0.5),
                      (2, "loss", 2.0), (2, "learning_rate", 0.5)]
    (text,) = rest[-1].summary.value
    assert text.metadata.plugin_data.plugin_name == "text" and rest[-1].step == 2
    assert text.tensor.string_val[0] == b"    def f():\n      pass"


def test_a_resumed_run_marks_where_it_starts_again(tmp_path):
    for start in (0, 3, 3):
        sink = open_sink(tmp_path, start, {})
        sink.scalars(start + 1, {"loss": 1.0})
        sink.close()
    assert [path.name[-3:] for path in files(tmp_path)] == ["001", "002", "003"]
    assert [events(path)[1].step for path in files(tmp_path)] == [1, 4, 4]


def test_tensorboard_shows_each_step_once(tmp_path):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="TensorBoard itself is no dependency",
    )
    for start, steps in ((0, (1, 2, 3, 4, 5)), (3, (4, 5, 6))):
        sink = open_sink(tmp_path, start, {})
        for step in steps:
            sink.scalars(step, {"loss": 10.0 * start + step})
        sink.close()
        if not start:
            path = files(tmp_path)[0]
            path.write_bytes(path.read_bytes()[:-5])  # killed in the middle of step 5
    shown = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(point.step, point.value) for point in shown.Scalars("loss")] == [
        (1, 1.0), (2, 2.0), (3, 3.0), (4, 34.0), (5, 35.0), (6, 36.0)
    ]
