"""The corpus's sample that a tokenizer is trained on, and what is told of it."""

import re

import pytest

from data_tools.preparing import inputs
from data_tools.token_files.token_file import TokenFile


def test_the_sample_grows_until_the_vocabulary_is_learnt(
    source_tree, tmp_path, in_process, capsys, monkeypatch
):
    """And no further: a sample that was enough at once gives the merges that it always gave."""
    monkeypatch.setattr(inputs, "SAMPLE_MB", 0.0004)
    arguments = ("--input_path", source_tree, "--output_prefix", tmp_path / "x")
    sizes = []
    for vocab_size in (258, 310):
        assert in_process(*arguments, "--vocab_size", vocab_size) == 0
        told = capsys.readouterr()
        assert f"vocabulary: {vocab_size}" in told.out and "warning" not in told.err
        sizes.append(int(re.search(r"from (\d+) documents", told.err).group(1)))
    assert sizes[0] < sizes[1]
    monkeypatch.setattr(inputs, "MOST_SAMPLE_MB", 0.0004)
    assert in_process(*arguments, "--vocab_size", 2000, "--quiet") == 0
    assert re.search(r"warning: 2,000 tokens were asked for \(--vocab_size\), \d+ were learnt: in "
                     r"the sample of .* larger --tokenizer_sample_mb", capsys.readouterr().err)


@pytest.mark.parametrize("flags", [(), ("--tokenizer_sample_mb", "5")])
def test_a_vocabulary_that_the_corpus_does_not_hold_is_told(
    source_tree, tmp_path, in_process, capsys, flags
):
    assert in_process("--input_path", source_tree, "--output_prefix", tmp_path / "x", "--quiet",
                      "--vocab_size", 5000, *flags) == 0
    told, learnt = capsys.readouterr().err, TokenFile.open(tmp_path / "x").meta["vocab_size"]
    assert learnt < 5000
    assert (f"warning: 5,000 tokens were asked for (--vocab_size), {learnt} were learnt: in the "
            "corpus of 20 documents") in told and "no other pair of tokens occurs twice" in told


def test_a_document_that_is_too_long_is_named(source_tree, tmp_path, in_process):
    (source_tree / "long.py").write_text("x = 1\n" * 1000)
    assert in_process("--input_path", source_tree, "--output_prefix", tmp_path / "x", "--quiet",
                      "--tokenizer", "bytes", "--max_document_bytes", 5999) == 0
    named = (tmp_path / "x_skipped.jsonl").read_text()
    assert '/long.py", "reason": "longer than --max_document_bytes"}' in named
    assert TokenFile.open(tmp_path / "x").meta["source"]["max_document_bytes"] == 5999
