"""run_finetune.py --task e2e: pairs of a context and its completion, as a user trains on them."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import run_finetune
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.model import GPTForCausalLM, initialize

NAMES, FOODS = ("Blue Spice", "The Mill", "Zizzi"), ("Thai", "French", "Indian", "Italian")
TEXTS = [(f"name : {name} | food : {food}", f"{name} serves {food} food .")
         for name in NAMES for food in FOODS]
TRAIN, VALID = TEXTS[1:], TEXTS[:3]
BATCH, EPOCHS = 4, 8
STEPS = EPOCHS * -(-len(TRAIN) // BATCH)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A checkpoint as transformers writes it; its model has dropout, which the task switches off.
    """
    directory = tmp_path_factory.mktemp("base")
    tokenizer = Tokenizer.train([f"{context} {text}\n" * 20 for context, text in TEXTS], 300)
    tokenizer.save(directory)
    model = GPTForCausalLM(ModelConfig(
        n_layer=1, n_embd=16, n_head=2, vocab_size=tokenizer.vocab_size, n_positions=64,
        embd_pdrop=0.5, resid_pdrop=0.5, attn_pdrop=0.5, bos_token_id=0, eos_token_id=0))
    initialize(model, 0)
    (directory / "config.json").write_text(json.dumps(model.config.to_hf()))
    save_file(hugging_face.to_hf(model), directory / "model.safetensors", {"format": "pt"})
    return directory


@pytest.fixture(scope="module")
def pairs(base) -> Path:
    """The folder of train.jsonl and valid.jsonl: every text has the end token behind it."""
    tokenizer = Tokenizer.load(base)
    folder = base / "pairs"
    folder.mkdir()
    for split, texts in (("train", TRAIN), ("valid", VALID)):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps({
            name: [*map(int, tokenizer.encode(text)), tokenizer.eos_token_id]
            for name, text in (("context", context), ("completion", f" {completion}"))
        }) + "\n" for context, completion in texts))
    return folder


@pytest.fixture
def flags(base, pairs):
    """The command line, in microsoft/LoRA's words where it has them."""
    def build(output_dir, *more) -> list[str]:
        return [str(word) for word in (
            "--task", "e2e", "--init_checkpoint", base, "--work_dir", output_dir,
            "--train_data", pairs / "train.jsonl", "--valid_data", pairs / "valid.jsonl",
            "--train_batch_size", BATCH, "--max_epoch", EPOCHS, "--lr", 1e-2,
            "--warmup_step", 4, "--label_smooth", 0.1, "--eval_interval", 6,
            "--save_interval", 6, "--log_interval", 1, "--keep_checkpoints", 0,
            "--report_to", "none", "--peak_tflops", 1, "--device", "cpu", *more)]

    return build


def records(run: Path, key: str) -> list[dict]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if key in (record := json.loads(line))]


@pytest.fixture(scope="module")
def whole(base, tmp_path_factory):
    return tmp_path_factory.mktemp("whole") / "run"


@pytest.fixture
def trained(whole, flags) -> Path:
    if not whole.exists():
        run_finetune.main(flags(whole))
    return whole


