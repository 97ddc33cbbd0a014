"""A classifier with its tokenizer: texts in, labels and their probabilities out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import paddle

from data_tools.tokenizing.tokenizer import AnyTokenizer, Tokenizer
from paddle_impl import checkpoint, lora
from paddle_impl.checkpoint import contents
from paddle_impl.config.classifier import ClassifierConfig
from paddle_impl.config.model import CLASSIFIER
from paddle_impl.config.options import require
from paddle_impl.config.prompts import PromptOptions
from paddle_impl.heads import GPTForSequenceClassification
from paddle_impl.lora.adapter_config import TASK_TYPES
from paddle_impl.text.json_lines import line_writer
from paddle_impl.text.opening import base_and_adapter, open_tokenizer
from paddle_impl.text.prompts import prompts_of

_TASK = TASK_TYPES[CLASSIFIER]


class TextClassifier:
    """labels: the names of the classes, in the order of their probabilities."""

    def __init__(self, model: GPTForSequenceClassification, tokenizer: AnyTokenizer):
        self.model, self.tokenizer = model, tokenizer
        self.labels = model.config.labels
        self._told = ClassifierConfig.of(model.config)
        self.longest = self._told.longest  # tokens of a text that are read
        model.eval()

    @classmethod
    def load(
        cls, directory: str | None, vocab_file: str | None = None, merge_file: str | None = None,
        *, adapter: str | None = None,
    ) -> "TextClassifier":
        """Load a checkpoint directory or an adapter, see text.generator.TextGenerator.load."""
        places = base_and_adapter(directory, adapter)
        model = open_classifier(*places)
        if vocab_file is not None:
            return cls(model, Tokenizer.from_vocab_and_merges(vocab_file, merge_file))
        return cls(model, open_tokenizer(*places))

    def ids(self, text: str) -> np.ndarray:
        """The ids of a text, cut as in training; ValueError for a text without any."""
        ids = self.tokenizer.encode(text)[: self.longest]
        require(len(ids) > 0, f"the text {text!r} has no tokens")
        require(int(ids.max()) < self.model.config.vocab_size,
                f"the text {text[:30]!r} has id {ids.max()}, beyond the model's vocabulary of "
                f"{self.model.config.vocab_size}: the tokenizer is of another model")
        return ids.astype(np.int64)

    @paddle.no_grad()
    def logits(self, encoded: Sequence[np.ndarray], rows: int = 16) -> np.ndarray:
        """(texts, labels) float64. rows: texts in one forward pass."""
        found = np.zeros((len(encoded), len(self.labels)))
        order = sorted(range(len(encoded)), key=lambda number: len(encoded[number]))
        told = self._told
        if told.pooling == "last" and not told.pad_rows:
            rows = 1  # a row ends with its text
        for first in range(0, len(order), rows):
            numbers = order[first : first + rows]
            batch = self._batch([encoded[number] for number in numbers])
            found[numbers] = self.model(**batch).astype("float64").numpy()
        require(bool(np.isfinite(found).all()), "the model gives numbers that are not finite: its "
                "weights are damaged, or its training has diverged")
        return found

    def probabilities(self, texts: Sequence[str], rows: int = 16) -> np.ndarray:
        """(texts, labels) float64, each row of sum 1."""
        return softmax(self.logits([self.ids(text) for text in texts], rows))

    def _batch(self, rows: list[np.ndarray]) -> dict[str, paddle.Tensor]:
        told = self._told
        width = told.longest if told.pad_rows else max(map(len, rows))
        shape = len(rows), width
        inputs, mask = np.full(shape, told.pad_token_id or 0, np.int64), np.zeros(shape, np.int64)
        for row, ids in enumerate(rows):
            inputs[row, : len(ids)], mask[row, : len(ids)] = ids, 1
        batch = {"input_ids": paddle.to_tensor(inputs)}
        return batch if told.pad_rows else batch | {"attention_mask": paddle.to_tensor(mask)}


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def is_classifier(directory: str | None, adapter: str | None) -> bool:
    """Whether what a user names is a classifier, or an adapter of one."""
    base, own = base_and_adapter(directory, adapter)
    if own is not None:
        return lora.read_config(own).task_type == _TASK
    return (base / "config.json").is_file() and contents.architecture(base) == CLASSIFIER


def open_classifier(base: Path, adapter: Path | None) -> GPTForSequenceClassification:
    """The model, with the adapter in its weights. ValueError for a model of another kind."""
    if adapter is None:
        model = checkpoint.load_model(base)
        require(model.architecture == CLASSIFIER, f"{base} holds a {model.architecture}, labels "
                f"need a {CLASSIFIER}: run_finetune.py --task classify trains one")
        return model
    config = lora.read_config(adapter)
    require(config.task_type == _TASK, f"{adapter} holds an adapter for {config.task_type}, labels "
            f"need one for {_TASK}: run_finetune.py --task classify --lora_dim trains one")
    model = GPTForSequenceClassification(checkpoint.load_config(adapter))
    checkpoint.load_body(base, model)
    lora.apply_lora(model, config, base=base)
    checkpoint.load_weights(adapter, model)
    return lora.merged(model)


def write_labels(
    classifier: TextClassifier, prompts: PromptOptions, output_file: str | None, rows: int,
    prog: str,
) -> None:
    """The label of each prompt and the probabilities of all. prog: see line_writer."""
    texts = [one.text for one in prompts_of(prompts)]
    with line_writer(output_file, prog) as write_line:
        for text, own in zip(texts, classifier.probabilities(texts, rows), strict=True):
            best = classifier.labels[int(own.argmax())]
            if output_file != "-":
                print(f"{best} ({own.max():.4f}): {text}", flush=True)
            write_line({"text": text, "label": best,
                        "probabilities": dict(zip(classifier.labels, own.tolist(), strict=True))})
