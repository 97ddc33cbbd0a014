"""run_finetune.py on records that data_tools.create_completion_data wrote, as a user runs it."""

import json
import math
import os
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

import run_finetune
from data_tools import create_completion_data
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.model import GPTForCausalLM, initialize


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A checkpoint as transformers writes it, with a tokenizer that has no control tokens."""
    directory = tmp_path_factory.mktemp("base")
    tokenizer = Tokenizer.train(iter([source(number) for number in range(40)]), 300)
    tokenizer.save(directory)
    model = GPTForCausalLM(ModelConfig(
        n_layer=1, n_embd=16, n_head=2, vocab_size=tokenizer.vocab_size, n_positions=64,
        bos_token_id=0, eos_token_id=0))
    initialize(model, 0)
    (directory / "config.json").write_text(json.dumps(model.config.to_hf()))
    save_file(hugging_face.to_hf(model), directory / "model.safetensors", {"format": "pt"})
    return directory


@pytest.fixture(scope="module")
def dataset(base, tmp_path_factory) -> Path:
    """Records of forty short files in two languages."""
    root = tmp_path_factory.mktemp("sources")
    for number in range(40):
        (root / f"a{number}.{'py' if number % 2 else 'java'}").write_text(source(number))
    create_completion_data.main([
        "--input_path", str(root), "--output_dir", str(root / "set"), "--tokenizer", str(base),
        "--segment_len", "40", "--stride", "20", "--min_segment_len", "8", "--quiet"])
    return root / "set"


def source(number: int) -> str:
    return "".join(f"def f_{number}_{j}(a, b):\n    return a + b * {number * j}\n\n"
                   for j in range(2 + number % 3))


@pytest.fixture
def flags(base, dataset):
    def build(output_dir, *more) -> list[str]:
        return [str(word) for word in (
            "--model_name_or_path", base, "--dataset_name", dataset, "--output_dir", output_dir,
            "--max_seq_length", 42, "--per_gpu_train_batch_size", 4, "--dev_batch_size", 4,
            "--accumulation_steps", 2, "--num_epochs_train", 2, "--lr", 5e-3,
            "--evaluation_steps", 4, "--save_steps", 4, "--keep_checkpoints", 0,
            "--report_to", "none", "--peak_tflops", 1, "--device", "cpu", *more)]

    return build


def records(run: Path, key: str) -> list[dict]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if key in (record := json.loads(line))]


def weights(run: Path) -> dict[Path, bytes]:
    """The bytes of the weights of every checkpoint, by path inside of the run."""
    return {path.relative_to(run): path.read_bytes() for path in run.glob("**/model.safetensors")}


@pytest.fixture(scope="module")
def whole(base, dataset, tmp_path_factory):
    return tmp_path_factory.mktemp("whole") / "run"


@pytest.fixture
def trained(whole, flags) -> Path:
    if not whole.exists():
        run_finetune.main(flags(whole))
    return whole


def test_it_learns_and_the_schedule_spans_all_steps(trained, dataset, base):
    count = sum(1 for _ in open(dataset / "json" / "train.jsonl"))
    steps = 2 * -(-count // 8)  # the last step of an epoch has what is left
    curve = records(trained, "lr")
    assert [record["step"] for record in curve] == list(range(1, steps + 1))
    warmup = -(-steps // 5)
    rates = [record["lr"] for record in curve]
    assert rates[0] == 0.0 and rates[warmup] == max(rates) == 5e-3
    assert rates[-1] == pytest.approx(5e-3 / (steps - warmup))
    lines = (dataset / "json" / "train.jsonl").read_text().splitlines()
    tokens = sum(min(42, 1 + len(json.loads(line)["token_ids"])) - 1 for line in lines)
    assert curve[-1]["tokens"] == 2 * tokens < 2 * count * 42 * 0.95  # padding is not counted
    valid = [record["valid_loss"] for record in records(trained, "valid_loss")]
    assert valid[-1] < valid[0] and records(trained, "valid_loss")[-1]["step"] == steps
    for record in records(trained, "valid_loss"):
        assert record["valid_perplexity"] == math.exp(record["valid_loss"])
    best = min(records(trained, "valid_loss"), key=lambda record: record["valid_loss"])
    assert [path.name for path in (trained / "best").iterdir()] == [f"model_{best['step']}"]


def test_the_checkpoint_has_the_control_tokens(trained, base):
    transformers = pytest.importorskip("transformers")
    newest = checkpoint.newest(trained)
    tokenizer = transformers.AutoTokenizer.from_pretrained(newest)
    model = transformers.AutoModelForCausalLM.from_pretrained(newest)
    old = Tokenizer.load(base).vocab_size
    assert tokenizer.convert_tokens_to_ids(["<pad>", "<python>", "<java>"]) == [
        old, old + 1, old + 2]
    assert tokenizer.pad_token_id == model.config.pad_token_id == old
    assert model.config.vocab_size == old + 3
    assert model.get_input_embeddings().weight.shape[0] == old + 3


def test_resumed_it_is_the_same_run(trained, flags, tmp_path):
    """From an earlier checkpoint, as after a kill: the same curves, weights and best model."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    for step, path in checkpoint.checkpoints(run).items():
        if step > 4:
            shutil.rmtree(path)
    run_finetune.main(flags(run, "--restore_training"))
    for key in ("loss", "valid_loss"):
        assert [r[key] for r in records(run, key)] == [r[key] for r in records(trained, key)]
    assert checkpoint.checkpoints(run).keys() == checkpoint.checkpoints(trained).keys()
    assert weights(run) == weights(trained)
    for name in ("ck_report.json", "hyperparams.json"):
        told = (run / name).read_text().replace(str(run), str(trained))
        assert told == (trained / name).read_text()


