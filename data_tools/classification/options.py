"""The flags of create_classification_data. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from data_tools.options import Options, flag, require


@dataclass(frozen=True, kw_only=True)
class ClassificationDataConfig(Options):
    """ValueError, which names the flag, for what makes no sense."""

    input_path: str = flag(help="texts with a label each: .csv, .tsv (tabs; .txt too) or .jsonl",
                           aliases=("--input",))
    output_dir: str = flag(help="folder for train.csv, validation.csv and test.csv, with the "
                                "columns Label and Text, and labels.json, the names of the labels")
    text_column: str | None = flag(
        None, "name of the column or field with the text, or its number from 1 (default: text, or "
        "of two columns without a header the second)")
    label_column: str | None = flag(None, "the same of the label (default: label, or the first)")
    header: bool | None = flag(None, "whether the first line of a table has the columns' names "
                               "(default: told by the names)")
    legacy_quoting: bool = flag(False, "read quotation marks of a file with tabs as pandas does by "
                                "default, so that one that is alone swallows lines")
    balance: str = flag("undersample", "undersample: as many texts of each label as there are of "
                        "the rarest; none: all of them", choices=("undersample", "none"))
    split: str = flag("0.7,0.1,0.2", "shares of train, validation and test")
    seed: int = flag(123, "seed of what is drawn and of the order, as random_state of pandas")

    def __post_init__(self):
        self.shares  # noqa: B018  checks its flag
        require(0 <= self.seed < 2**32, f"--seed must be from 0 to 2^32 - 1, got {self.seed}")

    @property
    def shares(self) -> list[float]:
        """The three shares, of which the sum is 1."""
        try:
            shares = [float(part) for part in self.split.replace("/", ",").split(",")]
        except ValueError:
            shares = []
        require(len(shares) == 3 and min(shares) >= 0 and 0 < sum(shares) < float("inf"),
                f"--split takes three shares such as 0.7,0.1,0.2, got {self.split!r}")
        total = sum(shares)
        return shares if abs(total - 1.0) < 1e-9 else [share / total for share in shares]
