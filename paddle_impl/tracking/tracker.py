"""Records of a run: each call writes to console, progress bar, metrics.jsonl and the sinks."""

import contextlib
import sys
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from types import MappingProxyType

from tqdm import tqdm

from paddle_impl.tracking.curves import CURVES, draw_panels, draw_runs, read_curves
from paddle_impl.tracking.metrics_file import MetricsFile
from paddle_impl.tracking.sinks import Guarded, check, open_sinks

METRICS = "metrics.jsonl"

# The log line of a training record, in the order and format of PaddleNLP's.
_LINE = {
    "epoch": "epoch: {}",
    "batch": "batch: {}",
    "loss": "loss: {:.9f}",
    "accuracy": "accuracy: {:.4f}",
    "margin": "margin: {:.4f}",
    "chosen_reward": "chosen reward: {:.4f}",
    "rejected_reward": "rejected reward: {:.4f}",
    "chosen_logp": "chosen logp: {:.4f}",
    "rejected_logp": "rejected logp: {:.4f}",
    "grad_norm": "grad norm: {:.4f}",
    "steps_per_s": "speed: {:.2f} step/s",
    "tokens_per_s": "ips_total: {:.0f} tokens/s",
    "tokens_per_s_per_process": "ips: {:.0f} tokens/s",
    "lr": "learning rate: {:.5e}",
    "mfu": "mfu: {:.1%}",
    "memory_mib": "memory: {:.0f} MiB",
    "peak_memory_mib": "peak memory: {:.0f} MiB",
    "loss_scale": "loss scale: {:g}",
    "skipped_steps": "skipped steps: {}",
}
_TAGS = {"lr": "learning_rate"}  # PaddleNLP's name; other curves have the record's
_NONE = MappingProxyType({})

# Errors of a closed terminal, a pipe without a reader, or a log file on a full disk.
_TERMINAL_MAY_GO = contextlib.suppress(OSError)


def _printable(text: str) -> str:
    """The text with control characters escaped for a terminal; metrics.jsonl keeps them."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode()
                   for c in text)


class Tracker:
    """Records of a run in `output_dir`; with `enabled` false (other ranks) every call is a no-op.

    A resumed run continues metrics.jsonl and the curves: records later than `start_step` are
    removed first, since those steps are computed again. config: the flags, which W&B shows.
    curves: what a value's curve is called, where it does not have the record's name.
    OSError if a new run's files or sinks cannot be opened; later errors are warnings.
    """

    def __init__(
        self, output_dir: Path, start_step: int, max_steps: int, enabled: bool = True,
        report_to: str = "visualdl", config: dict | None = None,
        curves: Mapping[str, str] = _NONE,
    ):
        self.enabled = enabled
        if not enabled:
            return
        self._bar = tqdm(
            total=max_steps, initial=start_step, unit="step", dynamic_ncols=True, leave=False,
            disable=not sys.stderr.isatty(),
        )
        self._output_dir, names = output_dir, check(report_to)
        self._curves = _TAGS | curves
        self._draws = bool(names)
        self._sinks = open_sinks(names, output_dir, start_step, config or {}, self._warn)
        # Last: a directory with this file counts as used, and opening a sink may have failed.
        self._metrics = Guarded(METRICS, MetricsFile(output_dir / METRICS, start_step), self._warn)

    def train(self, record: dict) -> None:
        """A training record: `step` and any of loss, lr, grad_norm, tokens_per_s, mfu, ...

        Every number of it becomes a curve; None is a value that is not known.
        """
        if not self.enabled:
            return
        self._record(record)
        known = {name: value for name, value in record.items() if value is not None}
        self._advance(known)
        known["batch"] = record["step"] - 1
        parts = [text.format(known[name]) for name, text in _LINE.items() if name in known]
        self.say(", ".join([f"global step {record['step']}", *parts]))

    def evaluation(
        self, step: int, values: dict[str, float], scores: Mapping[str, float] = _NONE
    ) -> None:
        """Measures of held-out data by name: valid_loss, valid_perplexity, test_loss, ...

        scores: more values, which become points of curves only.
        """
        if not self.enabled:
            return
        self._record({"step": step, **values}, scores)
        parts = [f"{name}: {value:.9f}" for name, value in values.items() if value is not None]
        self.say(", ".join([f"global step {step}", *parts]))

    def text(self, step: int, title: str, pairs: list[tuple[str, str]]) -> None:
        """Completions of prompts: (prompt, new text)."""
        if not self.enabled:
            return
        found = [{"prompt": prompt, "text": text} for prompt, text in pairs]
        self._metrics("write", {"step": step, "completions": found})
        for sink in self._sinks:
            sink("completions", step, title, pairs)
        for prompt, text in pairs:
            self.say(f"********** global step {step}, {title}: {prompt!r} **********")
            self.say(_printable(prompt + text))

    def event(self, step: int, kind: str, message: str) -> None:
        """Something that happened once: a skipped step, an overflow, a fallback."""
        if not self.enabled:
            return
        self._metrics("write", {"step": step, "event": kind, "message": message})
        self.say(f"global step {step}, {kind}: {message}")

    def draw(
        self, score: str, greater_is_better: bool, over_tokens: bool = False,
        pictures: Mapping[str, Mapping[str, tuple[str, ...]]] = _NONE,
    ) -> None:
        """Draw the whole run's loss, lr and score into curves.png, unless --report_to is none.

        score: a measure by its name in the records. over_tokens: see draw_runs. pictures: files to
        draw beside it, see draw_panels. A picture that cannot be drawn is a warning.
        """
        if not self.enabled or not self._draws:
            return
        file = CURVES
        try:
            if curves := read_curves(self._output_dir / METRICS):
                draw_runs(self._output_dir / file, {"": curves}, score, greater_is_better,
                          over_tokens=over_tokens)
                for file, panels in pictures.items():  # noqa: B007  the error names it
                    draw_panels(self._output_dir / file, {"": curves}, panels)
        except Exception as error:  # the run is over and whole: no picture may make it fail
            self._warn(f"{file} is not drawn: {' '.join(str(error).split())}")

    def say(self, line: str) -> None:
        """Print a line above the progress bar."""
        if self.enabled:
            with _TERMINAL_MAY_GO:
                tqdm.write(line)
                sys.stdout.flush()

    def close(self) -> None:
        if self.enabled:
            for sink in (self._metrics, *self._sinks):
                sink.close()
            with _TERMINAL_MAY_GO:
                self._bar.close()

    def _record(self, record: dict, more: Mapping[str, float] = _NONE) -> None:
        self._metrics("write", record)
        points = {
            self._curves.get(name, name): float(value) for name, value in {**record, **more}.items()
            if name != "step" and isinstance(value, Real)
        }
        for sink in self._sinks:
            sink("scalars", record["step"], points)

    def _advance(self, known: dict) -> None:
        if "loss" in known and "tokens_per_s" in known:
            self._bar.set_postfix_str(
                f"loss {known['loss']:.3f}, {known['tokens_per_s']:.0f} tokens/s", refresh=False
            )
        with _TERMINAL_MAY_GO:
            self._bar.update(known["step"] - self._bar.n)

    def _warn(self, message: str) -> None:
        self.say(f"warning: {message}")
