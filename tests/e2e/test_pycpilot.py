"""scripts/pycpilot.sh on a few files of this machine's own code, scaled down by its flags."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from data_tools.token_files.token_file import TokenFile
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint

ROOT = Path(__file__).resolve().parents[2]
FIVE_FILES = {"merges.txt", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json",
              "vocab.json"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, str]:
    """The folder of data and run, and what the script said."""
    place = tmp_path_factory.mktemp("pycpilot")
    done = run(place, "--split", "75,25,0", EPOCHS="2", MAX_FILES="6")
    assert done.returncode == 0, done.stdout + done.stderr
    return place, done.stdout


def run(place: Path, *words, **variables) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", ROOT / "scripts/pycpilot.sh", *words, "--model_name_or_path", "code-mini",
         "--max_seq_len", "64", "--micro_batch_size", "16", "--max_lr", "0.001", "--warmup_steps",
         "2", "--output_dir", place / "run", "--max_dec_len", "8",
         "--peak_tflops", "1", "--report_to", "none", "--device", "cpu"],
        capture_output=True, text=True, timeout=290, check=False, cwd=place,
        env=os.environ | {"DATA": str(place), "VOCAB_SIZE": "400"} | variables)


def test_the_held_out_loss_falls_from_epoch_to_epoch(trained):
    place, said = trained
    records = map(json.loads, (place / "run" / "metrics.jsonl").read_text().splitlines())
    valid = {record["step"]: record["valid_loss"] for record in records if "valid_loss" in record}
    (first, before), (last, after) = valid.items()
    assert last == 2 * first and f"an epoch has {first} steps of 16 samples" in said
    assert after < before - 0.05 and before < 6.0  # log 400
    assert sorted(checkpoint.checkpoints(place / "run")) == [first, last]


def test_the_model_has_the_vocabulary_and_the_context_of_the_data(trained):
    """n_ctx alone would leave GPT-2's positions as they are."""
    for path in checkpoint.checkpoints(trained[0] / "run").values():
        told = json.loads((path / "config.json").read_text())
        assert told["vocab_size"] == 400 and told["n_ctx"] == told["n_positions"] == 64
        assert told["eos_token_id"] == told["bos_token_id"] == 0


def test_its_steps_are_shown(trained):
    place, said = trained
    for name in ("REPO_NAME: ", "PATH: ", "COPIES: 1", "SIZE: ", "LICENSE: ", "CONTENT:"):
        assert f"\n{name}" in said
    assert {path.name for path in (place / "code_tokenizer").iterdir()} == FIVE_FILES
    assert "GPT-2's tokenizer is not shown" in said and "code_tokenizer (400 tokens) makes" in said
    assert "chunk lengths: [64, " in said and "chunk mapping: [0, " in said
    for epoch in checkpoint.checkpoints(place / "run"):
        assert f"global step {epoch}, completions: 'class MLP(nn.Module):'" in said
        assert len(json.loads((place / "run" / f"minitest_{epoch}.json").read_text())["answers"])
    assert "def fibonacci" in (place / "run" / "completions.txt").read_text()


def written(path: Path, *imports: str) -> Path:
    path.write_text("".join(
        json.dumps({"path": f"{number}.py", "content": f"import {name}\nrow_{number} = {name}\n"})
        + "\n" for number, name in enumerate(imports)))
    return path


def test_validation_records_of_their_own_and_keywords(tmp_path):
    """Paths are relative to the caller's folder."""
    written(tmp_path / "train.jsonl", *["pandas", "sklearn", "os"] * 20)
    written(tmp_path / "valid.jsonl", *["os", "pandas"] * 5)
    done = run(tmp_path, "train.jsonl", EPOCHS="1", VALID="valid.jsonl", KEYWORDS="pandas sklearn")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--split 40,5,0 keeps them apart" in done.stdout
    data = TokenFile.open(tmp_path / "code")
    tokenizer = Tokenizer.load(tmp_path / "code_tokenizer")
    texts = [tokenizer.decode(data.document(index)) for index in range(len(data))]
    assert texts[40:] == [f"import pandas\nrow_{number} = pandas\n" for number in range(1, 10, 2)]
    assert len(texts) == 45 and not any("import os" in text for text in texts)
    flags = json.loads((tmp_path / "run" / "hyperparams.json").read_text())
    assert flags["split"] == "40,5,0"
    assert "valid_loss" in (tmp_path / "run" / "metrics.jsonl").read_text()


def test_a_split_beside_validation_records_is_refused(tmp_path):
    written(tmp_path / "a.jsonl", "os")
    done = run(tmp_path, "a.jsonl", "--split", "90,5,5", VALID="a.jsonl")
    assert done.returncode == 2 and "VALID names the validation data" in done.stderr
