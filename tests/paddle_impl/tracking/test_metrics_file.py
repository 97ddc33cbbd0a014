"""metrics.jsonl: strict JSON, whole lines."""

import json
import random

import numpy as np

from paddle_impl.tracking.metrics_file import MetricsFile
from tests.lies import lie


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


def test_lies_about_records_go_and_records_stay(tmp_path):
    """What remains is strict JSON whose step is a number up to the one that the run continues from,
    and no line that was right is touched.
    """
    path, draw, honest = tmp_path / "m.jsonl", random.Random(14), {"step": 3, "loss": 2.5}
    lines = [lie(draw, honest).replace(b"\n", b" ") for _ in range(400)]
    right = json.dumps(honest).encode()
    path.write_bytes(b"\n".join(part for line in lines for part in (line, right)) + b"\n")
    MetricsFile(path, 5).close()
    left = path.read_bytes().splitlines()
    for line in left:
        record = json.loads(line, parse_constant=refuse)
        assert type(record["step"]) is int and 0 <= record["step"] <= 5
    lying = [line for line in left if line != right]
    assert left.count(right) >= len(lines) and 0 < len(lying) < len(lines) / 2
    assert all(line in lines for line in lying)
