"""The commands run in this process, and the shared E2E files."""

import os

import pytest

from data_tools import create_e2e_data, decode_e2e


@pytest.fixture
def make(in_process, tmp_path, tokenizer):
    """Run create_e2e_data on a file's content; its exit code."""
    tokenizer.save(tmp_path / "tok")

    def run(content: bytes | str, *flags, name="pairs.txt"):
        source = tmp_path / name
        source.write_bytes(content if isinstance(content, bytes) else content.encode())
        return create_e2e_data.main([str(part) for part in (
            "--input_path", source, "--output_file", tmp_path / "out" / "x.jsonl",
            "--tokenizer", tmp_path / "tok", *flags)])

    return run


@pytest.fixture
def decode(in_process, tmp_path):
    """Run decode_e2e; its exit code."""

    def run(samples: str, pairs: str, *flags):
        (tmp_path / "beam.jsonl").write_text(samples, encoding="utf-8")
        (tmp_path / "pairs.jsonl").write_text(pairs, encoding="utf-8")
        return decode_e2e.main([str(part) for part in (
            "--sample_file", tmp_path / "beam.jsonl", "--input_file", tmp_path / "pairs.jsonl",
            *flags)])

    return run


@pytest.fixture(scope="session")
def e2e_dir(gpt2_dir):
    folder = gpt2_dir.parent / "e2e"
    if not folder.is_dir():
        pytest.skip(f"the E2E data is not in {folder.parent}; set GPT_SHARED_DATA")
    return os.fspath(folder)
