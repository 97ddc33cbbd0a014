"""Source trees, and the command run in this process."""

import json

import pytest

from data_tools import create_completion_data as command
from data_tools.tokenizing.tokenizer import Tokenizer

FLAGS = ("--segment_len", 40, "--stride", 15, "--min_segment_len", 8, "--quiet")


@pytest.fixture
def tree(tmp_path):
    """20 Python files of different lengths in two folders, 6 Java files in another."""
    for i in range(20):
        file = tmp_path / ("cve" if i % 4 == 0 else "src") / f"m{i}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"def add_{i}(a, b):\n    return a + b + {i}  # é\n" * (1 + 3 * i))
    for i in range(6):
        file = tmp_path / "jv" / f"M{i}.java"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"class M{i} {{ int add(int a) {{ return a + {i}; }} }}\n" * (4 + i))
    return tmp_path


@pytest.fixture
def given(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "given")
    return tmp_path / "given"


@pytest.fixture
def make(in_process, tree, given):  # in_process restores the settings of the process
    """Run the command on the tree's folders into NAME; its exit code, or what it wrote."""

    def run(name, *flags, inputs=("src", "cve", "jv"), more=FLAGS):
        code = command.main([str(part) for part in (
            "--input_path", *(tree / folder for folder in inputs), "--output_dir", tree / name,
            "--tokenizer", given, *more, *flags)])
        return Dataset(tree / name) if code == 0 else code

    return run


class Dataset:
    def __init__(self, folder):
        self.folder = folder / "json"
        self.train, self.dev = (
            [json.loads(line) for line in (self.folder / f"{name}.jsonl").open()]
            for name in ("train", "dev"))
        self.meta = json.loads((self.folder / "meta.json").read_text())
        self.tokenizer = Tokenizer.load(self.folder / "tokenizer")

    def bytes(self):
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
