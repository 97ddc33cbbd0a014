"""The task of classification: a head on GPT-2's body learns which label a text has."""

from pathlib import Path
from types import MappingProxyType
from typing import Any

from paddle import nn

from data_tools.classification.examples import LabelledExamples
from data_tools.classification.reading import Columns
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint, tracking
from paddle_impl.checkpoint import contents
from paddle_impl.config.classifier import ClassifierConfig
from paddle_impl.config.finetune_classify import LONGEST, MODEL, ClassifyConfig
from paddle_impl.config.model import CLASSIFIER, ModelConfig
from paddle_impl.config.options import require
from paddle_impl.evaluation.confusion import Confusion, accuracy, macro_f1
from paddle_impl.finetuning.class_loss import balancing_weights, classification
from paddle_impl.finetuning.classes import ClassLoader
from paddle_impl.finetuning.examples import ExamplesTask
from paddle_impl.finetuning.freezing import freeze
from paddle_impl.heads import initialize_head
from paddle_impl.optim.legacy_schedules import schedule_of
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.parallel.tensor import Parts
from paddle_impl.tracking.confusion import draw_confusion
from paddle_impl.training.adapting import FACT as ADAPTER
from paddle_impl.training.flops import training_flops
from paddle_impl.training.measuring import measure
from paddle_impl.training.resume import Fact


