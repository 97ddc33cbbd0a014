"""The flags of create_e2e_data and decode_e2e. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from data_tools.options import Options, flag, require

TOKENIZER = "folder with tokenizer.json or vocab.json + merges.txt"


@dataclass(frozen=True, kw_only=True)
class E2EDataConfig(Options):
    """ValueError, which names the flag, for what makes no sense."""

    input_path: str = flag(help="pairs of meaning representation and text: lines mr||text, a .csv "
                                "with the columns mr and ref, or a .jsonl with context and "
                                "completion", aliases=("--input",))
    output_file: str = flag(help="X.jsonl: ids of context and completion, and texts; beside it "
                                 "X_formatted.jsonl with the texts only, and tokenizer/",
                            aliases=("--output",))
    tokenizer: str = flag(help=TOKENIZER, aliases=("--vocab",))
    add_bos: bool = flag(True, "end each context with the end token, where the completion begins")
    add_eos: bool = flag(True, "end each completion with the end token")

    def __post_init__(self):
        require(self.output_file.endswith(".jsonl"),
                f"--output_file {self.output_file}: expected a name that ends in .jsonl")


@dataclass(frozen=True, kw_only=True)
class DecodeConfig(Options):
    """ValueError, which names the flag, for what makes no sense."""

    sample_file: str = flag(help='predictions, JSON lines: {"id": number of the pair, from 0, or '
                                 '"context": its text, "predict": ids or text}')
    input_file: str = flag(help="the pairs that were predicted for, as --input_path of "
                                "create_e2e_data, or its X_formatted.jsonl")
    tokenizer: str | None = flag(None, f"{TOKENIZER}; for predictions that are ids",
                                 aliases=("--vocab",))
    output_ref_file: str | None = flag(
        None, "references, one a line, blank lines between meaning representations (default: "
        "SAMPLE_FILE_ref.txt, without its suffix)")
    output_pred_file: str | None = flag(
        None, "predictions, one a line (default: SAMPLE_FILE_pred.txt, without its suffix)")
    tokenize: bool = flag(False, "put spaces around punctuation in both files")
    lower: bool = flag(False, "write both files in lower case")
    overwrite: bool = flag(False, "replace output files that are there")
