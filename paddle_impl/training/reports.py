"""Reports of a run while it trains: records of steps, evaluations, texts and events."""

from collections.abc import Iterable
from pathlib import Path

from paddle_impl.config.model import ModelConfig
from paddle_impl.config.run import RunConfig
from paddle_impl.process import runtime
from paddle_impl.tracking import METRICS, Tracker
from paddle_impl.tracking.ck_report import CK_REPORT, CheckpointReport
from paddle_impl.tracking.memory import memory
from paddle_impl.tracking.sinks import Guarded
from paddle_impl.training import flops
from paddle_impl.training.task import Task


class Reports:
    """Writes reports through a Tracker. Every process calls it; only the main process writes.

    step_flops: floating point operations of an optimizer step of task.step_tokens, for MFU.
    """

    def __init__(self, config: RunConfig, task: Task, step_flops: float):
        self.config, self.task, self.ranks = config, task, task.ranks
        self.step_flops = step_flops
        self._told = 0  # events of the task

    def open(self, start_step: int) -> None:
        config, output_dir = self.config, Path(self.config.checkpoint.output_dir)
        self._step, self._tokens = start_step, self.task.tokens(0, start_step)
        self.tracker = Tracker(
            output_dir, start_step, config.training.max_steps,
            enabled=self.ranks.is_main, report_to=config.tracking.report_to, config=config.flat(),
            curves=self.task.curves,
        )
        self._followed = CheckpointReport(
            output_dir, self.task.measures, config.validation.metric_for_best_model)
        self._checkpoint_report = Guarded(CK_REPORT, self._followed, self.say)
        if start_step and self.ranks.is_main:
            self._checkpoint_report("restore", output_dir / METRICS)
        _, dtype = config.precision.level_and_dtype()
        self.peak, source = flops.peak_flops(
            config.runtime.device, dtype, config.tracking.peak_tflops)
        if self.peak is None:
            self.say(f"warning: {source}")
        else:
            self.say(f"MFU is of {self.peak / 1e12:.3g} TFLOP/s a process ({source})")

    def introduce(
        self, shape: ModelConfig, parameters: int, source: Path | None, start_step: int,
        warnings: Iterable[str],
    ) -> None:
        """Say what is trained, from which checkpoint if any, and the warnings, each once."""
        task, max_steps = self.task, self.config.training.max_steps
        self.say(
            f"model of {parameters:,} parameters ({shape.n_layer} layers, width "
            f"{shape.n_embd}, vocabulary {shape.vocab_size}), "
            + (f"from {source}" if source else "initialised")
            + f"; {task.describe()}; "
            + (f"steps {start_step + 1} to {max_steps}" if start_step < max_steps else "no step")
            + f" of {task.samples_per_step} x {task.sample_tokens} tokens"
        )
        for warning in dict.fromkeys(warnings):
            self.say(f"warning: {warning}")
        self.tell(start_step)

    def log(self, record: dict) -> None:
        """Report the trainer's record: step, loss, lr, grad_norm, steps_per_s, metrics."""
        step, size = record["step"], self.ranks.world_size
        found = self.task.tokens(self._step, step)
        step_tokens = found / (step - self._step)
        self._step, self._tokens = step, self._tokens + found
        tokens_per_s = record["steps_per_s"] * step_tokens
        step_flops = self.step_flops * (step_tokens / self.task.step_tokens)
        mfu = flops.mfu(step_flops, record["steps_per_s"], size, self.peak) if self.peak else None
        record |= {
            "tokens_per_s": tokens_per_s,
            "tokens_per_s_per_process": tokens_per_s / size,
            **self.task.progress(step),
            "tokens": self._tokens,
            "mfu": mfu, **memory(),
        }
        self.tell(step)
        self.tracker.train(record)
        self._follow(record)

    def evaluation(self, step: int, split: str, measured: dict[str, float]) -> None:
        """Report the measures of a split by name, unless there are none."""
        if measured:
            named = {f"{split}_{name}": value for name, value in measured.items()}
            self._follow({"step": step, **named})
            scores = {name: score for name, score in self._followed.scores.items()
                      if name in self.task.curves}
            self.tracker.evaluation(step, named, scores)
        self.tell(step)

    def tell(self, step: int) -> None:
        """Report the events that the task has had since the last call."""
        for kind, message in self.task.events[self._told :]:
            self.event(step, kind, message)
        self._told = len(self.task.events)

    def text(self, step: int, title: str, pairs: list[tuple[str, str]]) -> None:
        if pairs:
            self.tracker.text(step, title, pairs)

    def event(self, step: int, kind: str, message: str) -> None:
        self.tracker.event(step, kind, message)

    def _follow(self, record: dict) -> None:
        if self.ranks.is_main:
            self._checkpoint_report("record", record)

    def say(self, line: str) -> None:
        self.tracker.say(line)

    def draw(self) -> None:
        """Draw the curves of the whole run."""
        metric = self.config.validation.metric_for_best_model
        self.tracker.draw(f"valid_{metric}", self.task.measures[metric], self.task.over_tokens,
                          self.task.pictures)

    def close(self) -> None:
        self.say(f"peak memory {runtime.peak_memory_mib():.0f} MiB")
        self.tracker.close()
