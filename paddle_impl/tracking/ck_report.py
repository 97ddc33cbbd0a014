"""ck_report.json: the newest evaluation of a run and its best one, under auto_coding's names."""

import json
import math
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from types import MappingProxyType

from data_tools.files import whole_file
from data_tools.json_fields import parsed
from paddle_impl.tracking.metrics_file import plain

CK_REPORT = "ck_report.json"
_VALID = "valid_"


class CheckpointReport:
    """Follows the records of a run and writes the file at each evaluation of the valid split.

    measures: whether a greater value is a better one, for each measure of the task. metric: the
    measure that decides which evaluation is the best.

    Both entries of the file, `latest` and `best`, have the step, epoch, lr and loss_train of the
    last training record, loss_dev, eval_<measure>_dev of the others, and best_score_for_<measure>:
    the value of the best evaluation so far, negative where a lower one is better. scores: these
    values as of the newest evaluation.
    """

    scores: Mapping[str, float | None] = MappingProxyType({})

    def __init__(self, output_dir: Path, measures: Mapping[str, bool], metric: str):
        self._path, self._measures, self._metric = output_dir / CK_REPORT, measures, metric
        self._trained: dict = {}
        self._latest: dict = {}
        self._best: dict = {}

    def restore(self, metrics: Path) -> None:
        """Continue after the records of a metrics.jsonl."""
        for line in metrics.read_bytes().splitlines():
            self._follow(parsed(line))

    def record(self, record: dict) -> None:
        """Take a record of training or of an evaluation, as metrics.jsonl has it."""
        if not self._follow(record):
            return
        told = json.dumps(plain({"latest": self._latest, "best": self._best}), indent=2)
        with whole_file(self._path) as file:
            file.write(told.encode() + b"\n")

    def _follow(self, record: dict) -> bool:
        """Whether the record is an evaluation of the valid split."""
        if "loss" in record:
            self._trained = record
        measured = {name.removeprefix(_VALID): value for name, value in record.items()
                    if name.startswith(_VALID)}
        if not measured:
            return False
        trained = {told: self._trained.get(name) for name, told in
                   (("epoch", "epoch"), ("lr", "lr"), ("loss", "loss_train"))
                   if name in self._trained}
        entry = {"step": record["step"], **trained,
                 **{_name(measure): value for measure, value in measured.items()}}
        if not self._best or self._is_better(entry):
            self._best = entry
        self.scores = {f"best_score_for_{measure}": self._score(self._best, measure)
                       for measure in measured if measure != "loss"}
        if self._best is entry:
            self._best = entry | self.scores
        self._latest = entry | self.scores
        return True

    def _is_better(self, entry: dict) -> bool:
        new, old = (self._score(one, self._metric) for one in (entry, self._best))
        return new is not None and (old is None or new > old)

    def _score(self, entry: dict, measure: str) -> float | None:
        """The value, negative where a lower one is better; None where it is no finite number."""
        value = entry.get(_name(measure))
        if not isinstance(value, Real) or not math.isfinite(value):
            return None
        return value if self._measures.get(measure, False) else -value


def _name(measure: str) -> str:
    return "loss_dev" if measure == "loss" else f"eval_{measure}_dev"
