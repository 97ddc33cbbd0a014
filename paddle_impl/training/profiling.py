"""--profiler_options: profile a range of batches with paddle.profiler. The keys are PaddleNLP's.

PaddleNLP (paddlenlp/utils/profiler.py) silently drops unknown keys and values, and ignores four of
its seven keys. Here every key works, and anything else is refused. This has not been run on a GPU.
"""

import contextlib
import io
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from paddle_impl.config.options import require

_CHOICES = {
    "state": ("All", "CPU", "GPU"),
    # PaddleNLP's help also lists calls, by which paddle.profiler cannot sort.
    "sorted_key": ("total", "ave", "max", "min"),
    "tracer_option": ("Default", "OpDetail", "AllOpDetail"),
}
_TRACE_ONLY = (*_CHOICES, "profile_path")
_TRUE, _FALSE = ("yes", "true", "t", "1"), ("no", "false", "f", "0")


@dataclass(frozen=True)
class ProfilerOptions:
    """batch_range: [first, end) of the batches to profile, counted from 0 in this launch.

    state, sorted_key: which devices are traced, what the operators are sorted by. tracer_option:
    Default lists operators, OpDetail what is inside of them, AllOpDetail also each allocation of
    memory. profile_path: directory of the traces (default: profile in output_dir). timer_only: no
    trace, only seconds a batch. exit_on_finished: training stops after the last batch of the range.
    """

    batch_range: tuple[int, int] = (10, 20)
    state: str = "All"
    sorted_key: str = "total"
    tracer_option: str = "Default"
    profile_path: str | None = None
    exit_on_finished: bool = True
    timer_only: bool = True

    @classmethod
    def checked(cls, text: str | None, device: str, steps: int) -> "ProfilerOptions | None":
        """Parse and check the flag for a launch of `steps` batches on `device`; None if not given.
        """
        if text is None:
            return None
        options = cls.parse(text)
        options.check(device, steps)
        return options

    @classmethod
    def parse(cls, text: str) -> "ProfilerOptions":
        """Parse "key=value;key=value". A key that belongs to traces sets timer_only to false.

        ValueError for an unknown or repeated key or a wrong value.
        """
        known = [field.name for field in fields(cls)]
        values: dict[str, Any] = {}
        for part in filter(None, map(str.strip, text.split(";"))):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            require(bool(equals and value),
                    f"--profiler_options takes key=value;key=value, got {part!r}")
            require(key in known,
                    f"--profiler_options has no key {key!r}; its keys are {', '.join(known)}")
            require(key not in values, f"--profiler_options names {key} twice")
            values[key] = _value(key, value)
        require(bool(values), f"--profiler_options takes key=value;key=value, got {text!r}")
        traced = [key for key in _TRACE_ONLY if key in values]
        if traced:
            require(not values.setdefault("timer_only", False),
                    f"--profiler_options {traced[0]} belongs to a trace, and timer_only=true makes "
                    "none")
        return cls(**values)

    def check(self, device: str, steps: int) -> None:
        """ValueError if a launch of `steps` batches on `device` cannot be profiled like this."""
        require(self.state != "GPU" or device == "gpu",
                f"--profiler_options state=GPU does not go with --device {device}")
        require(self.batch_range[1] <= steps,
                f"--profiler_options batch_range=[{self.batch_range[0]},{self.batch_range[1]}] "
                f"ends after the {steps} batches of this run")


def _value(key: str, text: str) -> Any:
    """The value of a key; ValueError, which says what the key takes, for another text."""
    if key == "batch_range":
        match = re.fullmatch(r"\[?\s*(\d+)\s*,\s*(\d+)\s*\]?", text)
        require(match is not None and int(match[1]) < int(match[2]),
                f"--profiler_options batch_range takes [first,last] with first below last, "
                f"got {text!r}")
        return int(match[1]), int(match[2])
    if key in ("exit_on_finished", "timer_only"):
        require(text.lower() in _TRUE + _FALSE,
                f"--profiler_options {key} takes true or false, got {text!r}")
        return text.lower() in _TRUE
    if key in _CHOICES:
        require(text in _CHOICES[key],
                f"--profiler_options {key} is one of {', '.join(_CHOICES[key])}, got {text!r}")
    return text