class Classify(ExamplesTask):
    """Tell the label of a text. The tokenizer is that of the weights.

    An evaluation is over all texts of a split. It draws the confusion matrix.
    """

    name = "classify"
    architecture = CLASSIFIER
    measures = MappingProxyType({"loss": False, "accuracy": True, "macro_f1": True})
    facts = (
        Fact("texts", "data.train_sha256", "name them with --train_texts"),
        Fact("labels", "data.labels", "name the same --train_texts"),
        Fact("order key", "order_key", "--context_length, --balance, --accumulation_steps and the "
             "flags of the columns must be as they were", implied=True),
        Fact("tokenizer", "tokenizer", "leave --vocab_file out"),
        Fact("global batch size", "global_batch_size", "{moved}it was {was}: processes x "
             "--batch_size x --accumulation_steps"),
        Fact("trained layers", "data.trained", "pass --trainable_layers {was}"),
        Fact("head", "data.head", "--trainable_token_pos, --average_embeddings, --no_padding and "
             "--score_bias must be as they were"),
        ADAPTER,
    )

    def __init__(self, config: ClassifyConfig, ranks: Ranks):
        super().__init__(config, ranks)
        self.config, model = config, config.model
        texts, options = config.texts, config.classifier
        columns = Columns(texts.text_column, texts.label_column, texts.header,
                          texts.legacy_quoting)
        train = LabelledExamples(texts.train_texts, columns)
        require(len(train.names) > 1, f"{train.path} has the label {train.names[0]} only: expected "
                "two or more")
        if options.balance == "undersample":
            train.undersample(config.runtime.seed)
        self.records = {"train": train} | {
            split: LabelledExamples(path, columns, train.names) for split, path in (
                ("valid", options.valid_texts), ("test", options.test_texts)) if path is not None}
        weights = balancing_weights(train.classes, len(train.names)) \
            if options.balance == "weights" else None
        self.objective = classification(weights)
        self._seen = Confusion(len(train.names))
        self.measured = classification(seen=self._seen)
        self.tokenizer = None if model.vocab_file is None else Tokenizer.from_vocab_and_merges(
            model.vocab_file, model.merge_file)
        self.samples_per_step = (config.examples.per_gpu_train_batch_size
                                 * config.examples.accumulation_steps * ranks.data.size)

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.records["train"]) // self.samples_per_step)

    def complete(self, config: ClassifyConfig) -> ClassifyConfig:
        self.config = config.of_length(self.steps_per_epoch)
        self.check_eval_freq("--eval_freq", config.validation.eval_freq)
        self.schedule = schedule_of(self.config.schedule, self.config.training.max_steps)
        return self.config

    def start_from(self, source: Path) -> None:
        self.tokenizer = self.tokenizer or checkpoint.load_tokenizer(source)
        super().start_from(source)
        own, names = checkpoint.load_config(source).labels, self.records["train"].names
        require(own in ((), names), f"{source} is a classifier of {', '.join(own)}, the texts have "
                f"the labels {', '.join(names)}: start from the language model that it was made of")

    def fit(self, shape: ModelConfig) -> ClassifierConfig:
        """The shape with the labels and a padding token, and how texts are read."""
        require(self.tokenizer is not None, "the texts need a tokenizer, and none lies beside the "
                "weights: name one with --vocab_file and --merge_file")
        shape = super().fit(shape)
        most = self._encode(shape)
        pad = self.tokenizer.special_tokens.get("<pad>", self.tokenizer.eos_token_id)
        self._make_loaders(pad, most if self.config.pad_rows else None)
        return self.config.training.with_dropout(ClassifierConfig.of(
            shape, labels=self.records["train"].names, pad_token_id=pad, generation_config=None,
            pooling=self.config.classifier.pooling, score_bias=self.config.classifier.score_bias,
            max_tokens=most, pad_rows=self.config.pad_rows))

    def _encode(self, shape: ModelConfig) -> int:
        """Make the ids of all texts; returns how many of a text are used at most."""
        context, train = self.config.classifier.context, self.records["train"]
        most = shape.n_positions if context in (LONGEST, MODEL) else context
        require(most <= shape.n_positions, f"--context_length {most} is beyond the model's "
                f"{shape.n_positions} positions")
        train.encode(self.tokenizer, most)
        if context == LONGEST:
            most = min(most, train.longest)
        for examples in self.records.values():
            examples.encode(self.tokenizer, most)
            require(examples.highest < shape.vocab_size, f"{examples.path} has the id "
                    f"{examples.highest}, beyond the model's vocabulary of {shape.vocab_size}: the "
                    "tokenizer is of another model")
            if examples.cut:
                self.warnings.append(f"{examples.path}: {examples.cut} of {len(examples)} texts "
                                     f"have more than {most} tokens and are cut")
        self.sample_tokens = most if self.config.pad_rows else round(float(train.inputs.mean()))
        self.step_tokens = self.samples_per_step * self.sample_tokens
        return most

    def _make_loaders(self, pad: int, width: int | None) -> None:
        data, train, options = self.ranks.data, self.records["train"], self.config.examples
        share = {"pad_id": pad, "rank": data.rank, "world_size": data.size, "width": width}
        self.loaders = {split: ClassLoader(one, options.dev_batch_size, **share)
                        for split, one in self.records.items()}
        self.loaders["train"] = ClassLoader(
            train, options.per_gpu_train_batch_size, seed=self.config.runtime.seed,
            accumulation_steps=options.accumulation_steps, **share)
        self.loaders.setdefault("test", None)

    def build(self, shape: ClassifierConfig, parts: Parts) -> nn.Layer:
        model = super().build(shape, parts)
        initialize_head(model, self.config.runtime.seed)
        if self.adapter is None:
            freeze(model, self.config.trained)
        return model

    def load(self, source: Path, model: nn.Layer, continues: bool) -> None:
        if self.adapter is not None or contents.architecture(source) == CLASSIFIER:
            super().load(source, model, continues)
        else:
            checkpoint.load_body(source, model)

    def data(self) -> dict[str, Any]:
        options = self.config.classifier
        return super().data() | {
            "labels": ", ".join(self.records["train"].names), "trained": self.config.trained,
            "head": f"{options.pooling}{' with a bias' * options.score_bias}"
                    f"{', rows padded' * self.config.pad_rows}"}

    def settings(self) -> dict[str, Any]:
        training = self.config.training
        return self.schedule.settings | {
            "batch_size": self.config.examples.per_gpu_train_batch_size,
            "hidden_dropout_prob": training.hidden_dropout_prob,
            "attention_probs_dropout_prob": training.attention_probs_dropout_prob}

    def order_key(self) -> str:
        train, options = self.records["train"], self.config.classifier
        return (f"{len(train)} texts, {int(train.inputs.sum())} tokens, balance {options.balance}, "
                f"groups of {self.config.examples.accumulation_steps}")

    def step_flops(self, shape: ModelConfig) -> float:
        lengths = self.records["train"].inputs
        return training_flops(shape, self.step_tokens, (lengths**2).sum() / lengths.sum())

    def evaluate(self, model, objective, split, batches) -> dict[str, float]:
        """Loss without weights, accuracy and macro F1 of all texts."""
        self._seen.counts[:] = 0
        found = measure(model, objective, self.loaders[split].first(batches), self.ranks)
        counts = self._seen.counts
        counts.flat = self.ranks.data.total(*map(float, counts.flat))
        if self.ranks.is_main and tracking.check(self.config.tracking.report_to):
            self._draw(split)
        return {"loss": found["loss"], "accuracy": accuracy(counts), "macro_f1": macro_f1(counts)}

    def _draw(self, split: str) -> None:
        path = Path(self.config.checkpoint.output_dir) / f"confusion_{split}.png"
        try:
            draw_confusion(path, self._seen.counts, self.records[split].names,
                           str(self.records[split].path.name))
        except Exception as error:  # no picture may make the run fail
            print(f"warning: {path.name} is not drawn: {' '.join(str(error).split())}", flush=True)

    def describe(self) -> str:
        train, *held_out = self.records.values()
        told = [f"{len(train):,} texts of {len(train.names)} labels"]
        told += [f"{len(one):,} in {one.path.name}, {int(one.standing_in(train.texts).sum())} of "
                 "which stand in the training texts too" for one in held_out]
        return (f"{'; '.join(told)}; trained: {self.config.trained}; "
                f"{self.config.training.max_steps:,} steps of {self.steps_per_epoch:,} an epoch"
                f"{self.adapted}")
