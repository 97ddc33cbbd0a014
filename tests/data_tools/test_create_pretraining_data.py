"""The command as a user runs it: it writes token files, or ends with one line that says why not."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from data_tools.preparing import batches
from data_tools.token_files.token_file import TokenFile
from data_tools.tokenizing.tokenizer import END_OF_TEXT, Tokenizer

REPO = Path(__file__).parents[2]


def run(*arguments, **kwargs):
    command = [sys.executable, "-m", "data_tools.create_pretraining_data", *map(str, arguments)]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, **kwargs)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_whole_journey(source_tree, tmp_path):
    (source_tree / "app" / "marker.py").write_text(f"END = '{END_OF_TEXT}'  # only text here\n")
    prefix = tmp_path / "out" / "code"
    result = run("--input_path", source_tree, "--output_prefix", prefix, "--vocab_size", 320)
    assert result.returncode == 0, result.stderr

    data = TokenFile.open(prefix)
    tokenizer = Tokenizer.load(tmp_path / "out" / data.meta["tokenizer"])
    expected = {p.read_bytes() for p in source_tree.rglob("mod*.py")}
    expected.add((source_tree / "app" / "marker.py").read_bytes())
    decoded = [tokenizer.decode_bytes(data.document(i)) for i in range(len(data))]
    assert set(decoded) == expected and len(decoded) == 21
    for i in range(len(data)):
        assert (data.document(i) == tokenizer.eos_token_id).nonzero()[0].tolist() == [
            len(data.document(i)) - 1
        ]

    size = sum(map(len, expected))
    assert data.meta["utf8_bytes"] == size
    assert data.meta["source"]["skipped"] == {"not UTF-8": 1, "binary": 1, "too short": 2}
    assert (data.meta["append_eos"], data.meta["eos_token_id"], data.meta["seed"]) == (
        True,
        0,
        1234,
    )
    tokens = len(data.ids)
    for line in (
        f"documents: 21  sentences: 21  tokens: {tokens:,}",
        f"bytes: {size:,}  vocabulary: 320",
        f"tokens/document: {tokens / 21:.1f}  bytes/token: {size / tokens:.3f}",
        "skipped, binary: 1 (such as ",
        "skipped, not UTF-8: 1 (such as ",
        "skipped, too short: 2 (such as ",
        f"named in {prefix}_skipped.jsonl",
    ):
        assert line in result.stdout
    assert re.search(
        r"encoding: [\d.]+ s, [\d.]+ MB/s, \d+% of it in fastokens [\d.]+  total: .* "
        r"peak memory: \d+ MiB", result.stdout
    )


def test_two_runs_give_the_same_bytes_and_the_seed_another_order(source_tree, tmp_path):
    for name, *more in (("a", "--workers", 1), ("b", "--workers", 2), ("c", "--seed", 5)):
        folder = tmp_path / name
        arguments = ("--input_path", source_tree, "--output_prefix", folder / "x")
        assert run(*arguments, "--vocab_size", 300, "--quiet", *more).returncode == 0
    a, b, c = ([*contents(tmp_path / name).values()] for name in "abc")
    assert a == b
    assert np.load(tmp_path / "a" / "x_ids.npy").tolist() != np.load(
        tmp_path / "c" / "x_ids.npy").tolist() and c


def test_progress_and_quiet(source_tree, tmp_path):
    arguments = ("--input_path", source_tree, "--output_prefix", tmp_path / "x")
    loud = run(*arguments, "--vocab_size", 300, "--log_interval", 10)
    assert "20 documents, 0.0 MB" in loud.stderr and "tokenizer: 300 tokens" in loud.stderr
    quiet = run(*arguments, "--vocab_size", 300, "--quiet")
    assert quiet.stderr == "" and "documents: 20" in quiet.stdout


def test_a_given_tokenizer_is_used_in_either_form(source_tree, tokenizer, tmp_path, in_process):
    tokenizer.save(tmp_path / "t")
    pair = "--vocab_file", tmp_path / "t" / "vocab.json", "--merge_file", tmp_path / "t/merges.txt"
    for given in (("--tokenizer", tmp_path / "t"), pair):
        prefix = tmp_path / "x"
        arguments = ("--input_path", source_tree, "--output_prefix", prefix, "--workers", 3)
        assert in_process(*arguments, *given) == 0
        assert os.environ["RAYON_NUM_THREADS"] == "3"
        assert TokenFile.open(prefix).meta["tokenizer_fingerprint"] == tokenizer.fingerprint()


def test_blank_line_mode_makes_a_document_of_each_block(tmp_path, tokenizer, in_process):
    tokenizer.save(tmp_path / "t")
    (tmp_path / "a.py").write_text("first = 'block'\n    more\n\n \n    second = 'block'\n")
    arguments = ("--input_path", tmp_path / "a.py", "--output_prefix", tmp_path / "x")
    assert in_process(*arguments, "--tokenizer", tmp_path / "t", "--doc_mode", "blank_line") == 0
    data = TokenFile.open(tmp_path / "x")
    decoded = [tokenizer.decode(data.document(i)) for i in range(len(data))]
    assert decoded == ["first = 'block'\n    more\n", "    second = 'block'\n"]


def test_options_reach_the_reader(tmp_path, tokenizer, in_process):
    tokenizer.save(tmp_path / "t")
    (tmp_path / "a.jsonl").write_text('{"code": "one two\\n---\\nthree four"}\n')
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.jsonl", "five_six.RS")
    arguments = ("--input_path", tmp_path / "a.jsonl", tmp_path / "b.tar.gz", "--json_key", "code")
    cut = ("--doc_mode", "separator", "--separator=---", "--min_doc_length", 3)
    output = ("--output_prefix", tmp_path / "x", "--tokenizer", tmp_path / "t", "--no-shuffle")
    assert in_process(*arguments, *cut, *output, "--suffixes", "rs") == 0
    data = TokenFile.open(tmp_path / "x")
    decoded = [tokenizer.decode(data.document(i)) for i in range(len(data))]
    assert decoded == ["one two\n", "three four", (tmp_path / "a.jsonl").read_text()]


def test_leaving_out_the_end_token_is_warned_about(source_tree, tmp_path, in_process, capsys):
    arguments = ("--input_path", source_tree, "--output_prefix", tmp_path / "x")
    assert in_process(*arguments, "--vocab_size", 300, "--no-append_eos", "--quiet") == 0
    assert "warning: --no-append_eos glues documents together" in capsys.readouterr().err
    data = TokenFile.open(tmp_path / "x")
    assert 0 not in data.ids and data.meta["append_eos"] is False


def test_without_inputs_the_default_corpus_is_read(tmp_path, in_process, monkeypatch, source_tree):
    from data_tools.reading import default_corpus

    (source_tree / "site-packages").mkdir()
    (source_tree / "site-packages" / "foreign.py").write_text("somebody = 'else wrote this'\n")
    monkeypatch.setattr(default_corpus, "default_corpus_paths", lambda: [source_tree])
    assert in_process("--output_prefix", tmp_path / "x", "--tokenizer_sample_mb", "0.001") == 0
    data = TokenFile.open(tmp_path / "x")
    assert len(data) == 20 and data.meta["source"]["input_path"] == [str(source_tree)]


def test_the_tokenizer_sample_is_limited(source_tree, tmp_path, in_process, capsys):
    arguments = ("--input_path", source_tree, "--output_prefix", tmp_path / "x")
    assert in_process(*arguments, "--vocab_size", 300, "--tokenizer_sample_mb", "0.0001") == 0
    sampled = int(re.search(r"from (\d+) documents", capsys.readouterr().err).group(1))
    assert 1 <= sampled < 5


BAD = [
    (["--input_path", "/gone"], "does not exist"),
    (["--input_path", "{src}", "--suffixes", ".rs"], "no documents in .*--suffixes changes that"),
    (["--input_path", "{src}/binary.py"], "no documents in .*skipped, binary: 1"),
    (["--input_path", "{src}", "--tokenizer", "/gone"], "no tokenizer at /gone"),
    (["--input_path", "{src}", "--output_prefix", "{out}/"], "must end in a name"),
    (
        ["--input_path", "{src}", "--output_prefix", "{src}/tiny.py/x"],
        "File exists|Not a directory",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_is_one_line_and_writes_nothing(
    source_tree, tmp_path, in_process, capsys, arguments, message
):
    out = tmp_path / "out"
    places = {"src": source_tree, "out": out}
    arguments = [argument.format(**places) for argument in arguments]
    if "--output_prefix" not in arguments:
        arguments += ["--output_prefix", out / "x"]
    before = contents(tmp_path)
    code = in_process(*arguments)
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if not line.startswith("tokenizer:")]
    assert code == 2 and captured.out == ""
    assert len(lines) == 1 and re.search(f"^error: .*({message})", lines[0]), captured.err
    assert contents(tmp_path) == before and not out.exists()


def test_errors_leave_the_shell_with_code_2_and_no_traceback():
    result = run("--input_path", "/gone")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "error: input path '/gone' does not exist\n"


@pytest.mark.parametrize(("failure", "code"), [(ValueError("bad"), 2), (KeyboardInterrupt(), 130)])
def test_a_run_that_fails_midway_leaves_the_earlier_files(
    source_tree, tmp_path, in_process, monkeypatch, failure, code
):
    """An interrupted one leaves its beginning too; an error before any checkpoint does not."""
    out = tmp_path / "out"
    arguments = ("--input_path", source_tree, "--output_prefix", out / "x", "--vocab_size", 300)
    assert in_process(*arguments) == 0
    before = contents(out)
    encode, calls = Tokenizer.encode_flat, []

    def fail_at_the_third(self, texts):
        calls.append(len(texts))
        if len(calls) == 3:
            assert (out / "x_partial" / "ids.npy").exists()
            raise failure
        return encode(self, texts)

    monkeypatch.setattr(batches, "BATCH_CHARS", 100)
    monkeypatch.setattr(Tokenizer, "encode_flat", fail_at_the_third)
    assert in_process(*arguments, "--seed", 2) == code
    now = contents(out)
    assert {path: now[path] for path in before} == before
    assert (out / "x_partial").exists() == (code == 130)


def test_batch_size_changes_nothing(source_tree, tmp_path, in_process, monkeypatch):
    arguments = ("--input_path", source_tree, "--vocab_size", 300, "--output_prefix")
    assert in_process(*arguments, tmp_path / "a") == 0
    monkeypatch.setattr(batches, "BATCH_CHARS", 1)
    assert in_process(*arguments, tmp_path / "b") == 0
    a, b = np.load(tmp_path / "a_ids.npy"), np.load(tmp_path / "b_ids.npy")
    assert a.tolist() == b.tolist()


def test_the_files_hash_is_that_of_the_ids_file(source_tree, tmp_path, in_process):
    arguments = ("--input_path", source_tree, "--output_prefix", tmp_path / "x")
    assert in_process(*arguments, "--vocab_size", 300) == 0
    meta = json.loads((tmp_path / "x_meta.json").read_text())
    digest = hashlib.sha256((tmp_path / "x_ids.npy").read_bytes()).hexdigest()
    assert meta["ids_sha256"] == digest


def test_gpt2s_own_vocabulary_gives_its_own_ids(gpt2_dir, tmp_path, in_process):
    snippet = 'def add_numbers(a, b):\n    """Add the two numbers `a` and `b`."""\n    return a + b'
    (tmp_path / "a.py").write_text(snippet)
    given = ("--vocab_file", gpt2_dir / "vocab.json", "--merge_file", gpt2_dir / "merges.txt")
    arguments = ("--input_path", tmp_path / "a.py", "--output_prefix", tmp_path / "x")
    assert in_process(*arguments, *given) == 0
    ids = TokenFile.open(tmp_path / "x").ids
    assert len(ids) == 37 and ids[:5].tolist() == [4299, 751, 62, 77, 17024] and ids[-1] == 50256