def test_its_report_names_the_newest_and_the_best_evaluation(trained):
    report = json.loads((trained / "ck_report.json").read_text())
    evaluations = records(trained, "valid_loss")
    best = min(evaluations, key=lambda record: record["valid_loss"])
    for name, record in (("latest", evaluations[-1]), ("best", best)):
        (step,) = (one for one in records(trained, "lr") if one["step"] == record["step"])
        assert report[name] == {
            "step": record["step"], "epoch": step["epoch"], "lr": step["lr"],
            "loss_train": step["loss"], "loss_dev": record["valid_loss"],
            "eval_perplexity_dev": record["valid_perplexity"],
            "best_score_for_perplexity": -best["valid_perplexity"]}


def test_it_is_repeated_from_its_file(trained, tmp_path):
    again = tmp_path / "again"
    run_finetune.main([str(trained / "hyperparams.json"), "--output_dir", str(again)])
    assert weights(again) == weights(trained)
    assert (again / "ck_report.json").read_bytes() == (trained / "ck_report.json").read_bytes()


def test_a_new_model_has_the_vocabulary_of_the_records(flags, dataset, tmp_path):
    run_finetune.main(flags(tmp_path / "run", "--model_select", "distilgpt2", "--n_layer", 1,
                            "--n_embd", 24, "--n_head", 2, "--num_epochs_train", 1))
    told = json.loads((checkpoint.newest(tmp_path / "run") / "config.json").read_text())
    assert told["vocab_size"] == Tokenizer.load(dataset / "json" / "tokenizer").vocab_size
    assert (told["n_layer"], told["n_embd"], told["n_head"]) == (1, 24, 2)


def test_an_evaluation_behind_the_last_step_is_made_at_it(flags, tmp_path, capsys):
    run = tmp_path / "run"
    run_finetune.main(flags(run, "--evaluation_steps", 900, "--num_epochs_train", 1))
    steps = records(run, "lr")[-1]["step"]
    assert [record["step"] for record in records(run, "valid_loss")] == [steps]
    assert (f"warning: --evaluation_steps 900 is above the {steps} steps of the run: the only "
            "evaluation is at its end") in capsys.readouterr().out


