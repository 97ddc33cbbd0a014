"""What a run says while it trains: a record of its steps, evaluations, completions, events."""

from pathlib import Path

from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.data.loader import PretrainLoader
from paddle_impl.data.pretraining_data import TEST_ITERS, PretrainingData
from paddle_impl.objectives import Objective
from paddle_impl.process import runtime
from paddle_impl.tracking import Tracker
from paddle_impl.tracking.memory import memory
from paddle_impl.training import flops
from paddle_impl.training.validation import validate


class Reports:
    """Measures and records; every process calls it, the main one writes."""

    def __init__(
        self, config: PretrainConfig, inputs: PretrainingData, model,
        loaders: dict[str, PretrainLoader | None], objective: Objective,
    ):
        self.config, self.inputs, self.ranks = config, inputs, inputs.ranks
        self.model, self.loaders, self.objective = model, loaders, objective
        self.step_tokens = inputs.global_batch_size * config.data.max_seq_len
        self.step_flops = flops.training_flops(
            model.config, self.step_tokens, config.data.max_seq_len)

    def open(self, start_step: int) -> None:
        config = self.config
        self.tracker = Tracker(
            Path(config.checkpoint.output_dir), start_step, config.training.max_steps,
            enabled=self.ranks.is_main, report_to=config.tracking.report_to, config=config.flat(),
        )
        _, dtype = config.precision.level_and_dtype()
        self.peak, source = flops.peak_flops(
            config.runtime.device, dtype, config.tracking.peak_tflops)
        if self.peak is None:
            self.say(f"warning: {source}")
        else:
            self.say(f"MFU is of {self.peak / 1e12:.3g} TFLOP/s a process ({source})")

    def log(self, record: dict) -> None:
        """A record of the trainer's: step, loss, lr, grad_norm, steps_per_s."""
        tokens_per_s = record["steps_per_s"] * self.step_tokens
        size = self.ranks.world_size
        mfu = flops.mfu(self.step_flops, record["steps_per_s"], size, self.peak) if self.peak \
            else None
        dataset = self.loaders["train"].dataset
        self.tracker.train(record | {
            "tokens_per_s": tokens_per_s,
            "tokens_per_s_per_process": tokens_per_s / size,
            "epoch": dataset.epoch(record["step"] * self.inputs.global_batch_size),
            "tokens": record["step"] * self.step_tokens,
            "mfu": mfu, **memory(),
        })

    def evaluate(self, step: int, split: str, batches: int) -> dict[str, float]:
        """The same batches at every call: loss, perplexity, bits_per_byte; {} without a split."""
        loader = self.loaders[split]
        if loader is None:
            return {}
        measured = validate(
            self.model, self.objective, loader, batches, self.ranks, self.inputs.tokenizer
        )
        if measured:
            named = {f"{split}_{name}": value for name, value in measured.items()}
            self.tracker.evaluation(step, named)
        return measured

    def test(self, step: int) -> None:
        self.evaluate(step, "test", TEST_ITERS * self.config.validation.eval_iters)

    def text(self, step: int, title: str, pairs: list[tuple[str, str]]) -> None:
        self.tracker.text(step, title, pairs)

    def event(self, step: int, kind: str, message: str) -> None:
        self.tracker.event(step, kind, message)

    def say(self, line: str) -> None:
        self.tracker.say(line)

    def close(self) -> None:
        self.say(f"peak memory {runtime.peak_memory_mib():.0f} MiB")
        self.tracker.close()
