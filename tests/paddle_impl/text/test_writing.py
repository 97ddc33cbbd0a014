"""When text is shown token by token."""

import sys

import pytest

from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.prompts import PromptOptions
from paddle_impl.text.writing import streams


@pytest.mark.parametrize(("terminal", "output_file", "decoding", "expected"), [
    (True, None, {}, True), (True, "f", {}, True), (False, None, {}, False),
    (True, "-", {}, False), (True, None, {"num_return_sequences": 2}, False),
    (True, None, {"decode_strategy": "beam_search", "num_beams": 2}, False),
])
def test_a_terminal_and_a_single_text_stream(
    monkeypatch, terminal, output_file, decoding, expected
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    options = DecodingOptions(**decoding)
    assert streams(PromptOptions(), output_file, options) is expected
    for asked in (True, False):
        assert streams(PromptOptions(stream=asked), output_file, options) is asked