def test_a_class_of_the_users_is_fine_tuned_from_gpt2s_weights(
    flags, trained, tmp_path, monkeypatch
):
    (tmp_path / "own_model.py").write_text(
        "from paddle_impl.model import GPTForCausalLM\n"
        "class Own(GPTForCausalLM):\n"
        "    def forward(self, *given, **rows):\n"
        "        return super().forward(*given, **rows) * 0.5\n")
    monkeypatch.syspath_prepend(tmp_path)
    run = tmp_path / "run"
    run_finetune.main(flags(run, "--model_class", "own_model:Own", "--num_epochs_train", 1))
    first, valid = records(run, "lr")[0]["loss"], records(run, "valid_loss")
    assert first != records(trained, "lr")[0]["loss"]  # half of the logits
    assert valid[-1]["valid_loss"] < first
    told = json.loads((checkpoint.newest(run) / "config.json").read_text())
    assert told["architectures"] == ["own_model:Own"]


def test_two_processes_compute_what_one_does(trained, flags, tmp_path, command):
    run = tmp_path / "run"
    done = command("run_finetune.py", *flags(
        run, "--n_gpu", 2, "--per_gpu_train_batch_size", 2, "--check_accuracy"))
    assert done.returncode == 0, done.stdout + done.stderr
    alone = tmp_path / "alone"
    run_finetune.main(flags(alone, "--check_accuracy"))
    for key in ("loss", "valid_loss"):
        assert [r[key] for r in records(run, key)] == pytest.approx(
            [r[key] for r in records(alone, key)], rel=1e-4)
    one, other = (load_file(checkpoint.newest(path) / "model.safetensors")
                  for path in (run, alone))
    for name, values in one.items():
        assert values == pytest.approx(other[name], abs=1e-4), name


@pytest.mark.parametrize(("words", "said"), [
    (["--dataset_name", "nothing"], "no train.jsonl and dev.jsonl in nothing"),
    (["--max_seq_length", "65"], "--max_seq_length 65 is beyond the model's 64 positions"),
    (["--scheduler", "triangle"], "invalid choice: 'triangle'"),
    (["--metric_for_best_model", "bleu"], "completion measures loss, perplexity"),
    (["--wandb_run_name", "x"], "--wandb_run_name means nothing without --with_wandb"),
    (["--n_gpu", "0"], "--n_gpu must be at least 1, got 0"),
])
def test_mistakes_are_told_in_one_line(flags, tmp_path, capsys, words, said):
    with pytest.raises(SystemExit) as end:
        run_finetune.main(flags(tmp_path / "run", *words))
    err = capsys.readouterr().err
    assert end.value.code == 2 and said in err and err.strip().count("\n") == 0
    assert not (tmp_path / "run").exists()


def test_a_launched_process_keeps_the_card_that_it_was_given(flags, tmp_path, monkeypatch):
    monkeypatch.setattr(run_finetune.run_pretrain, "train", lambda *_: None)
    monkeypatch.setattr(run_finetune.launch, "prepare", lambda: None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    words = flags(tmp_path / "run", "--visiable_device", "0,1")
    monkeypatch.setattr(run_finetune.launch, "is_launched", lambda: True)
    run_finetune.main([*words, "--n_gpu", "2"])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"
    monkeypatch.setattr(run_finetune.launch, "is_launched", lambda: False)
    run_finetune.main(words)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_another_tokenizer_is_refused(flags, base, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(base, other)
    Tokenizer.train(iter(["x = 1\n" * 9, "y\n"]), 300).save(other)
    with pytest.raises(SystemExit):
        run_finetune.main(flags(tmp_path / "run", "--model_name_or_path", other))
    assert "another tokenizer than that of" in capsys.readouterr().err


def test_a_long_sequence_is_shortened_to_1024(flags, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run_finetune.main(flags(tmp_path / "run", "--max_seq_length", 2000))
    assert "--max_seq_length 1024 is beyond the model's 64 positions" in capsys.readouterr().err
