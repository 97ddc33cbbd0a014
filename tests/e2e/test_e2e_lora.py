"""scripts/e2e_lora.sh with two tiny models on a few pairs, on a machine without Java."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.model import GPTForCausalLM, initialize

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("bash", "cat", "cksum", "dirname", "find", "grep", "mkdir", "paste", "realpath", "rm",
         "sed", "sort", "tail", "tee", "tr")
NAMES, FOODS = ("Blue Spice", "The Mill", "Zizzi"), ("Thai", "French", "Indian", "Italian")
PAIRS = [f"name : {name} | food : {food}||{name} serves {food} food .\n"
         for name in NAMES for food in FOODS]
STAGES = ["beam_hf_origin", "beam_before_ft", "decode_hf_origin", "decode_before_ft", "ft_hf", "ft",
          "beam_hf_ft", "beam_after_ft", "decode_hf_ft", "decode_after_ft", "evaluation"]
BEFORE = ["beam_before_ft", "decode_before_ft"]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """The models `own` and `hf`, pairs, and a folder of tools among which there is no Java."""
    folder = tmp_path_factory.mktemp("e2e_lora")
    for name, vocabulary in (("own", 300), ("hf", 320)):
        tokenizer = Tokenizer.train(["".join(PAIRS)] * 20, vocabulary)
        tokenizer.save(folder / name)
        model = GPTForCausalLM(ModelConfig(
            n_layer=1, n_embd=16, n_head=2, vocab_size=tokenizer.vocab_size, n_positions=64,
            bos_token_id=0, eos_token_id=0))
        initialize(model, 0)
        (folder / name / "config.json").write_text(json.dumps(model.config.to_hf()))
        save_file(hugging_face.to_hf(model), folder / name / "model.safetensors",
                  {"format": "pt"})
    for name, pairs in (("train", PAIRS), ("valid", PAIRS[:3]), ("test", [*PAIRS[:4], PAIRS[0]])):
        (folder / f"{name}.txt").write_text("".join(pairs))
    (folder / "bin").mkdir()
    for tool in TOOLS:
        (folder / "bin" / tool).symlink_to(shutil.which(tool))
    return folder


def run(place: Path, *stages: str, **variables: str) -> subprocess.CompletedProcess:
    """The script from the folder of the files, by relative paths."""
    environment = {name: value for name, value in os.environ.items() if name != "HF"}
    return subprocess.run(
        ["bash", ROOT / "scripts/e2e_lora.sh", *stages], cwd=place, capture_output=True, text=True,
        timeout=600, check=False, env=environment | {
            "PATH": str(place / "bin"), "OUT": str(place / "out"), "OWN": "own", "DEVICE": "cpu",
            "TRAIN": "train.txt", "VALID": "valid.txt", "TEST": "test.txt", "EPOCHS": "2",
            "WARMUP": "1", "LR": "0.01", "BEAM": "2", "EVAL_LEN": "8",
            "FT_FLAGS": "--report_to none --peak_tflops 1 --log_interval 1"} | variables)


def results(done: subprocess.CompletedProcess) -> dict[str, list[str]]:
    """Result -> the stages that have it, by the table that the script ends with."""
    table = done.stdout.rpartition("\nstage ")[2].splitlines()[1:]
    assert len(table) == 11
    found: dict[str, list[str]] = {}
    for line in table:
        stage, result = re.fullmatch(r"(\S+) +(.+?)(?: +(?:\d+|-))?", line).groups()
        found.setdefault(result, []).append(stage)
    return found


def files(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {path: (path.stat().st_mtime_ns, path.read_bytes())
            for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def failed(place) -> subprocess.CompletedProcess:
    """Our own model alone; a file is where the merged model is to go."""
    (place / "out").mkdir()
    (place / "out" / "ft_merged").write_text("in the way")
    return run(place)


@pytest.fixture(scope="module")
def finished(failed, place) -> subprocess.CompletedProcess:
    """The same command with the file out of the way, and with the other model."""
    (place / "out" / "ft_merged").unlink()
    return run(place, HF="hf")


def test_a_failure_ends_the_run_and_the_table_tells_where(failed):
    assert failed.returncode == 2 and "ft_merged is there already" in failed.stderr
    assert results(failed) == {
        "left out without HF": [stage for stage in STAGES if "hf" in stage], "done": BEFORE,
        "failed": ["ft"], "not reached": ["beam_after_ft", "decode_after_ft", "evaluation"]}


def test_the_next_run_does_what_is_left(finished, place):
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert results(finished) == {
        "skipped, done before": BEFORE,
        "done": [stage for stage in STAGES if stage not in BEFORE]}
    for tokens, stage in ((300, "ft"), (320, "ft_hf")):
        assert json.loads((place / "out" / f"{stage}_merged" / "config.json").read_text())[
            "vocab_size"] <= tokens
        told = json.loads((place / "out" / stage / "model_4" / "adapter_config.json").read_text())
        assert (told["r"], told["lora_alpha"], told["lora_dropout"]) == (8, 64, 0.1)  # q and v


def test_every_model_and_stage_has_its_texts_in_the_table(finished, place):
    lines = (place / "out" / "evaluation.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[0] for row in cells] == ["system", "---", "hf_origin", "hf_ft", "before_ft",
                                         "after_ft", "echo", "template", "human"]
    assert cells[0][1:] == ["BLEU", "NIST", "METEOR", "ROUGE_L", "CIDEr"]
    assert all(row[3] == "not computed: needs Java" for row in cells[2:])
    for name in ("hf_origin", "hf_ft", "before_ft", "after_ft"):
        texts = (place / "out" / f"decode_{name}_pred.txt").read_text().splitlines()
        assert len(texts) == 4
        searched = (place / "out" / f"beam_{name}.jsonl").read_text().splitlines()
        assert [len(json.loads(line)["predict"]) <= 8 for line in searched] == [True] * 4
    numbers = json.loads((place / "out" / "evaluation.json").read_text())["rows"]
    assert f"{numbers[5]['BLEU']:.4f}" == cells[7][1]


def test_a_third_run_skips_everything(finished, place):
    before = files(place / "out")
    done = run(place, HF="hf")
    assert done.returncode == 0 and files(place / "out") == before
    assert results(done) == {"skipped, done before": STAGES}


@pytest.mark.parametrize(("stages", "variables", "message"), [
    (["ft"], {"LR": "0.02"}, "ft was done with other values"),
    (["beam_after_ft"], {"BEAM": "3"}, "Name another OUT"),
    (["beam_hf_ft"], {}, "beam_hf_ft needs HF, as HF=PATH"),
    (["ft"], {"TRAIN": ""}, "ft needs TRAIN, as TRAIN=PATH"),
    (["ft"], {"TRAIN": "none.txt"}, "TRAIN=none.txt is not there"),
    (["tune"], {}, "no stage tune; there are beam_hf_origin"),
    ([], {"OWN": ""}, "name a checkpoint with OWN=DIR, HF=DIR or both"),
    (["decode_before_ft"], {"OUT": "other"}, "needs what beam_before_ft makes"),
    (["beam_after_ft"], {"OUT": "other"}, "needs what ft makes"),
    (["evaluation"], {"OUT": "other"}, "needs what a decode stage makes"),
])
def test_a_mistake_is_refused_and_changes_nothing(finished, place, stages, variables, message):
    before = files(place / "out")
    if "OUT" in variables:
        variables = {"OUT": str(place / "other")}
    done = run(place, *stages, **variables)
    assert done.returncode == 2 and message in done.stderr and files(place / "out") == before


def test_help_tells_the_stages_and_the_defaults():
    done = subprocess.run(["bash", ROOT / "scripts/e2e_lora.sh", "--help"], capture_output=True,
                          text=True, check=True)
    assert "beam_hf_origin" in done.stdout and "LORA_DIM=4" in done.stdout
