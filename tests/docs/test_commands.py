"""Every block of the pages that is marked as runnable is run, in order, with small numbers."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, Block, blocks

INFOS = {"", "bash", "bash run", "python"}
RUN = {"bash run", "python"}
# Flags that make a command small; the later ones of a command line win.
SMALLER = {
    "scripts/run.sh": "--max_steps 3 --save_steps 3 --eval_freq 3 --eval_iters 1 --max_seq_len 32 "
                      "--micro_batch_size 2 --split 80,15,5",
    "scripts/process_data.sh": "--input_path source --vocab_size 300",
    "data_tools.create_completion_data": "--input_path source --languages python",
    "run_finetune.py": "--max_seq_length 32 --per_gpu_train_batch_size 64",
    "run_pretrain.py": "--eval_iters 1 --split 80,15,5",
    "scripts/run_generate.sh": "--max_dec_len 4",
    "run_generation.py": "--max_dec_len 4",
    "scripts/run_exported.py": "--max_dec_len 4",
    "scripts/sweep.py": "--total 2 --set max_steps=1 max_seq_len=32 micro_batch_size=2 "
                        "eval_iters=1 split=80,15,5",
}
COUNTED = "max_steps|decay_steps|save_steps|eval_freq"
STEPS = 500  # steps are divided by it: model_1500 is the third step's
# What a page begins with: the README before the first run, data.md before the first dataset.
BEGINS_WITHOUT = {"README.md": ["output"], "data.md": ["output", "data_tools/code_python_*"]}


def smaller(text: str) -> str:
    """The same with fewer steps, shorter samples and fewer of them, flags or keywords."""
    def fewer(match: re.Match) -> str:
        steps = int(match[2])
        return match[1] + str(max(1, steps // STEPS) if steps else 0)

    text = re.sub(rf"((?:{COUNTED})[ =]|model_)(\d+)\b", fewer, text)
    text = re.sub(r"(max_seq_len[ =])\d+", r"\g<1>32", text)
    return re.sub(r"(micro_batch_size[ =])\d+", r"\g<1>2", text)


def shell(text: str) -> str:
    """The block's lines, each with the flags that SMALLER has for its command."""
    lines = ["set -euo pipefail"]
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        line = re.sub(r"\s+#\s.*$", "", line)
        flags = [more for name, more in SMALLER.items() if re.search(rf"(^| ){name}( |$)", line)]
        lines.append(" ".join([smaller(line), *([] if "--export" in line else flags)]))
    return "\n".join(lines)


def run(block: Block, project: Path) -> subprocess.CompletedProcess:
    """Run the block; AssertionError with its output where its exit code is not 0."""
    if block.info == "python":
        command = [".venv/bin/python", "-c", smaller(block.text)]
    else:
        command = ["bash", "-c", shell(block.text)]
    process = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300,
                             check=False)
    assert process.returncode == 0, (
        f"{block.place} exits with {process.returncode}\n{command[-1]}\n"
        f"{process.stdout[-2000:]}{process.stderr[-2000:]}")
    return process


def runnable(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.info in RUN]


# Those of README.md always, those of the other pages with test.sh --all.
@pytest.mark.parametrize("page", [
    pytest.param(page, marks=[] if page.name == "README.md" else pytest.mark.exhaustive)
    for page in PAGES if runnable(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_run(page, project):
    for pattern in BEGINS_WITHOUT.get(page.name, []):
        for path in project.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    said = [run(block, project).stdout for block in runnable(page)]
    if page.name == "README.md":
        check_first_run(said[0], project)


def check_first_run(said: str, project: Path) -> None:
    """What `bash scripts/run.sh` tells and leaves."""
    assert "valid_loss:" in said and "bits per byte" in said and "gzip -9" in said
    assert said.count("GENERATED SEQUENCE") == 3
    assert "output/model_3" in said and "output/metrics.jsonl" in said
    assert json.loads((project / "output/evaluation.json").read_text())["bits_per_byte"] > 0


def test_blocks_say_what_they_are():
    """`bash run` is run; another word would not be, without anybody noticing."""
    found = [block for page in PAGES for block in blocks(page)]
    assert not [block.place for block in found if block.info not in INFOS]
    by_page = {page.name: len(runnable(page)) for page in PAGES}
    assert by_page["README.md"] >= 3
    assert sum(by_page.values()) >= 14


def test_the_table_has_commands_that_are_used():
    text = "\n".join(block.text for page in PAGES for block in runnable(page))
    assert [name for name in SMALLER if name not in text] == []


def test_a_block_becomes_small():
    text = ("python -u run_pretrain.py --max_steps 1500 --decay_steps 0 \\\n"
            "    --max_seq_len 256 --micro_batch_size 8   # a comment\n"
            "run_generation.py --model_name_or_path output/model_1500 --export out")
    assert shell(text).splitlines() == [
        "set -euo pipefail",
        "python -u run_pretrain.py --max_steps 3 --decay_steps 0 --max_seq_len 32 "
        "--micro_batch_size 2 --eval_iters 1 --split 80,15,5",
        "run_generation.py --model_name_or_path output/model_3 --export out",
    ]
    assert smaller("pretrain(max_steps=100, max_seq_len=256)") == (
        "pretrain(max_steps=1, max_seq_len=32)")


@pytest.mark.parametrize(("info", "text"), [
    ("bash run", "false\ntrue"), ("bash run", "true\nexit 3"), ("python", "raise SystemExit(1)"),
])
def test_a_block_that_fails_is_seen(info, text, tmp_path):
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    with pytest.raises(AssertionError, match="page.md:7 exits with"):
        run(Block(Path("page.md"), 7, info, text), tmp_path)
