"""W&B without a network: its offline file, and the same run id after a resume."""

import json
import signal
import struct

import pytest

pytest.importorskip("wandb", reason="the sink needs the extra [wandb]")

from wandb.proto.wandb_internal_pb2 import Record  # noqa: E402

from paddle_impl.tracking.wandb_sink import open_sink  # noqa: E402

BLOCK = 32768
FIRST, LAST = (1, 2), (1, 4)  # pieces of a record: 1 whole, 2 first, 3 middle, 4 last


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    for name in ("WANDB_PROJECT", "WANDB_RUN_ID", "WANDB_DIR", "WANDB_RESUME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"MODE": "offline", "SILENT": "true", "CONSOLE": "off"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)


def records(path):
    """The messages of a .wandb file: LevelDB's log format behind a header of seven bytes."""
    data, at, message, found = path.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:  # no header fits into what is left of the block
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at:at + 7])
        piece, at = data[at + 7:at + 7 + length], at + 7 + length
        message = piece if kind in FIRST else message + piece
        if kind in LAST:
            found.append(Record.FromString(message))
    return found


def rows(path):
    return [
        {item.key or ".".join(item.nested_key): json.loads(item.value_json)
         for item in record.history.item}
        for record in records(path) if record.WhichOneof("record_type") == "history"
    ]


def test_an_offline_run_holds_the_values_and_keeps_its_id(tmp_path):
    handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    sink = open_sink(tmp_path, 0, {"seed": 7})
    sink.scalars(1, {"loss": 2.5, "learning_rate": 0.5})
    sink.completions(1, "completions", [("def", " f():")])
    sink.close()
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == handlers

    identity = json.loads((tmp_path / "wandb_run.json").read_text())
    (path,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert identity["project"] == "gpt" and path.name == f"run-{identity['id']}.wandb"
    scalars, texts = rows(path)
    assert {k: v for k, v in scalars.items() if k[0] != "_"} == {
        "step": 1, "loss": 2.5, "learning_rate": 0.5
    }
    assert texts["step"] == 1 and texts["completions.nrows"] == 1
    (table,) = path.parent.glob("files/media/table/*.json")
    assert json.loads(table.read_text())["data"] == [["def", " f():"]]
    runs = [r.run for r in records(path) if r.WhichOneof("record_type") == "run"]
    assert {item.key: item.value_json for item in runs[0].config.update}["seed"] == "7"
    metrics = [r.metric for r in records(path) if r.WhichOneof("record_type") == "metric"]
    assert ("*", "step") in {(m.glob_name, m.step_metric) for m in metrics}


def test_a_resumed_run_keeps_its_id_and_the_environment_names_the_project(tmp_path, monkeypatch):
    (tmp_path / "wandb_run.json").write_text('{"id": "abcd1234", "project": "gpt"}')
    monkeypatch.setenv("WANDB_PROJECT", "other")
    sink = open_sink(tmp_path, 3, {})
    sink.scalars(4, {"loss": 1.5})
    sink.close()
    (path,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert path.name == "run-abcd1234.wandb"
    assert [row["step"] for row in rows(path)] == [4]
    runs = [r.run for r in records(path) if r.WhichOneof("record_type") == "run"]
    assert {run.project for run in runs} == {"other"}
    assert json.loads((tmp_path / "wandb_run.json").read_text()) == {
        "id": "abcd1234", "project": "other"
    }


def test_a_refused_run_leaves_no_identity(tmp_path, monkeypatch):
    def refused(**_):
        raise OSError("no key")

    monkeypatch.setattr("wandb.init", refused)
    with pytest.raises(OSError, match="no key"):
        open_sink(tmp_path, 0, {})
    assert not list(tmp_path.iterdir())
