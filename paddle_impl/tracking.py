"""One call that records: console line, progress bar, metrics.jsonl and VisualDL scalars."""

import json
import os
import sys
from pathlib import Path

from tqdm import tqdm

METRICS = "metrics.jsonl"
TRAIN_LOG = "train_log"

# VisualDL tag (PaddleNLP's, where it has one) -> key of a training record.
_SCALARS = {"loss": "loss", "learning_rate": "lr", "grad_norm": "grad_norm",
            "tokens_per_s": "tokens_per_s"}


class Tracker:
    """Records of a run in `output_dir`; with `enabled` false (other ranks) every call is a no-op.

    A resumed run continues metrics.jsonl: records after `start_step` are dropped first, since those
    steps are computed again.
    """

    def __init__(self, output_dir: Path, start_step: int, max_steps: int, enabled: bool = True):
        self.enabled = enabled
        if not enabled:
            return
        # Not at the top: it costs a second, which --help and the other ranks need not pay.
        from visualdl import LogWriter

        path = output_dir / METRICS
        _truncate(path, start_step)
        self._file = open(path, "a", encoding="utf-8")  # open as long as the run
        self._visual = LogWriter(logdir=str(output_dir / TRAIN_LOG))
        self._bar = tqdm(
            total=max_steps, initial=start_step, unit="step", dynamic_ncols=True, leave=False,
            disable=not sys.stderr.isatty(),
        )

    def train(self, record: dict) -> None:
        """A training record: step, epoch, loss, lr, grad_norm, steps_per_s, tokens_per_s, ..."""
        if not self.enabled:
            return
        self._write(record)
        for tag, name in _SCALARS.items():
            self._visual.add_scalar(tag, record[name], record["step"])
        self._bar.set_postfix_str(
            f"loss {record['loss']:.3f}, {record['tokens_per_s']:.0f} tokens/s", refresh=False
        )
        self._bar.update(record["step"] - self._bar.n)
        self.say(
            f"global step {record['step']}, epoch: {record['epoch']}, batch: {record['step'] - 1}, "
            f"loss: {record['loss']:.9f}, grad norm: {record['grad_norm']:.4f}, "
            f"speed: {record['steps_per_s']:.2f} step/s, "
            f"ips_total: {record['tokens_per_s']:.0f} tokens/s, "
            f"ips: {record['tokens_per_s_per_process']:.0f} tokens/s, "
            f"learning rate: {record['lr']:.5e}"
        )

    def evaluation(self, step: int, name: str, loss: float) -> None:
        """A loss on held-out data: `name` is valid_loss or test_loss."""
        if not self.enabled:
            return
        self._write({"step": step, name: loss})
        self._visual.add_scalar(name, loss, step)
        self.say(f"global step {step}, {name}: {loss:.9f}")

    def say(self, line: str) -> None:
        """A line for the reader, above the progress bar."""
        if self.enabled:
            tqdm.write(line)
            sys.stdout.flush()

    def close(self) -> None:
        if self.enabled:
            self._bar.close()
            self._visual.close()
            self._file.close()

    def _write(self, record: dict) -> None:
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()


def _truncate(path: Path, last_step: int) -> None:
    """Keep the records up to `last_step`; a line cut short by a crash goes too."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if record["step"] <= last_step:
            kept.append(line + "\n")
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text("".join(kept), encoding="utf-8")
    os.replace(temporary, path)
