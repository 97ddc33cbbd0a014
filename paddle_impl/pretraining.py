"""One pretraining run: data -> model -> resume? -> optimizer -> train.

Everything a user can get wrong is checked while the run is put together, before a file is written.
"""

from functools import partial
from pathlib import Path

from paddle_impl import checkpoint, distributed, runtime
from paddle_impl.completions import Completions
from paddle_impl.config.model import ModelConfig, named_model
from paddle_impl.config.options import require
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.early_stop import EarlyStop
from paddle_impl.inputs import TEST_ITERS, Inputs
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.objectives import causal_lm
from paddle_impl.optim import build_optimizer
from paddle_impl.resume import check_output, find_source, start_step
from paddle_impl.schedule import lr_at
from paddle_impl.tracking import Tracker
from paddle_impl.trainer import Schedule, Trainer
from paddle_impl.validation import validate


class PretrainingRun:
    """A run that has been checked; `train()` starts writing."""

    def __init__(self, config: PretrainConfig):
        self.config = config
        self.output_dir = Path(config.output_dir)
        self.ranks = _join(config)
        self.inputs = Inputs(config, self.ranks)
        self.tokenizer = self.inputs.tokenizer
        source = find_source(config)
        check_output(config, source)
        model_config = self.inputs.fit(
            checkpoint.load_config(source) if source else named_model(config.model_name_or_path)
        )
        self.completions = self._completions(model_config)
        self.loaders = self.inputs.loaders(model_config)
        self.early_stop = EarlyStop(config.early_stop)
        self.start_step, notes = start_step(config, source, self._state(0))
        self.warnings = self.inputs.warnings + notes

        self.model = GPTForCausalLM(model_config)
        self.optimizer = build_optimizer(
            self.model, learning_rate=config.max_lr, weight_decay=config.weight_decay,
            beta1=config.adam_beta1, beta2=config.adam_beta2, epsilon=config.adam_epsilon,
        )
        if source is None:
            initialize(self.model, config.seed)
        else:
            checkpoint.load_weights(source, self.model)
            if self.start_step:
                checkpoint.load_optimizer(source, self.model, self.optimizer)
        self.source = source

    def train(self) -> None:
        """Train to max_steps, test at the end, and say where everything is."""
        config = self.config
        self.ranks.barrier()  # no process looks at output_dir any more, so one may write
        if self.ranks.is_main:
            self.output_dir.mkdir(parents=True, exist_ok=True)
        self.tracker = Tracker(
            self.output_dir, self.start_step, config.max_steps, enabled=self.ranks.is_main
        )
        self._introduce()
        Trainer(
            model=self.model, optimizer=self.optimizer, objective=causal_lm,
            loader=self.loaders["train"],
            schedule=Schedule(
                config.max_steps, config.logging_freq, config.eval_freq, config.save_steps,
                partial(lr_at, **self._lr_options()),
            ),
            grad_clip=config.grad_clip, seed=config.seed, ranks=self.ranks,
            log=self._log, evaluate=self._validate, save=self._save,
        ).train(self.start_step)
        self._evaluate(config.max_steps, "test", TEST_ITERS * config.eval_iters)
        self.tracker.say(f"peak memory {runtime.peak_memory_mib():.0f} MiB")
        self.tracker.close()

    def _introduce(self) -> None:
        model = self.model.config
        self.tracker.say(
            f"model of {model.num_parameters():,} parameters ({model.n_layer} layers, width "
            f"{model.n_embd}, vocabulary {model.vocab_size}), "
            + (f"from {self.source}" if self.source else "initialised")
            + f"; data {self.inputs.data}; "
            f"steps {self.start_step + 1} to {self.config.max_steps} of "
            f"{self.inputs.global_batch_size} x {self.config.max_seq_len} tokens"
        )
        for warning in dict.fromkeys(self.warnings):
            self.tracker.say(f"warning: {warning}")

    def _completions(self, model: ModelConfig) -> Completions | None:
        config = self.config
        if config.test_file is None:
            return None
        return Completions(
            config.test_file, self.tokenizer, model, max_new_tokens=config.max_dec_len,
            seed=config.seed, greedy=config.decode_strategy == "greedy_search",
            top_k=config.top_k, top_p=config.top_p, temperature=config.temperature,
        )

    def _state(self, step: int) -> checkpoint.TrainingState:
        return checkpoint.TrainingState(
            step=step, samples=step * self.inputs.global_batch_size, seed=self.config.seed,
            order_key=self.loaders["train"].dataset.order_key,
            sample_order=self.loaders["train"].dataset.sample_order(),
            tokenizer=self.tokenizer.fingerprint() if self.tokenizer else None,
            global_batch_size=self.inputs.global_batch_size, schedule=self._lr_options(),
        )

    def _lr_options(self) -> dict:
        config = self.config
        return {
            "max_lr": config.max_lr, "min_lr": config.min_lr, "warmup_rate": config.warmup_rate,
            "decay_steps": config.decay_steps or config.max_steps, "style": config.lr_decay_style,
        }

    def _log(self, record: dict) -> None:
        per_step = self.inputs.global_batch_size * self.config.max_seq_len
        speed = record["steps_per_s"] * per_step
        dataset = self.loaders["train"].dataset
        self.tracker.train(record | {
            "tokens_per_s": speed,
            "tokens_per_s_per_process": speed / self.ranks.world_size,
            "epoch": dataset.epoch(record["step"] * self.inputs.global_batch_size),
            "tokens": record["step"] * per_step,
        })

    def _validate(self, step: int) -> bool:
        """Whether the run ends here, by --early_stop."""
        measured = self._evaluate(step, "valid", self.config.eval_iters)
        return bool(measured) and self.early_stop.saw(measured["loss"])

    def _evaluate(self, step: int, split: str, batches: int) -> dict[str, float]:
        loader = self.loaders[split]
        if loader is None:
            return {}
        measured = validate(self.model, causal_lm, loader, batches, self.ranks, self.tokenizer)
        if measured:
            self.tracker.evaluation(step, f"{split}_loss", measured["loss"])
        return measured

    def _save(self, step: int) -> None:
        if self.ranks.is_main:
            path = checkpoint.save(
                self.output_dir, self.model, self.optimizer, self._state(step), self.tokenizer
            )
            self.tracker.say(f"saved {path}")
        self.ranks.barrier()


def _join(config: PretrainConfig) -> distributed.Ranks:
    """The grid of processes that the flags ask for."""
    world = distributed.launched()
    sharding = config.sharding_processes(world)
    ranks = distributed.join(sharding, config.mp_degree)
    left = ranks.data.size // sharding
    require(config.dp_degree in (1, left),
            f"--dp_degree {config.dp_degree} differs from the {left} that {world} processes leave "
            f"beside --sharding_degree {sharding} and --mp_degree {config.mp_degree}")
    return ranks
