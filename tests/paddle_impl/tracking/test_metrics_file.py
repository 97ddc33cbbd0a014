"""metrics.jsonl: strict JSON, whole lines."""

import json

import numpy as np

from paddle_impl.tracking.metrics_file import MetricsFile


def refuse(name):
    raise AssertionError(f"{name} is no JSON")


def test_every_line_is_strict_json(tmp_path):
    file = MetricsFile(tmp_path / "m.jsonl", 0)
    file.write({"step": 1, "grad_norm": float("inf"), "loss": float("nan"), "note": "zwölf"})
    file.write({"step": np.int64(2), "loss": np.float32(0.5), "values": [1, (2.0, None)],
                "on": True})
    file.close()
    lines = (tmp_path / "m.jsonl").read_text().splitlines()
    assert [json.loads(line, parse_constant=refuse) for line in lines] == [
        {"step": 1, "grad_norm": None, "loss": None, "note": "zwölf"},
        {"step": 2, "loss": 0.5, "values": [1, [2.0, None]], "on": True},
    ]
    assert '"on": true' in lines[1]


def test_damaged_and_foreign_lines_go_when_a_run_continues(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"step": 1}\n\xff\x00\n[1]\n{"loss": 1}\n{"step": null}\n{"step": 2}')
    file = MetricsFile(path, 5)
    file.write({"step": 6})
    file.close()
    assert path.read_bytes() == b'{"step": 1}\n{"step": 2}\n{"step": 6}\n'
