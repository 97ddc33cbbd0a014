"""The command with GPTChineseTokenizer: worker processes, and characters not in the vocabulary."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_tools.token_files.token_file import TokenFile

REPO = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A SentencePiece model of a few words, its end token among them."""
    sentencepiece, written = pytest.importorskip("sentencepiece"), io.BytesIO()
    lines = ["\u2582 \u2583 ab abc b c", "\u4f60 \u597d \u4f60\u597d", "def x 1 2 eod"]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines * 20), model_writer=written, vocab_size=320,
        hard_vocab_limit=False, minloglevel=3, user_defined_symbols=["<eod>"],
    )
    path = tmp_path_factory.mktemp("model") / "tiny.model"
    path.write_bytes(written.getvalue())
    return path


def run(model, corpus, prefix, *flags):
    command = [sys.executable, "-m", "data_tools.create_pretraining_data", "--input_path", corpus,
               "--tokenizer_name", "GPTChineseTokenizer", "--tokenizer", model, "--suffixes", "txt",
               "--output_prefix", prefix, "--quiet", *flags]
    return subprocess.run(list(map(str, command)), cwd=REPO, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(REPO)}, check=False)


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(6):
        (folder / f"{i}.txt").write_text("ab abc \u4f60\u597d\nb c 1 2\n" * (i + 1))
    (folder / "nothing.txt").write_text("\u200b" * 40)
    return folder


def test_worker_processes_give_the_same_files(model, corpus, tmp_path):
    for workers in (1, 2):
        result = run(model, corpus, tmp_path / str(workers) / "x", "--workers", workers,
                     "--cn_splited")
        assert result.returncode == 0, result.stderr
    one, two = (np.load(tmp_path / str(workers) / "x_ids.npy") for workers in (1, 2))
    assert one.tolist() == two.tolist()
    data = TokenFile.open(tmp_path / "2" / "x")
    assert data.ids[-1] == data.meta["eos_token_id"] and len(data) + len(
        data.meta["source"]["skipped"]) == 7


def test_a_text_of_which_no_token_is_known_does_not_end_the_run(model, corpus, tmp_path):
    result = run(model, corpus, tmp_path / "x", "--workers", 1, "--cn_splited", "--no-append_eos")
    assert result.returncode == 0, result.stderr
    assert len(TokenFile.open(tmp_path / "x")) == 6


def test_a_missing_segmenter_is_one_line_at_once(model, corpus, tmp_path):
    result = run(model, corpus, tmp_path / "x", "--cn_seg_func", "lac")
    assert result.returncode == 2 and not list(tmp_path.glob("x*"))
    assert result.stderr == "error: the segmenter lac is the package LAC: pip install LAC\n"
