"""A training run of any task: data -> model -> resume? -> optimizer -> train.

Flags, data and checkpoint are checked while the run is put together, before a file is written. The
task (see task.py) defines the model, the data and the loss.
"""

import math
from collections.abc import Callable
from pathlib import Path

from paddle_impl import checkpoint, tracking
from paddle_impl.checkpoint.state import TrainingState
from paddle_impl.config.options import require
from paddle_impl.config.run import RunConfig
from paddle_impl.data.pretraining_data import TEST_ITERS
from paddle_impl.objectives import Objective
from paddle_impl.optim.choice import chosen_optimizer
from paddle_impl.optim.precision import Precision
from paddle_impl.parallel.ranks import Ranks, join_grid
from paddle_impl.parallel.tensor import Parts
from paddle_impl.process.stopping import StopSignals
from paddle_impl.training import ending, hyperparams, model_class, output_lock, resume
from paddle_impl.training.early_stop import EarlyStop
from paddle_impl.training.measuring import gathered
from paddle_impl.training.model_class import initialize, seen
from paddle_impl.training.nonfinite import write_evidence
from paddle_impl.training.profiling import Profiler, ProfilerOptions
from paddle_impl.training.reports import Reports
from paddle_impl.training.shapes import shape_of
from paddle_impl.training.task import Task, check_trainable
from paddle_impl.training.trainer import Cadence, Trainer