class Profiler:
    """Profiles the batches of the range. Call `start` before the first step, `step` after each.

    Every process writes a trace, `process_<rank>.json`, for chrome://tracing or Perfetto. say: gets
    the lines for the user; in other ranks than the main one pass a function that drops them.
    """

    def __init__(
        self, options: ProfilerOptions, output_dir: Path, rank: int = 0,
        say: Callable[[str], None] = print,
    ):
        self.options, self._say = options, say
        self._trace = Path(options.profile_path or output_dir / "profile") / f"process_{rank}.json"
        if not options.timer_only:
            try:
                self._trace.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OSError(f"--profiler_options profile_path {self._trace.parent} takes no "
                              f"traces: {error.strerror}") from None
        self._batches = 0
        self._done = False
        self._marks: list[float] = []  # when each batch of the range began, and the last one ended
        self._paddle: Any = None

    def start(self) -> None:
        if not self.options.timer_only:
            self._paddle = _paddle_profiler(self.options, self._export)
            self._paddle.start()
        self._mark()

    def step(self) -> bool:
        """Call this after each batch. True if the range is over and training should stop."""
        if not self._done:
            self._batches += 1
            self._mark()
            if self._paddle:
                self._paddle.step()
            if self._batches == self.options.batch_range[1]:
                self.stop()
        return self._done and self.options.exit_on_finished

    def stop(self) -> None:
        """Report what was profiled. `step` calls it at the end of the range; call it yourself if
        the run ends before.
        """
        if self._done:
            return
        self._done = True
        first, last = self.options.batch_range
        if self._batches < last:
            self._say(f"warning: the run ends after {self._batches} batches, inside or before "
                      f"--profiler_options batch_range=[{first},{last}]")
        if self._paddle:
            _stop(self._paddle)
        if len(self._marks) > 1:
            self._say(_speed(first, self._marks))
            if self._paddle:
                self._say(_summary(self._paddle, self.options))
                self._say(f"trace {self._trace}" if self._trace.exists()
                          else f"warning: no trace could be written to {self._trace}")
        self._paddle = None  # Paddle allows only one profiler at a time

    def _export(self, paddle_profiler) -> None:
        if len(self._marks) > 1:
            paddle_profiler.export(str(self._trace), "json")

    def _mark(self) -> None:
        first, last = self.options.batch_range
        if first <= self._batches <= last:
            self._marks.append(time.perf_counter())


def _speed(first: int, marks: list[float]) -> str:
    """A line with the times between ends of batches, which include evaluations and checkpoints."""
    seconds = [end - start for start, end in zip(marks, marks[1:], strict=False)]
    mean = sum(seconds) / len(seconds)
    return (f"profiler: batches {first} to {first + len(seconds) - 1}: mean {1e3 * mean:.2f} ms, "
            f"least {1e3 * min(seconds):.2f}, most {1e3 * max(seconds):.2f}, "
            f"{1 / mean:.3f} batches/s")


def _paddle_profiler(options: ProfilerOptions, export: Callable[[Any], None]):
    """A paddle.profiler.Profiler for the range; it calls `export` when the range is over."""
    # Imported here: the options are also checked before Paddle is imported.
    import paddle
    from paddle import profiler

    targets = {
        "CPU": [profiler.ProfilerTarget.CPU],
        "GPU": [profiler.ProfilerTarget.GPU],
        "All": [profiler.ProfilerTarget.CPU, *(
            [profiler.ProfilerTarget.GPU] if paddle.is_compiled_with_cuda() else []
        )],
    }
    return profiler.Profiler(
        targets=targets[options.state], scheduler=options.batch_range,
        on_trace_ready=export,
        # Not record_shapes: in dynamic graphs it records no shapes (Paddle 2.6.2, 3.3.1).
        profile_memory=options.tracer_option == "AllOpDetail",
    )


def _stop(paddle_profiler) -> None:
    # Paddle prints its own timing, which leaves out the first ten batches, and a warning of an
    # early end. `Profiler.stop` reports both itself.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        paddle_profiler.stop()


def _summary(paddle_profiler, options: ProfilerOptions) -> str:
    """Paddle's tables of where the time went."""
    import paddle
    from paddle.profiler import SortedKeys

    on_gpu = options.state != "CPU" and paddle.get_device().startswith("gpu")
    key = {"total": "Total", "ave": "Avg", "max": "Max", "min": "Min"}[options.sorted_key]
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        paddle_profiler.summary(
            sorted_by=SortedKeys[("GPU" if on_gpu else "CPU") + key],
            op_detail=options.tracer_option != "Default", thread_sep=False, time_unit="ms",
        )
    return text.getvalue().rstrip()
