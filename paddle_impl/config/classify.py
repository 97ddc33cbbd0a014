"""Flags of texts with labels, and of what run_evaluation.py --classify measures on them."""

from dataclasses import dataclass

from paddle_impl.config.options import Options, flag


@dataclass(frozen=True, kw_only=True)
class TextsOptions(Options):
    """Flags of files of texts with labels: .csv, .tsv or .jsonl, see data_tools."""

    train_texts: str | None = flag(
        None, "texts with labels that are trained on: .csv, .tsv (tabs; .txt too) or .jsonl")
    text_column: str | None = flag(
        None, "name of the column or field with the text, or its number from 1 (default: text, or "
        "of two columns without a header the second)")
    label_column: str | None = flag(None, "the same of the label (default: label, or the first)")
    header: bool | None = flag(None, "whether the first line of a table has the columns' names "
                               "(default: told by the names)")
    legacy_quoting: bool = flag(False, "read quotation marks of a file with tabs as pandas does by "
                                "default, so that one that is alone swallows lines")


@dataclass(frozen=True, kw_only=True)
class ClassifyOptions(Options):
    classify: str | None = flag(
        None, "measure a classifier on texts with labels, .csv, .tsv or .jsonl: accuracy, macro F1 "
        "and the confusion matrix; with --train_texts also on the texts that are not among those, "
        "beside TF-IDF with logistic regression")
    confusion_file: str | None = flag(
        None, "with --classify: the confusion matrix as a picture, .png or .svg")