def test_it_learns_and_the_schedule_spans_all_steps(trained):
    rates = [record["lr"] for record in records(trained, "lr")]
    assert rates == pytest.approx(
        [1e-2 * min(step / 4, (STEPS - step) / (STEPS - 4)) for step in range(STEPS)])
    losses = [record["valid_loss"] for record in records(trained, "valid_loss")]
    assert len(losses) == -(-STEPS // 6) and losses[-1] < 0.8 * losses[0]


def test_only_training_is_smoothed(trained, base, pairs):
    """The smoothed loss is above the plain one that is logged beside it; what is measured on
    --valid_data is the plain mean over the tokens of the completions.
    """
    assert all(record["loss"] > record["cross_entropy"] for record in records(trained, "lr"))
    model = checkpoint.load_language_model(checkpoint.newest(trained))
    model.eval()
    total = count = 0.0
    for line in (pairs / "valid.jsonl").read_text().splitlines():
        context, completion = json.loads(line).values()
        import paddle

        logits = model(paddle.to_tensor([context + completion])).numpy()[0].astype(np.float64)
        logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        for place, token in enumerate(completion, start=len(context) - 1):
            total, count = total - logs[place, token], count + 1
    assert records(trained, "valid_loss")[-1]["valid_loss"] == pytest.approx(
        total / count, rel=1e-5)


def test_the_checkpoint_is_a_model_with_its_tokenizer(trained, base):
    newest = checkpoint.newest(trained)
    assert Tokenizer.load(newest).fingerprint() == Tokenizer.load(base).fingerprint()
    config = json.loads((newest / "config.json").read_text())
    assert {config[name] for name in ("embd_pdrop", "resid_pdrop", "attn_pdrop")} == {0.0}
    state = json.loads((newest / "training_state.json").read_text())
    assert state["schedule"]["optimizer"] == "adamw_legacy" and state["schedule"]["obj"] == "clm"


def weights(run: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in run.glob("model_*/model.safetensors")}


def test_resumed_it_is_the_same_run(trained, flags, tmp_path):
    """From an earlier checkpoint, as after a kill: the same curves and weights, bit for bit."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    for step, path in checkpoint.checkpoints(run).items():
        if step > 6:
            shutil.rmtree(path)
    run_finetune.main(flags(run, "--resume"))
    assert weights(run) == weights(trained) and len(weights(run)) == -(-STEPS // 6)
    for key in ("loss", "valid_loss"):
        assert [r[key] for r in records(run, key)] == [r[key] for r in records(trained, key)]


def test_it_is_another_run_with_another_seed_and_not_with_the_same(trained, flags, tmp_path):
    for name, more in (("same", []), ("other", ["--random_seed", "111"])):
        run_finetune.main(flags(tmp_path / name, *more, "--max_step", "2", "--save_interval", "2",
                                "--warmup_step", "0"))
    run_finetune.main(flags(tmp_path / "again", "--max_step", "2", "--warmup_step", "0"))
    assert weights(tmp_path / "same") == weights(tmp_path / "again") != weights(tmp_path / "other")


def test_the_flags_shape_the_run(flags, tmp_path, pairs, capsys):
    """jlm learns the context too; --max_step is the schedule's length and --max_epoch ends it."""
    run = tmp_path / "run"
    run_finetune.main(flags(
        run, "--obj", "jlm", "--max_step", "40", "--max_epoch", "1", "--grad_acc", "2",
        "--scheduler", "constant", "--warmup_step", "8", "--optimizer", "adamw",
        "--seq_len", "20", "--label_smooth", "0", "--clip", "0.5"))
    rates = [record["lr"] for record in records(run, "lr")]
    assert rates == pytest.approx([0.0, 1e-2 / 8])  # 11 pairs, 8 in a step
    assert "--eval_interval 6 is above the 2 steps of the run" in capsys.readouterr().out
    state = json.loads((checkpoint.newest(run) / "training_state.json").read_text())
    assert state["schedule"]["scheduler"] == "constant_with_warmup"
    assert state["schedule"]["grad_clip"] == 0.5
    moments = load_file(checkpoint.newest(run) / "optimizer.safetensors")
    assert {key.rpartition(".")[2] for key in moments} > {"moment1", "beta1_pow_acc"}


def test_a_cycle_ends_with_its_last_interval(flags, tmp_path):
    words = flags(tmp_path / "run", "--scheduler", "cycle", "--i_steps", "0,2,4",
                  "--i_lrs", "0,1e-2,1e-3")
    for name in ("--lr", "--warmup_step", "--max_epoch"):
        place = words.index(name)
        del words[place : place + 2]
    run_finetune.main(words)
    assert [record["lr"] for record in records(tmp_path / "run", "lr")] == pytest.approx(
        [0.0, 5e-3, 1e-2, 5.5e-3], rel=1e-5)


@pytest.mark.parametrize("more, message", [
    (["--scheduler", "inv_sqrt"], "--scheduler inv_sqrt is no schedule: microsoft/LoRA takes"),
    (["--scheduler", "dev_perf"], "--scheduler dev_perf is no schedule: microsoft/LoRA takes"),
    (["--platform", "philly"], "--platform philly: only local is built"),
    (["--max_epoch", "0"], "--max_epoch must be at least 1, got 0"),
    (["--label_smooth", "1"], "--label_smooth must lie in [0, 1), got 1.0"),
    (["--seq_len", "1"], "--seq_len must be at least 2, got 1"),
    (["--obj", "mlm"], "invalid choice: 'mlm'"),
    (["--dataset_name", "x"], "unrecognized arguments: --dataset_name x"),
    (["--train_data", "none.jsonl"], "none.jsonl cannot be read: No such file or directory"),
    (["--seq_len", "512", "--train_data", "LONG"], "pairs of 71 tokens, the model 64 positions"),
    (["--train_data", "BEYOND"], "has the id 4000, beyond the model's vocabulary of"),
])
def test_a_mistake_is_one_clear_line(flags, tmp_path, capsys, more, message):
    for name, pair in (("LONG", ([1] * 70, [1])), ("BEYOND", ([1], [4000]))):
        if name in more:
            path = tmp_path / f"{name}.jsonl"
            path.write_text(json.dumps(dict(zip(("context", "completion"), pair, strict=True))))
            more = [str(path) if word == name else word for word in more]
    with pytest.raises(SystemExit) as stop:
        run_finetune.main(flags(tmp_path / "run", *more))
    error = capsys.readouterr().err
    assert stop.value.code == 2 and message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_how_long_to_train_must_be_said(flags, tmp_path, capsys):
    words = flags(tmp_path / "run")
    del words[words.index("--max_epoch") : words.index("--max_epoch") + 2]
    with pytest.raises(SystemExit):
        run_finetune.main(words)
    assert "how long to train? Name --max_epoch, or --max_step" in capsys.readouterr().err


def test_the_number_of_steps_of_the_e2e_data():
    """42,061 pairs, 8 in a batch, 5 epochs: microsoft/LoRA's formula, ceil(5 x 5258 / 1)."""
    config = run_finetune.parse([
        "--task", "e2e", "--train_data", "t", "--valid_data", "v", "--output_dir", "o",
        "--model_card", "gpt2.md", "--max_epoch", "5"])
    assert config.of_length(math.ceil(42061 / 8)).training.max_steps == 26290
    assert config.flat()["max_lr"] == 1e-5 and config.flat()["adam_beta2"] == 0.98


def test_the_task_may_stand_in_a_file(tmp_path, capsys):
    path = tmp_path / "flags.json"
    path.write_text(json.dumps({"task": "e2e", "train_data": "t", "valid_data": "v",
                                "work_dir": "o", "model_card": "gpt2.md", "max_step": 7}))
    assert run_finetune.parse([str(path)]).pairs.max_step == 7
    assert run_finetune.parse([str(path), "--max_step=9", "--task=e2e"]).pairs.max_step == 9
    with pytest.raises(SystemExit):
        run_finetune.parse([str(path), "--task", "completion"])
    assert "train_data" in capsys.readouterr().err