class Run:
    """A checked run, ready to train. Nothing is written before `train()`.

    make_task: a function from this process's Ranks to the task, which opens its data. ValueError
    for anything that the user has to mend, such as flags, data or a checkpoint that do not fit.
    """

    def __init__(self, config: RunConfig, make_task: Callable[[Ranks], Task]):
        self.output_dir = Path(config.checkpoint.output_dir)
        self.precision = Precision(*config.precision.level_and_dtype())
        self.precision.check_device(config.runtime.device)
        tracking.check(config.tracking.report_to)
        self.ranks = join_grid(config.parallel)
        self.task = make_task(self.ranks)
        self.flags = config.flat()
        self.config = config = self.task.complete(config)
        with output_lock.taken(self.output_dir, self.ranks.is_main):
            self._prepare(config)

    def _prepare(self, config: RunConfig) -> None:
        passed_over: list[str] = []
        start = resume.find_start(config.model, config.checkpoint, passed_over, self.ranks)
        resume.check_output(config.checkpoint, start, self.task.name)
        if start.source is not None:
            self.task.start_from(start.source)
        shape = self.task.fit(shape_of(start, config.model.model_name_or_path, config.architecture,
                                       self.task.vocabulary()))
        self.early_stop = EarlyStop.of(config, self.task.name, self.task.measures,
                                       self.task.loaders.get("valid") is not None)
        self.scaler = self.precision.scaler(config.precision.scale_loss)
        self.skipped = 0
        self.start_step, notes = resume.start_step(
            config.training.max_steps, start, self._state(0),
            (resume.SEED, *self.task.facts, resume.PRECISION, resume.METRIC))
        if (source := start.source) is not None and not self.start_step:
            self.task.check_weights(source)
        ends = self.start_step > 0 and ending.check(
            config, source, self.start_step, self.task.loaders.get("test") is not None)
        if config.parallel.use_sharding and self.ranks.sharding.size == 1:
            notes.append("--use_sharding has no effect: no other process reads own samples")
        self.profiler_options = ProfilerOptions.checked(
            config.tracking.profiler_options, config.runtime.device,
            config.training.max_steps - self.start_step)
        user_class = model_class.chosen(config, start, continues=self.start_step > 0)
        self.flags["model_class"] = user_class
        self.task.architecture = user_class or self.task.architecture
        self.model = self.task.build(shape, Parts(self.ranks.model))
        check_trainable(self.model, self.ranks.model.size)
        self.model.recompute = config.parallel.use_recompute
        if source is None:
            initialize(self.model, config.runtime.seed)
        else:
            self.task.load(source, self.model, continues=self.start_step > 0)
        model_class.check(self.model)
        shapes = self.model.whole_shapes()
        self.parameters = sum(map(math.prod, shapes.values()))
        # After the weights are set: master weights are copied from them.
        self.optimizer = chosen_optimizer(
            config.optimizer, self.model, learning_rate=self.task.learning_rate(1),
            ranks=self.ranks, precision=self.precision, stage=config.parallel.sharding_stage)
        if self.ranks.is_main:
            notes += checkpoint.check_room(self.output_dir, self.model, shapes,
                                           self.optimizer.rule, resumed=self.start_step > 0)
        if self.start_step:
            checkpoint.load_optimizer(source, self.optimizer)
            self._restore(checkpoint.load_state(source).progress, ends)
        self.source = source
        self.objective = self._prepared(self.task.objective)
        self.measured = self._prepared(self.task.measured or self.task.objective)
        self.reports = Reports(config, self.task, self.task.step_flops(shape))
        self.warnings = passed_over + self.task.warnings + notes

    def train(self) -> str | None:
        """Train to max_steps, draw the curves and measure the test split at the end.

        A run that was killed after its last step is given what it lacks of that end. Returns the
        name of the signal that ended the run early, or None. NonFiniteError for a loss or gradient
        that is not finite, NoGradientError where all are zero; OSError if the last checkpoint could
        not be written.
        """
        config = self.config
        self.ranks.barrier()  # all processes have read output_dir, so one may write
        if self.ranks.is_main:
            output_lock.make(self.output_dir)
            self.warnings += hyperparams.write(self.output_dir, self.flags, self.start_step > 0)
            self.warnings += checkpoint.make_way(self.output_dir, self.start_step)
        profiler = Profiler(self.profiler_options, self.output_dir, self.ranks.rank,
                            self.reports.say) if self.profiler_options else None
        self.reports.open(self.start_step)
        self.ranks.barrier()
        self.reports.introduce(self.model.config, self.parameters, self.source, self.start_step,
                               self.warnings)
        with self.optimizer.without_sharding(), self.precision.autocast():
            self.task.begin(self.model)
        if self.task.measured_first and not self.start_step:
            self._measure(0, "valid", config.validation.eval_iters)
        self.unsaved: OSError | None = None
        with StopSignals() as signals:
            self.trainer = Trainer(
                model=self.model, optimizer=self.optimizer, objective=self.objective,
                loader=self.task.loaders["train"],
                cadence=Cadence(config.training.max_steps, config.tracking.logging_freq,
                                config.validation.eval_freq, config.checkpoint.save_steps,
                                self.task.learning_rate),
                grad_clip=config.optimizer.grad_clip, seed=config.runtime.seed, ranks=self.ranks,
                log=self._log, evaluate=self._evaluate, save=self._save,
                event=self.reports.event, keep_evidence=self._keep_evidence, stop=signals.requested,
                stepped=profiler.step if profiler else lambda: False, scaler=self.scaler,
                skip_nonfinite=config.training.skip_nonfinite, skipped=self.skipped,
                may_rest=self.task.may_rest,
            )
            if profiler:
                profiler.start()
            over = self.early_stop.over  # no step is left of it
            last = self.start_step if over else self.trainer.train(self.start_step)
            if profiler:
                profiler.stop()
        stopped = self.trainer.stopping and last < config.training.max_steps
        # The test record is written last: a run that has it has its picture.
        self.reports.draw()
        if not stopped:
            self._measure(last, "test", TEST_ITERS * config.validation.eval_iters)
        self.reports.close()
        output_lock.release(self.output_dir)
        if self.unsaved:
            raise self.unsaved
        return (signals.received or "SIGTERM") if stopped else None

    def _prepared(self, objective: Objective) -> Objective:
        """With the loss in the run's precision, and of a model of a user's class too."""
        return self.precision.within(objective._replace(
            loss=lambda model, batch: objective.loss(seen(model), batch)))

    def _state(self, step: int) -> TrainingState:
        ranks, task, options = self.ranks, self.task, self.config.optimizer
        return TrainingState(
            step=step, samples=step * task.samples_per_step, seed=self.config.runtime.seed,
            order_key=task.order_key(), sample_order=task.sample_order(),
            tokenizer=task.tokenizer.fingerprint() if task.tokenizer else None,
            global_batch_size=task.samples_per_step,
            schedule=vars(options) | task.settings(),
            data=task.data(),
            world={"world_size": ranks.world_size, "sharding_degree": ranks.sharding.size,
                   "mp_degree": ranks.model.size},
            precision=" ".join(filter(None, self.config.precision.level_and_dtype())),
            progress={**self.scaler.state(), **self.early_stop.state(),
                      "skipped_steps": self.skipped},
            task=task.name,
        )

    def _restore(self, progress: dict, ends: bool) -> None:
        """Restore the counters of a checkpoint, if it has any. ends: whether no step is left."""
        self.early_stop.restore(progress)
        patience = self.config.validation.early_stop
        require(ends or not self.early_stop.over,
                f"the run has ended already, by --early_stop {patience}: raise it, or leave it "
                "out, to go on")
        self.skipped = int(progress.get("skipped_steps", 0))
        if progress:
            self.scaler.restore(progress)

    def _log(self, record: dict) -> None:
        scale = {"loss_scale": self.scaler.scale} if self.scaler.active else {}
        skipped = {"skipped_steps": self.trainer.skipped} if self.trainer.skipped else {}
        self.reports.log(record | scale | skipped)

    def _measure(self, step: int, split: str, batches: int) -> dict[str, float]:
        """Measure a split's first batches, the same ones at every call; {} without the split."""
        if self.task.loaders.get(split) is None:
            return {}
        measured = self.task.evaluate(self.model, self.measured, split, batches)
        self.reports.evaluation(step, split, measured)
        return measured

    def _evaluate(self, step: int) -> bool:
        """Evaluate; returns whether --early_stop ends the run, the same in all processes."""
        measured = self._measure(step, "valid", self.config.validation.eval_iters)
        self._show_texts(step)
        stop = self.early_stop
        ends = bool(measured) and stop.saw(measured.get(stop.metric, math.nan))
        if measured and stop.since == 0 and self.config.checkpoint.keep_best:
            self._save(step, best=True)
        (votes,) = self.ranks.world.total(float(ends))
        if votes:
            which = "above" if stop.greater_is_better else "below"
            self.reports.event(step, "early stop", f"no valid {stop.metric} {which} "
                               f"{stop.best:.9f} in {stop.since} evaluation(s)")
        return votes > 0

    def _show_texts(self, step: int) -> None:
        if not self.task.has_texts:
            return
        with self.optimizer.without_sharding(), self.precision.autocast():
            found = self.task.texts(self.model, step)
        self.ranks.barrier()  # wait here: a collective call would time out meanwhile
        self.reports.text(step, "completions", found)

    def _save(self, step: int, best: bool = False) -> None:
        """Write a checkpoint of the step. The best one goes to a folder of its own."""
        self.skipped = self.trainer.skipped
        directory = self.output_dir / checkpoint.BEST if best else self.output_dir
        try:
            keep = 1 if best else self.config.checkpoint.keep_checkpoints
            path = self._write(directory, step, keep)
        except checkpoint.NoRoom as error:
            # Go on training: the next save may find room, and stopping would lose the steps.
            self.unsaved = error
            self.reports.event(step, "not saved", str(error))
            return
        self.unsaved = None
        self.reports.say(f"saved {path}")

    def _write(self, directory: Path, step: int, keep: int = 0) -> Path:
        return checkpoint.save(directory, self.model, self.optimizer, self._state(step),
                               self.task.tokenizer, keep=keep, ranks=self.ranks)

    def _keep_evidence(self, step: int, kind: str, message: str) -> None:
        """Write weights and optimizer as before the step that stops the run, and its batches."""
        folder = {"not finite": "nonfinite", "no gradient": "no_gradient"}[kind]
        directory = self.output_dir / f"{folder}_step_{step}"
        self.skipped = self.trainer.skipped - (kind == "not finite")  # this one was counted
        self.reports.event(step, kind, f"{message}; see {directory}")
        batches = gathered(self.task.loaders["train"].step(step - 1), self.ranks)
        try:
            write_evidence(directory, batches, lambda path: self._write(path, step - 1), self.ranks)
        except OSError as error:  # must not hide the error of the step
            self.reports.event(step, "not saved", str(error))
