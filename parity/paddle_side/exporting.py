"""Token ids by an exported model: the folder is written, read again, and run by paddle.inference.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.export import export_model, files
from paddle_impl.export.running import continue_prompts
from parity.cases import Case
from parity.cases import exporting as fixtures
from parity.cases.decoding import points
from parity.compare import Point, Trace
from parity.paddle_side import weights


def ids(case: Case, dtype: str) -> Trace:
    """The ids of each continuation, and the tokens that end one by what the folder says."""
    declared = case.config.with_(generation_config={"eos_token_id": list(fixtures.ENDS)})
    trace: Trace = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "exported"
        model = weights.build(replace(case, config=declared), dtype)
        export_model(model, Tokenizer.byte_level(), directory)
        export = files.read(directory)
        trace[Point(0, "chosen ids", "end tokens")] = np.array(export.end_tokens)
        trace[Point(0, "chosen ids", "vocabulary")] = np.array([export.vocab_size])
        for name, decoding in fixtures.SETTINGS.items():
            found = continue_prompts(directory, export, fixtures.PROMPTS, decoding, _drawn)
            for number, own in enumerate(found):
                trace |= points(f"{name}, prompt {number}", [one.token_ids for one in own],
                                [one.finish_reason == "eos" for one in own], None)
    return trace


def _drawn(number: int):
    return lambda step, sequences: fixtures.draws(number)[step, :sequences]
