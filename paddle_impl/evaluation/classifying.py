"""A classifier on texts with labels, beside TF-IDF with logistic regression."""

from pathlib import Path

import numpy as np

from data_tools.classification.examples import LabelledExamples
from data_tools.classification.reading import Columns
from paddle_impl.config.evaluation import EvaluationConfig
from paddle_impl.evaluation import files
from paddle_impl.evaluation.confusion import Confusion, accuracy, f1_scores, macro_f1
from paddle_impl.text.classifier import TextClassifier, softmax
from paddle_impl.tracking.confusion import draw_confusion
from paddle_impl.tracking.curves import check_ending


def measure(config: EvaluationConfig, model, tokenizer) -> tuple[str, dict]:
    """The table to show, and the numbers."""
    options, picture = config.texts, config.classifying.confusion_file
    if picture is not None:
        files.check_place(picture, "--confusion_file")
        check_ending(Path(picture))
    columns = Columns(options.text_column, options.label_column, options.header,
                      options.legacy_quoting)
    classifier = TextClassifier(model, tokenizer)
    tested = LabelledExamples(config.classifying.classify, columns, classifier.labels)
    trained = None if options.train_texts is None else LabelledExamples(
        options.train_texts, columns, classifier.labels)
    own = softmax(classifier.logits([classifier.ids(text) for text in tested.texts]))
    of_class = np.maximum(own[np.arange(len(tested)), tested.classes], np.finfo(float).tiny)
    predicted = own.argmax(axis=1)
    counts = _counts(tested.classes, predicted, len(classifier.labels))
    numbers = {
        "file": str(tested.path), "texts": len(tested), "loss": float(-np.log(of_class).mean()),
        "accuracy": accuracy(counts), "macro_f1": macro_f1(counts),
        "labels": list(classifier.labels), "confusion": counts.tolist(), "f1": [
            None if np.isnan(score) else float(score) for score in f1_scores(counts)],
    }
    rows = [_row("this classifier", predicted, tested.classes)]
    notes = ["the accuracy on texts that are not trained on needs --train_texts"]
    if trained is not None:
        unseen = ~tested.standing_in(trained.texts)
        rows[0] = _row("this classifier", predicted, tested.classes, unseen)
        numbers |= {"in_training": int((~unseen).sum()), "unseen": int(unseen.sum()),
                    "accuracy_unseen": rows[0][-1]}
        notes = [f"{(~unseen).sum():,} of the {len(tested):,} texts stand in {trained.path}, to "
                 f"the letter; {unseen.sum():,} do not"]
        try:
            rows.append(_row("TF-IDF, logistic regression", _tf_idf(trained, tested),
                             tested.classes, unseen))
            numbers["tf_idf"] = dict(zip(("accuracy", "macro_f1", "accuracy_unseen"),
                                         rows[1][1:], strict=True))
        except ImportError:
            notes.append("TF-IDF with logistic regression: not computed, needs scikit-learn")
        except ValueError as error:  # as of texts without any word
            notes.append(f"TF-IDF with logistic regression: not computed, {error}")
    if picture is not None:
        draw_confusion(Path(picture), counts, classifier.labels, tested.path.name)
    return "\n".join([_table(rows), *notes, "", _matrix(counts, classifier.labels)]), numbers


def _counts(classes: np.ndarray, predicted: np.ndarray, labels: int) -> np.ndarray:
    confusion = Confusion(labels)
    confusion.add(classes, predicted)
    return confusion.counts


def _row(name: str, predicted: np.ndarray, classes: np.ndarray, unseen=None) -> list:
    """Name, accuracy, macro F1, and the accuracy where `unseen` holds; None for what there is not.
    """
    counts = _counts(classes, predicted, int(max(classes.max(), predicted.max())) + 1)
    right = None if unseen is None or not unseen.any() else float(
        (predicted == classes)[unseen].mean())
    return [name, accuracy(counts), macro_f1(counts), right]


def _tf_idf(trained: LabelledExamples, tested: LabelledExamples) -> np.ndarray:
    """The classes that a linear model of words tells; ImportError without scikit-learn."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    return model.fit(trained.texts, trained.classes).predict(tested.texts)


def _table(rows: list[list]) -> str:
    lines = [f"{'':<28} {'accuracy':>9} {'macro F1':>9} {'not in training':>16}"]
    for name, right, f1, unseen in rows:
        told = "-" if unseen is None else f"{unseen:.2%}"
        lines.append(f"{name:<28} {right:>9.2%} {f1:>9.4f} {told:>16}")
    return "\n".join(lines)


def _matrix(counts: np.ndarray, labels: tuple[str, ...]) -> str:
    """A row for each class: its F1, and what its texts were taken for, other than nothing."""
    width = max(map(len, labels))
    lines = [f"{'label':<{width}}  {'F1':>6}  taken for"]
    for label, row, score in zip(labels, counts, f1_scores(counts), strict=True):
        taken = ", ".join(f"{other} {count:,}" for other, count in zip(labels, row, strict=True)
                          if count)
        lines.append(f"{label:<{width}}  {score:>6.4f}  {taken or '-'}")
    return "\n".join(lines)
