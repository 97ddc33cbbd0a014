"""One pretraining run: data -> model -> resume? -> optimizer -> train.

Everything a user can get wrong is checked while the run is put together, before a file is written.
"""

import shutil
from functools import partial
from pathlib import Path

import numpy as np

from paddle_impl import checkpoint, tracking
from paddle_impl.config.model import named_model
from paddle_impl.config.options import require
from paddle_impl.config.parallel import ParallelOptions
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.data.pretraining_data import PretrainingData
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.objectives import CAUSAL_LM
from paddle_impl.optim.adamw import build_optimizer
from paddle_impl.optim.precision import Precision
from paddle_impl.optim.schedule import lr_at
from paddle_impl.parallel.ranks import Ranks, join, launched
from paddle_impl.parallel.tensor import Parts
from paddle_impl.process.stopping import StopSignals
from paddle_impl.training.completions import Completions
from paddle_impl.training.early_stop import EarlyStop
from paddle_impl.training.profiling import Profiler, ProfilerOptions
from paddle_impl.training.reports import Reports
from paddle_impl.training.resume import SETTINGS, check_output, find_source, start_step
from paddle_impl.training.trainer import Cadence, Trainer


class PretrainingRun:
    """A run that has been checked; `train()` starts writing."""

    def __init__(self, config: PretrainConfig):
        self.config = config
        self.output_dir = Path(config.checkpoint.output_dir)
        self.precision = Precision(*config.precision.level_and_dtype())
        self.precision.check_device(config.runtime.device)
        tracking.check(config.tracking.report_to)
        self.ranks = _join(config.parallel)
        self.inputs = PretrainingData(config, self.ranks)
        self.tokenizer = self.inputs.tokenizer
        passed_over: list[str] = []
        source = find_source(config.model, config.checkpoint, passed_over, self.ranks)
        check_output(config.checkpoint, config.training.max_steps, source)
        model_config = self.inputs.fit(
            checkpoint.load_config(source) if source
            else named_model(config.model.model_name_or_path)
        )
        self.completions = Completions.of(config, self.tokenizer, model_config)
        self.loaders = self.inputs.loaders(model_config)
        require(config.validation.early_stop == 0 or self.loaders["valid"] is not None,
                f"--early_stop needs a valid split, --split {config.data.split} leaves none")
        self.scaler = self.precision.scaler(config.precision.scale_loss)
        self.early_stop = EarlyStop(config.validation.early_stop)
        self.skipped = 0
        self.start_step, notes = start_step(
            config.training.max_steps, source, self._state(0))
        if config.parallel.use_sharding and self.ranks.sharding.size == 1:
            notes.append("--use_sharding has no effect: no other process reads own samples")
        self.profiler_options = self._profiler_options()

        self.model = GPTForCausalLM(model_config, Parts(self.ranks.model))
        self.model.recompute = config.parallel.use_recompute
        if source is None:
            initialize(self.model, config.runtime.seed)
        else:
            checkpoint.load_weights(source, self.model)
        options = config.optimizer
        # After the weights: master weights start from them.
        self.optimizer = build_optimizer(
            self.model, learning_rate=config.schedule.max_lr, weight_decay=options.weight_decay,
            beta1=options.adam_beta1, beta2=options.adam_beta2, epsilon=options.adam_epsilon,
            ranks=self.ranks, precision=self.precision, stage=config.parallel.sharding_stage,
        )
        if self.start_step:
            checkpoint.load_optimizer(source, self.optimizer)
            self._restore(checkpoint.load_state(source).progress)
        self.source = source
        self.objective = CAUSAL_LM._replace(loss=self._loss)
        self.reports = Reports(config, self.inputs, self.model, self.loaders, self.objective)
        self.warnings = passed_over + self.inputs.warnings + notes

    def train(self) -> str | None:
        """Train to max_steps, test at the end, and say where everything is.

        Returns the name of the signal that ended the run before, None if none did.
        """
        config = self.config
        self.ranks.barrier()  # no process looks at output_dir any more, so one may write
        if self.ranks.is_main:
            self.output_dir.mkdir(parents=True, exist_ok=True)
            self.warnings += checkpoint.make_way(self.output_dir, self.start_step)
        profiler = Profiler(self.profiler_options, self.output_dir, self.ranks.rank,
                            self.reports.say) if self.profiler_options else None
        self.reports.open(self.start_step)
        self.ranks.barrier()
        self._introduce()
        self.unsaved: OSError | None = None
        with StopSignals() as signals:
            self.trainer = Trainer(
                model=self.model, optimizer=self.optimizer, objective=self.objective,
                loader=self.loaders["train"],
                cadence=Cadence(
                    config.training.max_steps, config.tracking.logging_freq,
                    config.validation.eval_freq, config.checkpoint.save_steps,
                    partial(lr_at, **self._lr_options()),
                ),
                grad_clip=config.optimizer.grad_clip, seed=config.runtime.seed, ranks=self.ranks,
                log=self._log, evaluate=self._evaluate, save=self._save,
                event=self.reports.event, keep_evidence=self._keep_evidence, stop=signals.asked,
                stepped=profiler.step if profiler else lambda: False, scaler=self.scaler,
                skip_nonfinite=config.training.skip_nonfinite, skipped=self.skipped,
            )
            if profiler:
                profiler.start()
            last = self.trainer.train(self.start_step)
            if profiler:
                profiler.stop()
        stopped = self.trainer.stopping and last < config.training.max_steps
        if not stopped:
            self.reports.test(last)
        self.reports.close()
        if self.unsaved:
            raise self.unsaved
        return (signals.received or "SIGTERM") if stopped else None

    def _loss(self, model, batch):
        with self.precision.autocast():
            return CAUSAL_LM.loss(model, batch)

    def _introduce(self) -> None:
        model, say = self.model.config, self.reports.say
        say(
            f"model of {model.num_parameters():,} parameters ({model.n_layer} layers, width "
            f"{model.n_embd}, vocabulary {model.vocab_size}), "
            + (f"from {self.source}" if self.source else "initialised")
            + f"; data {self.inputs.data}; "
            f"steps {self.start_step + 1} to {self.config.training.max_steps} of "
            f"{self.inputs.global_batch_size} x {self.config.data.max_seq_len} tokens"
        )
        for warning in dict.fromkeys(self.warnings):
            say(f"warning: {warning}")

    def _profiler_options(self) -> ProfilerOptions | None:
        text = self.config.tracking.profiler_options
        if text is None:
            return None
        options = ProfilerOptions.parse(text)
        options.check(self.config.runtime.device,
                      self.config.training.max_steps - self.start_step)
        return options

    def _state(self, step: int) -> checkpoint.TrainingState:
        ranks, dataset = self.ranks, self.loaders["train"].dataset
        flags = self.config.flat()
        return checkpoint.TrainingState(
            step=step, samples=step * self.inputs.global_batch_size, seed=self.config.runtime.seed,
            order_key=dataset.order_key, sample_order=dataset.sample_order(),
            tokenizer=self.tokenizer.fingerprint() if self.tokenizer else None,
            global_batch_size=self.inputs.global_batch_size,
            schedule=self._lr_options() | {name: flags[name] for name in SETTINGS},
            data=self.inputs.identity(),
            world={"world_size": ranks.world_size, "sharding_degree": ranks.sharding.size,
                   "mp_degree": ranks.model.size},
            precision=" ".join(filter(None, self.config.precision.level_and_dtype())),
            progress={**self.scaler.state(), **self.early_stop.state(),
                      "skipped_steps": self.skipped},
        )

    def _restore(self, progress: dict) -> None:
        """Go on counting; a checkpoint of format 1 has counted nothing."""
        self.early_stop.restore(progress)
        require(not self.early_stop.over,
                f"the run has ended already, by --early_stop {self.early_stop.patience}: raise it, "
                "or leave it out, to go on")
        self.skipped = int(progress.get("skipped_steps", 0))
        if progress:
            self.scaler.restore(progress)

    def _lr_options(self) -> dict:
        schedule = self.config.schedule
        return {
            "max_lr": schedule.max_lr, "min_lr": schedule.min_lr,
            "warmup_rate": schedule.warmup_rate,
            "decay_steps": schedule.decay_steps or self.config.training.max_steps,
            "style": schedule.lr_decay_style,
        }

    def _log(self, record: dict) -> None:
        scale = {"loss_scale": self.scaler.scale} if self.scaler.active else {}
        skipped = {"skipped_steps": self.trainer.skipped} if self.trainer.skipped else {}
        self.reports.log(record | scale | skipped)

    def _evaluate(self, step: int) -> bool:
        """Whether the run ends here, by --early_stop; all processes decide the same."""
        measured = self.reports.evaluate(step, "valid", self.config.validation.eval_iters)
        self._complete(step)
        ends = bool(measured) and self.early_stop.saw(measured["loss"])
        (votes,) = self.ranks.world.total(float(ends))
        if votes:
            best, since = self.early_stop.best, self.early_stop.since
            self.reports.event(
                step, "early stop", f"no valid loss below {best:.9f} in {since} evaluation(s)")
        return votes > 0

    def _complete(self, step: int) -> None:
        if self.completions is not None:
            with self.optimizer.used_alone(), self.precision.autocast():
                found = self.completions.complete(self.model, step, self.ranks)
            self.ranks.barrier()  # the others wait longer than a collective call would
            self.reports.text(step, "completions", found)

    def _save(self, step: int) -> None:
        self.skipped = self.trainer.skipped
        try:
            path = self._write(self.output_dir, step, self.config.checkpoint.keep_checkpoints)
        except checkpoint.NoRoom as error:
            # What is in memory is worth more than an early end: the next save may find room.
            self.unsaved = error
            self.reports.event(step, "not saved", str(error))
            return
        self.unsaved = None
        self.reports.say(f"saved {path}")

    def _write(self, directory: Path, step: int, keep: int = 0) -> Path:
        return checkpoint.save(directory, self.model, self.optimizer, self._state(step),
                               self.tokenizer, keep=keep, ranks=self.ranks)

    def _keep_evidence(self, step: int, message: str) -> None:
        """Weights and optimizer before the step that is not finite, and what it read."""
        directory = self.output_dir / f"nonfinite_step_{step}"
        self.skipped = self.trainer.skipped - 1
        self.reports.event(step, "not finite", f"{message}; see {directory}")
        batches = self.inputs.gathered(self.loaders["train"].step(step - 1))
        if self.ranks.is_main:  # a run resumed into the same batch has left one before
            shutil.rmtree(directory, ignore_errors=True)
        try:
            self._write(directory, step - 1)
            if self.ranks.is_main:
                np.savez(directory / "batch.npz", **batches)
        except OSError as error:  # what was found must be said, whatever became of its evidence
            self.reports.event(step, "not saved", str(error))


def _join(options: ParallelOptions) -> Ranks:
    """The grid of processes that the flags ask for."""
    world = launched()
    sharding = options.sharding_processes(world)
    ranks = join(sharding, options.mp_degree)
    left = ranks.data.size // sharding
    require(options.dp_degree in (1, left),
            f"--dp_degree {options.dp_degree} differs from the {left} that {world} processes leave "
            f"beside --sharding_degree {sharding} and --mp_degree {options.mp_degree}")
    return ranks
