"""VisualDL's own reader reads what the sink writes, also after a crash."""

import pytest
from visualdl import LogReader

from paddle_impl.tracking.visualdl_sink import open_sink


def read(directory):
    reader = LogReader(file_path=str(directory / "train_log" / "vdlrecords.log"))
    return {tag: [(point.id, point.value) for point in reader.get_data("scalar", tag)]
            for tag in reader.get_tags().get("scalar", [])}


def test_curves_and_texts_are_read_back(tmp_path):
    sink = open_sink(tmp_path, 0, {})
    for step in (1, 2):
        sink.scalars(step, {"loss": 4.0 / step, "lr": float("inf")})
    sink.completions(2, "completions", [("def", " f():\n  pass"), ("import", " os")])
    assert read(tmp_path)["loss"] == [(1, 4.0), (2, 2.0)]  # before it is closed
    sink.close()
    assert read(tmp_path)["lr"] == [(1, float("inf")), (2, float("inf"))]
    reader = LogReader(file_path=str(tmp_path / "train_log" / "vdlrecords.log"))
    assert len(reader.get_tags()["meta_data"]) == 1
    texts = {tag: [(point.id, point.text.encoded_text_string)
                   for point in reader.get_data("text", tag)] for tag in reader.get_tags()["text"]}
    assert sorted(texts.values()) == [[(2, "def f():\n  pass")], [(2, "import os")]]


@pytest.mark.parametrize("cut", [0, 3, 20])
def test_a_resumed_run_shows_each_step_once(tmp_path, cut):
    sink = open_sink(tmp_path, 0, {})
    for step in (1, 2, 3, 4, 5):
        sink.scalars(step, {"loss": 1.0 * step})
    sink.close()
    log = tmp_path / "train_log" / "vdlrecords.log"
    log.write_bytes(log.read_bytes()[:-cut or None])  # as a crash in a write leaves it
    sink = open_sink(tmp_path, 3, {})
    sink.scalars(4, {"loss": 40.0})
    sink.close()
    assert read(tmp_path) == {"loss": [(1, 1.0), (2, 2.0), (3, 3.0), (4, 40.0)]}
    assert len(LogReader(file_path=str(log)).get_data("meta_data", "meta_data_tag")) == 1
    # The server of VisualDL reads one file of a directory; there must be no second one.
    assert [path.name for path in log.parent.iterdir()] == [log.name]
