"""One pretraining run: data -> model -> resume? -> optimizer -> train.

Everything a user can get wrong is checked while the run is put together, before a file is written.
"""

import math
from functools import partial
from pathlib import Path

from data_tools.splits import split_bounds
from data_tools.tokenizer import AnyTokenizer, Tokenizer, load_tokenizer
from paddle_impl import checkpoint, distributed, runtime
from paddle_impl.config.model import ModelConfig, named_model
from paddle_impl.config.options import require, split_shares
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.data.blend import split_dataset
from paddle_impl.data.index_files import main_first
from paddle_impl.data.loader import PretrainLoader
from paddle_impl.data.pretrain import has_samples
from paddle_impl.data.sources import Datasets, check_tokenizer, open_datasets
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.objectives import causal_lm
from paddle_impl.optim import build_optimizer
from paddle_impl.resume import check_output, find_source, start_step
from paddle_impl.schedule import lr_at
from paddle_impl.tracking import Tracker
from paddle_impl.trainer import Schedule, Trainer, mean_loss

TEST_ITERS = 10  # the test at the end takes this many times eval_iters batches, as PaddleNLP's


class PretrainingRun:
    """A run that has been checked; `train()` starts writing."""

    def __init__(self, config: PretrainConfig):
        self.config = config
        self.output_dir = Path(config.output_dir)
        self.ranks = distributed.join()
        self.accumulation = config.accumulation_steps(self.ranks.data.size)
        self.global_batch_size = self.accumulation * config.micro_batch_size * self.ranks.data.size

        self.data = open_datasets(config.input_dir)
        self.tokenizer = find_tokenizer(config, self.data)
        self.warnings: list[str] = []
        if self.tokenizer is None:
            self.warnings.append("the data has no tokenizer beside it, so checkpoints get none; "
                                 "name it with --vocab_file and --merge_file")
        source = find_source(config)
        check_output(config, source)
        model_config = self._model_config(source)
        with main_first(self.ranks):
            self.loaders = self._loaders(model_config.eos_token_id)
        self.start_step, notes = start_step(config, source, self._state(0))
        self.warnings += notes

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
            + f"; data {self.data}; "
            f"steps {self.start_step + 1} to {self.config.max_steps} of {self.global_batch_size} "
            f"x {self.config.max_seq_len} tokens"
        )
        for warning in dict.fromkeys(self.warnings):
            self.tracker.say(f"warning: {warning}")

    def _model_config(self, source: Path | None) -> ModelConfig:
        config = self.config
        shape = checkpoint.load_config(source) if source else named_model(config.model_name_or_path)
        require(config.max_seq_len <= shape.n_positions,
                f"--max_seq_len {config.max_seq_len} is beyond the model's {shape.n_positions} "
                "positions")
        for tokens in self.data.tokens:
            low, high = tokens.id_range()
            require(0 <= low and high < shape.vocab_size,
                    f"{tokens.prefix}_ids.npy holds ids from {low} to {high}, the model's "
                    f"vocabulary is 0 to {shape.vocab_size - 1}: name a model with a larger one, "
                    f"or make the data with --vocab_size {shape.vocab_size}")
        eos = self.data.eos_token_id
        if self.tokenizer is not None:
            own = end_of(self.tokenizer)
            require(eos is None or own in (None, eos),
                    f"documents of {self.data} end in token {eos}, the tokenizer's end is {own}")
            eos = own if eos is None else eos
        if eos is not None or self.tokenizer is not None:
            shape = shape.with_(eos_token_id=eos, bos_token_id=eos)
        return config.with_dropout(shape)

    def _loaders(self, eos: int | None) -> dict[str, PretrainLoader | None]:
        config, data = self.config, self.ranks.data
        batch = config.micro_batch_size * data.size
        wanted = {
            "train": self.global_batch_size * config.max_steps,
            # PaddleNLP asks for those of all evaluations together. Ours read the same ones each
            # time, and these must not depend on how long the run is.
            "valid": batch * config.eval_iters,
            "test": batch * TEST_ITERS * config.eval_iters,
        }
        shares = split_shares(config.split)
        for tokens in self.data.tokens:
            bounds = split_bounds(shares, len(tokens))
            require(has_samples(tokens, "train", bounds, config.packing, config.max_seq_len),
                    f"{tokens.prefix} has no document for training: --split {config.split} of "
                    f"{len(tokens)} documents, --packing {config.packing}")
        loaders = {}
        for split, samples in wanted.items():
            dataset = split_dataset(
                self.data, split, shares, seq_length=config.max_seq_len, num_samples=samples,
                seed=config.seed, order=config.data_order, packing=config.packing,
                pad_id=eos or 0, notes=self.warnings,
            ) if samples else None
            if dataset is None:
                loaders[split] = None
                if samples:
                    self.warnings.append(f"the {split} split is empty, its loss is not measured")
                continue
            loaders[split] = PretrainLoader(
                dataset, config.micro_batch_size, eos,
                self.accumulation if split == "train" else 1, data.rank, data.size,
            )
        return loaders

    def _state(self, step: int) -> checkpoint.TrainingState:
        return checkpoint.TrainingState(
            step=step, samples=step * self.global_batch_size, seed=self.config.seed,
            order_key=self.loaders["train"].dataset.order_key,
            sample_order=self.loaders["train"].dataset.sample_order(),
            tokenizer=self.tokenizer.fingerprint() if self.tokenizer else None,
            global_batch_size=self.global_batch_size, schedule=self._lr_options(),
        )

    def _lr_options(self) -> dict:
        config = self.config
        return {
            "max_lr": config.max_lr, "min_lr": config.min_lr, "warmup_rate": config.warmup_rate,
            "decay_steps": config.decay_steps or config.max_steps, "style": config.lr_decay_style,
        }

    def _log(self, record: dict) -> None:
        per_step = self.global_batch_size * self.config.max_seq_len
        speed = record["steps_per_s"] * per_step
        dataset = self.loaders["train"].dataset
        self.tracker.train(record | {
            "tokens_per_s": speed,
            "tokens_per_s_per_process": speed / self.ranks.world_size,
            "epoch": dataset.epoch(record["step"] * self.global_batch_size),
            "tokens": record["step"] * per_step,
        })

    def _validate(self, step: int) -> None:
        self._evaluate(step, "valid", self.config.eval_iters)

    def _evaluate(self, step: int, split: str, batches: int) -> None:
        loader = self.loaders[split]
        if loader is None:
            return
        loss = mean_loss(self.model, causal_lm, loader.first(batches), self.ranks)
        if not math.isnan(loss):
            self.tracker.evaluation(step, f"{split}_loss", loss)

    def _save(self, step: int) -> None:
        if self.ranks.is_main:
            path = checkpoint.save(
                self.output_dir, self.model, self.optimizer, self._state(step), self.tokenizer
            )
            self.tracker.say(f"saved {path}")
        self.ranks.barrier()


def end_of(tokenizer: AnyTokenizer) -> int | None:
    """The id that ends a document; None for a vocabulary that has none."""
    try:
        return tokenizer.eos_token_id
    except ValueError:
        return None


def find_tokenizer(config: PretrainConfig, data: Datasets) -> AnyTokenizer | None:
    """The tokenizer that made the ids: the one the flags name, else the one beside the data."""
    beside = [path for tokens in data.tokens
              if (path := Path(f"{tokens.prefix}_tokenizer")).is_dir()]
    if config.vocab_file is not None:
        tokenizer = Tokenizer.from_vocab_and_merges(config.vocab_file, config.merge_file)
    elif beside:
        tokenizer = load_tokenizer(beside[0])
    else:
        return None
    for tokens in data.tokens:
        check_tokenizer(tokens, tokenizer)
    return tokenizer
