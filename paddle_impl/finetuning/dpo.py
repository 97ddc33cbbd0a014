"""Direct preference optimization: of two responses to a prompt the chosen one becomes likelier."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from paddle import nn

from data_tools.instructions.encoding import Encoder
from data_tools.instructions.examples import in_file_order
from data_tools.instructions.pairs import encode_pairs
from data_tools.instructions.records import Preference, read_preferences
from data_tools.instructions.templates import template_of
from paddle_impl.config.finetune_dpo import DPOConfig
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.options import require, split_shares
from paddle_impl.config.preference import LOSSES
from paddle_impl.finetuning import reference
from paddle_impl.finetuning.examples import ExamplesTask
from paddle_impl.finetuning.pairs import PairExamples, PairLoader
from paddle_impl.finetuning.preference_loss import preference
from paddle_impl.finetuning.reference import Reference
from paddle_impl.finetuning.responses import Responder
from paddle_impl.optim.legacy_schedules import schedule_of
from paddle_impl.optim.precision import Precision
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.text.opening import base_and_adapter, open_tokenizer
from paddle_impl.training.adapting import FACT as ADAPTER
from paddle_impl.training.flops import training_flops
from paddle_impl.training.measuring import measure
from paddle_impl.training.resume import Fact, find_start
from paddle_impl.training.shapes import shape_of

MAX_SEQ_LENGTH = 1024
PARTS = {"train": "training", "valid": "validation", "test": "test"}
FALLEN = 1e-4  # nats below the reference's log-probability, from which on a fall is told


class DPO(ExamplesTask):
    """Learn from pairs. The reference is the policy at step 0, an adapter that it starts with
    included; its log-probabilities and its samples are made once, before the first step.
    """

    name, measured_first = "dpo", True
    measures = MappingProxyType({
        "loss": False, "accuracy": True, "margin": True, "unscaled_margin": True,
        "chosen_reward": True, "rejected_reward": False, "chosen_logp": True,
        "rejected_logp": False})
    pictures = MappingProxyType({"rewards.png": {
        "rewards": ("chosen_reward", "rejected_reward"), "margin of the rewards": ("margin",),
        "accuracy": ("accuracy",), "log-probabilities": ("chosen_logp", "rejected_logp")}})
    facts = (
        Fact("pairs", "data.train_sha256", "pass the same --data, --split, --prompt_style, "
             "--chat_template, --response_mask and --max_seq_length"),
        Fact("tokenizer", "tokenizer", "name the same weights with --init_from"),
        Fact("start, which is the reference", "data.start",
             "name the weights that the run began with with --init_from"),
        Fact("global batch size", "global_batch_size", "{moved}it was {was}: processes x "
             "--per_gpu_train_batch_size x --accumulation_steps"),
        ADAPTER,
    )

    def __init__(self, config: DPOConfig, ranks: Ranks):
        super().__init__(config, ranks)
        options, wanted = config.instructions, config.preference
        self.config, self.continues = config, False
        start = find_start(config.model, replace(config.checkpoint, resume=False))
        require(start.source is not None, "--task dpo starts from a model that is trained, usually "
                "by --task sft: name its directory with --init_from")
        self.start = start.source
        self.start_sha256 = reference.weights_sha256(self.start)
        self.tokenizer = open_tokenizer(*base_and_adapter(str(self.start), None))
        self.encoder = Encoder(self.tokenizer, options.prompt_style,
                               options.chat_template and template_of(options.chat_template))
        shape = shape_of(start, config.model.model_name_or_path, config.architecture)
        self.max_seq_length = config.examples.max_seq_length or min(
            MAX_SEQ_LENGTH, shape.n_positions)
        self.dropped: list[str] = []
        preferences = self._read()
        self.records = {split: self._examples(split, part) for split, part in preferences.items()}
        require(len(self.records["train"]) > 0, f"{options.data} leaves nothing to train on: all "
                f"{len(preferences['train'])} pairs of the training part are left out")
        self._open()
        self.objective = preference(wanted.dpo_loss, wanted.beta, wanted.label_smoothing,
                                    wanted.sft_weight)
        self.may_rest = wanted.dpo_loss == "hinge"
        held_out = preferences["valid"] or preferences["test"]
        self.asked = [one.prompt for one in held_out[: options.samples]]
        self.has_texts = bool(self.asked)
        self.responder = Responder(self.encoder, config.decoding, config.runtime.seed, ranks)

    def _read(self) -> dict[str, Sequence[Preference]]:
        valid, preferences = self.config.held_out.valid_data, read_preferences(
            self.config.instructions.data)
        if valid is not None:
            return {"train": preferences, "valid": read_preferences(valid), "test": []}
        train, test, valid = in_file_order(preferences, split_shares(self.config.parts.split))
        return {"train": train, "valid": valid, "test": test}

    def _examples(self, split: str, preferences: Sequence[Preference]) -> PairExamples:
        found = encode_pairs(preferences, self.encoder, self.max_seq_length, self._legacy)
        self.events += found.events(PARTS[split])
        self.dropped += found.counts(PARTS[split])
        return PairExamples(found)

    @property
    def _legacy(self) -> bool:
        return self.config.preference.response_mask == "legacy"

    def _open(self) -> None:
        config, data = self.config, self.ranks.data
        options = config.examples
        share = {"pad_id": self.tokenizer.eos_token_id, "rank": data.rank, "world_size": data.size,
                 "longest": self.max_seq_length if self._legacy else None}
        self.loaders = {"train": PairLoader(
            self.records["train"], options.per_gpu_train_batch_size, seed=config.runtime.seed,
            accumulation_steps=options.accumulation_steps, **share)}
        self.loaders |= {
            split: PairLoader(self.records[split], options.dev_batch_size, **share)
            if len(self.records[split]) else None for split in ("valid", "test")}
        self.samples_per_step = (options.per_gpu_train_batch_size * options.accumulation_steps
                                 * data.size)
        self.sample_tokens = round(float(self.records["train"].inputs.mean()))
        self.step_tokens = self.samples_per_step * self.sample_tokens

    def complete(self, config: DPOConfig) -> DPOConfig:
        self.config = config.of_length(self.steps_per_epoch)
        self.check_eval_freq("--eval_freq", config.validation.eval_freq)
        self.schedule = schedule_of(self.config.schedule, self.config.training.max_steps)
        return self.config

    def start_from(self, source: Path) -> None:
        super().start_from(source)
        self.tokenizer.chat_template = self.encoder.template  # checkpoints hold it, for the server

    def fit(self, shape: ModelConfig) -> ModelConfig:
        """The shape without dropout: at step 0 policy and reference are the same."""
        require(self.max_seq_length <= shape.n_positions,
                f"--max_seq_length {self.max_seq_length} is beyond the model's "
                f"{shape.n_positions} positions")
        return super().fit(shape).with_(embd_pdrop=0.0, resid_pdrop=0.0, attn_pdrop=0.0)

    def load(self, source: Path, model: nn.Layer, continues: bool) -> None:
        self.continues = continues
        super().load(source, model, continues)

    def begin(self, model: nn.Layer) -> None:
        """Read the reference of the run's folder, or make it."""
        path = Path(self.config.checkpoint.output_dir) / reference.FILE
        mark, stored, lacking = self._fingerprint(), None, None
        if self.ranks.is_main and (self.continues or path.exists()):
            try:
                stored = reference.read(path, mark)
            except ValueError as error:
                lacking = str(error)
        loaders = {split: loader for split, loader in self.loaders.items() if loader is not None}
        pairs = {split: len(self.records[split]) for split in loaders}
        sums = reference.shared(stored, pairs, self.ranks)
        told = f"{path}: log-probabilities of {sum(pairs.values()):,} pairs by {self.start}"
        if sums is None:
            policy = self._policy_at_start(model) if self.continues else model
            sums = reference.log_probabilities_of(policy, loaders, self.ranks)
            answers = self.responder.answer(policy, self.asked, 0) or []
            stored = Reference(sums, [text for _, text in answers])
            if self.ranks.is_main:
                reference.write(path, mark, stored)
            told += f", made anew because {lacking}" if lacking else ""
        else:
            told += ", as they were made before"
        self.samples = stored.samples if stored else []
        self.loaders |= {split: replace(loader, reference=sums[split])
                         for split, loader in loaders.items()}
        self.events.append(("reference", told))

    def _fingerprint(self) -> str:
        """Of all that the reference's numbers and samples depend on."""
        prompts = [self.encoder.prompt(one).tolist() for one in self.asked]
        return reference.fingerprint(super().data() | {
            "start": self.start_sha256,
            "precision": [str(part) for part in self.config.precision.level_and_dtype()],
            "longest": self.max_seq_length, "seed": self.config.runtime.seed, "prompts": prompts,
            "new tokens": self.config.decoding.max_dec_len})

    def _policy_at_start(self, model: nn.Layer) -> nn.Layer:
        """A second model, with the weights that the run began with."""
        source, self.source = self.source, self.start
        policy = self.build(model.config, model.parts)
        super().load(self.start, policy, continues=False)
        self.source = source
        Precision(*self.config.precision.level_and_dtype()).cast(policy)
        return policy

    def evaluate(self, model, objective, split, batches) -> dict[str, float]:
        found = measure(model, objective, self.loaders[split].first(batches), self.ranks)
        fallen = -found["chosen_reward"] / self.config.preference.beta if found else 0.0
        if fallen > FALLEN and not any(kind == "warning" for kind, _ in self.events):
            self.events.append(("warning", (
                f"the chosen responses of the {PARTS[split]} part have become less likely than at "
                f"step 0, by {fallen:.4f} nats in the mean, while only the rejected ones were to: "
                "a lower --lr, a larger --beta or an --sft_weight above 0 holds them")))
        return found

    def texts(self, model: nn.Layer, step: int) -> list[tuple[str, str]]:
        """The policy's answers to held-out prompts, beside those of the reference."""
        found = self.responder.answer(model, self.asked, step) or []
        return [(self.tokenizer.decode(prompt), f"\n[policy] {text}\n[reference] {before}")
                for (prompt, text), before in zip(found, self.samples, strict=False)]

    def step_flops(self, shape: ModelConfig) -> float:
        lengths = self.records["train"].lengths
        return training_flops(shape, self.step_tokens, (lengths**2).sum() / lengths.sum())

    def data(self) -> dict[str, Any]:
        return super().data() | {"start": self.start_sha256, "dropped": self.dropped}

    def settings(self) -> dict[str, Any]:
        options = self.config.preference
        return self.schedule.settings | {
            "per_gpu_train_batch_size": self.config.examples.per_gpu_train_batch_size,
            "dpo_loss": options.dpo_loss, "beta": options.beta,
            "label_smoothing": options.label_smoothing, "sft_weight": options.sft_weight}

    def describe(self) -> str:
        options, pairs = self.config.preference, {
            split: len(records) for split, records in self.records.items()}
        return (f"{pairs['train']:,} pairs, {pairs['valid']:,} held out, {pairs['test']:,} for the "
                f"test; DPO's loss {options.dpo_loss}, with a response's log-probability as the "
                f"{LOSSES[options.dpo_loss]} over its tokens, beta {options.beta:g}; "
                f"{self.config.training.max_steps:,} steps of {self.steps_per_epoch:,} an epoch"
                f"{self.adapted}")
