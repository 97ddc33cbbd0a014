"""run_finetune.py --task classify, and what uses its checkpoints, as a user does."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import run_evaluation
import run_finetune
import run_generation
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.checkpoint.plain import write_model
from paddle_impl.config.model import ModelConfig
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.text.classifier import TextClassifier

WORDS = {"sport": "goal ball team", "food": "soup bread salt", "code": "loop class byte"}
FILLER = "the of and to in is that it was for on are".split()
TRAIN = 90


def text_of(label: str, stream: np.random.Generator) -> str:
    words = stream.choice(FILLER, stream.integers(2, 9)).tolist()
    for word in stream.choice(WORDS[label].split(), 3).tolist():
        words.insert(int(stream.integers(len(words) + 1)), word)
    return " ".join(words)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """train.csv, in which code is rare, valid.tsv, test.jsonl, and the language model `base`."""
    folder = tmp_path_factory.mktemp("texts")
    stream = np.random.default_rng(5)
    labels = stream.choice(list(WORDS), TRAIN + 40, p=[0.45, 0.45, 0.1]).tolist()
    rows = [(label, text_of(label, stream)) for label in labels]
    with open(folder / "train.csv", "w", newline="") as file:
        csv.writer(file).writerows([("kind", "body"), *rows[:TRAIN]])
    (folder / "valid.tsv").write_text("".join(
        f"{text}\t{label}\n" for label, text in [("code", "loop and byte")] + rows[TRAIN:-20]))
    (folder / "test.jsonl").write_text("".join(
        json.dumps({"kind": label, "body": text}) + "\n" for label, text in rows[-20:] + rows[:2]))
    tokenizer = Tokenizer.train([f"{text}\n" * 5 for _, text in rows], 320)
    end = tokenizer.eos_token_id
    model = GPTForCausalLM(ModelConfig(
        n_layer=2, n_embd=32, n_head=2, vocab_size=tokenizer.vocab_size, n_positions=32,
        bos_token_id=end, eos_token_id=end, embd_pdrop=0.5))
    initialize(model, 0)
    write_model(folder / "base", model, tokenizer)
    return folder


@pytest.fixture
def flags(folder):
    def build(output_dir, *more) -> list[str]:
        return [str(word) for word in (
            "--task", "classify", "--model_name_or_path", folder / "base",
            "--output_dir", output_dir, "--train_texts", folder / "train.csv",
            "--valid_texts", folder / "train.csv", "--label_column", "kind", "--text_column",
            "body", "--lr", 1e-2, "--trainable_layers", "all", "--balance", "weights",
            "--batch_size", 6, "--num_epochs", 5, "--eval_freq", 15, "--save_steps", 15,
            "--logging_freq", 1, "--keep_checkpoints", 0, "--peak_tflops", 1, "--device", "cpu",
            *more)]

    return build


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("whole") / "run"


@pytest.fixture
def trained(whole, flags, folder) -> Path:
    if not whole.exists():
        run_finetune.main(flags(whole, "--test_texts", folder / "test.jsonl"))
    return whole


def records(run: Path, key: str) -> list[dict]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if key in (record := json.loads(line))]


def weights(run: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in run.glob("model_*/model.safetensors")}


def test_it_learns_and_shows_its_curves_and_matrices(trained):
    found = records(trained, "valid_accuracy")
    assert [record["step"] for record in found] == [15, 30, 45, 60, 75]
    assert found[-1]["valid_accuracy"] > 0.95 and found[-1]["valid_macro_f1"] > 0.95
    (tested,) = records(trained, "test_accuracy")
    assert tested["test_accuracy"] > 0.85
    assert all({"loss", "accuracy"} <= record.keys() for record in records(trained, "lr"))
    for picture in ("curves.png", "confusion_valid.png", "confusion_test.png"):
        assert (trained / picture).read_bytes().startswith(b"\x89PNG")
    best = max(found, key=lambda record: record["valid_accuracy"])["step"]
    assert (trained / "best" / f"model_{best}").is_dir()


def test_transformers_opens_the_checkpoint(trained, folder):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    newest = checkpoint.newest(trained)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(newest).eval()
    assert type(model).__name__ == "GPT2ForSequenceClassification"
    assert model.config.id2label == {0: "code", 1: "food", 2: "sport"}
    tokenizer = transformers.AutoTokenizer.from_pretrained(newest)
    texts = ["the goal was for", "soup", "in that loop it is"]
    ids = [tokenizer(text)["input_ids"] for text in texts]
    width = max(map(len, ids))
    with torch.no_grad():
        logits = model(torch.tensor([row + [model.config.pad_token_id] * (width - len(row))
                                     for row in ids])).logits.numpy()
    classifier = TextClassifier.load(str(newest))
    own = classifier.logits([classifier.ids(text) for text in texts])
    np.testing.assert_allclose(own, logits, atol=1e-5)


def test_resumed_it_is_the_same_run(trained, flags, folder, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    for step, path in checkpoint.checkpoints(run).items():
        if step > 15:
            shutil.rmtree(path)
    run_finetune.main(flags(run, "--resume", "--test_texts", folder / "test.jsonl"))
    assert weights(run) == weights(trained) and len(weights(run)) == 5
    for key in ("loss", "valid_accuracy", "test_loss"):
        assert [r[key] for r in records(run, key)] == [r[key] for r in records(trained, key)]


@pytest.mark.parametrize(("more", "message"), [
    (["--trainable_layers", "last_layer"], "pass --trainable_layers all"),
    (["--trainable_token_pos", "first"], "--trainable_token_pos, --average_embeddings"),
    (["--balance", "none"], "--balance"), (["--context_length", "3"], "--context_length"),
])
def test_a_resumed_run_cannot_be_another(trained, flags, capsys, more, message):
    with pytest.raises(SystemExit):
        run_finetune.main(flags(trained, "--resume", "--num_epochs", "6", *more))
    assert message in capsys.readouterr().err


def test_two_processes_are_one(flags, launch, tmp_path):
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    more = "--num_epochs", "1", "--report_to", "none"
    run_finetune.main(flags(alone, *more, "--batch_size", "4", "--accumulation_steps", "2"))
    job = launch(*flags(shared, *more, "--batch_size", "4"), script="run_finetune.py")
    assert job.wait() == 0, job.said()
    for key in ("loss", "valid_loss", "valid_accuracy", "valid_macro_f1"):
        one, two = ([r[key] for r in records(run, key)] for run in (alone, shared))
        assert one and one == pytest.approx(two, rel=1e-4)


@pytest.mark.parametrize("more", [
    ["--trainable_token_pos", "last", "--score_bias"],
    ["--trainable_token_pos", "first", "--num_epochs", "1"],
    ["--average_embeddings"],
    ["--no_padding", "--batch_size", "1", "--accumulation_steps", "6", "--dev_batch_size", "1",
     "--trainable_token_pos", "last", "--context_length", "model_context_length"],
    ["--balance", "undersample", "--context_length", "9"],
])
def test_every_way_of_reading_is_kept_by_the_checkpoint(flags, folder, tmp_path, more):
    """What the commands measure afterwards is what the run measured."""
    run = tmp_path / "run"
    run_finetune.main(flags(run, "--num_epochs", "2", "--report_to", "none", *more))
    output = tmp_path / "out.json"
    run_evaluation.main([str(word) for word in (
        "--classify", folder / "train.csv", "--label_column", "kind", "--text_column", "body",
        "--model_name_or_path", checkpoint.newest(run), "--device", "cpu",
        "--output_file", output)])
    numbers, last = json.loads(output.read_text()), records(run, "valid_accuracy")[-1]
    for key in ("loss", "accuracy", "macro_f1"):
        assert numbers[key] == pytest.approx(last[f"valid_{key}"], rel=1e-5)
    plain = json.loads((checkpoint.newest(run) / "config.json").read_text())["model_type"] == "gpt2"
    assert plain == (more[0] == "--balance")


@pytest.mark.parametrize("more", [
    [], ["--score_bias", "--lora_target_modules", "all-linear", "--lora_enable", "q,k,v",
         "--lora_scaling", "alpha"]])
def test_lora_leaves_the_base_and_is_opened_again(flags, folder, tmp_path, more, capsys):
    run = tmp_path / "run"
    words = flags(run, "--lora_dim", "4", "--lora_alpha", "4", "--num_epochs", "2",
                  "--report_to", "none", *more)
    place = words.index("--trainable_layers")
    del words[place : place + 2]
    run_finetune.main(words)
    assert "LoRA on" in capsys.readouterr().out
    newest = checkpoint.newest(run)
    assert not any(name.endswith("c_attn.base_layer.weight")
                   for name in load_file(newest / "adapter_model.safetensors"))
    output = tmp_path / "out.json"
    for named in (["--model_name_or_path", newest],
                  ["--model_name_or_path", folder / "base", "--adapter", newest]):
        run_evaluation.main([str(word) for word in (
            "--classify", folder / "train.csv", "--label_column", "kind", "--text_column", "body",
            "--device", "cpu", "--output_file", output, *named)])
        assert json.loads(output.read_text())["loss"] == pytest.approx(
            records(run, "valid_loss")[-1]["valid_loss"], rel=1e-4)


def test_a_classifier_is_measured_beside_words_alone(trained, folder, tmp_path, capsys):
    output, picture = tmp_path / "out.json", tmp_path / "c.svg"
    run_evaluation.main([str(word) for word in (
        "--classify", folder / "test.jsonl", "--train_texts", folder / "train.csv",
        "--label_column", "kind", "--text_column", "body", "--model_name_or_path",
        checkpoint.newest(trained), "--output_file", output, "--confusion_file", picture,
        "--device", "cpu")])
    numbers, said = json.loads(output.read_text()), capsys.readouterr().out
    tested = records(trained, "test_accuracy")[-1]
    assert numbers["accuracy"] == pytest.approx(tested["test_accuracy"])
    assert numbers["macro_f1"] == pytest.approx(tested["test_macro_f1"])
    assert numbers["texts"] == 22 == numbers["in_training"] + numbers["unseen"]
    assert 2 <= numbers["in_training"] < 12  # the two that were put there, and what chance did
    assert np.sum(numbers["confusion"]) == 22 and "sport" in picture.read_text()
    assert f"{numbers['in_training']} of the 22 texts stand in" in said
    try:
        import sklearn  # noqa: F401
    except ImportError:
        assert "not computed, needs scikit-learn" in said and "tf_idf" not in numbers
    else:
        assert 0.5 < numbers["tf_idf"]["accuracy"] <= 1.0


def test_without_scikit_learn_the_report_says_so(trained, folder, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.feature_extraction.text", None)
    run_evaluation.main([str(word) for word in (
        "--classify", folder / "test.jsonl", "--train_texts", folder / "train.csv",
        "--label_column", "kind", "--text_column", "body", "--model_name_or_path",
        checkpoint.newest(trained), "--device", "cpu")])
    assert "TF-IDF with logistic regression: not computed, needs scikit-learn" in (
        capsys.readouterr().out)


def test_labels_of_prompts(trained, tmp_path, capsys):
    output = tmp_path / "out.jsonl"
    run_generation.main([str(word) for word in (
        "--classify", "--model_name_or_path", checkpoint.newest(trained), "--device", "cpu",
        "--prompt", "the soup is of bread", "a loop", "--output_file", output)])
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["label"] for line in lines] == ["food", "code"]
    for line in lines:
        assert list(line["probabilities"]) == ["code", "food", "sport"]
        assert sum(line["probabilities"].values()) == pytest.approx(1.0)
        assert line["label"] == max(line["probabilities"], key=line["probabilities"].get)
    assert capsys.readouterr().out.startswith("food (")


@pytest.mark.parametrize(("more", "message"), [
    (["--disable_causal_mask"], "--disable_causal_mask is not built yet"),
    (["--no_padding"], "--no_padding takes batches of one text"),
    (["--trainable_layers", "lora"], "--trainable_layers lora needs a rank"),
    (["--lora_dim", "4"], "leave --trainable_layers all out"),
    (["--average_embeddings", "--trainable_token_pos", "last"], "--average_embeddings reads all"),
    (["--context_length", "long"], "--context_length takes longest_training_example"),
    (["--context_length", "33"], "beyond the model's 32 positions"),
    (["--trainable_layers", "lora_alternative"], "invalid choice: 'lora_alternative'"),
    (["--metric_for_best_model", "perplexity"], "classify measures loss, accuracy, macro_f1"),
    (["--train_texts", "none.csv"], "none.csv cannot be read: No such file or directory"),
    (["--text_column", "words"], "train.csv, line 1: which of the 2 columns is the text?"),
    (["--valid_texts", "OTHER"], "other.csv, line 3: the label is 'news', expected one of"),
    (["--train_texts", "ONE"], "has the label sport only: expected two or more"),
    (["--model_name_or_path", "code-mini"], "the texts need a tokenizer"),
])
def test_a_mistake_is_one_clear_line(flags, tmp_path, capsys, more, message):
    for name, rows in (("OTHER", "sport,a\nnews,b"), ("ONE", "sport,a\nsport,b")):
        if name in more:
            path = tmp_path / f"{name.lower()}.csv"
            path.write_text(f"kind,body\n{rows}\n")
            more = [str(path) if word == name else word for word in more]
    with pytest.raises(SystemExit) as stop:
        run_finetune.main(flags(tmp_path / "run", *more))
    error = capsys.readouterr().err
    assert stop.value.code == 2 and message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_classifier_of_other_labels_is_no_start(trained, flags, folder, tmp_path, capsys):
    path = tmp_path / "two.csv"
    path.write_text("kind,body\nsport,a\nfood,b\n")
    with pytest.raises(SystemExit):
        run_finetune.main(flags(tmp_path / "run", "--model_name_or_path", "gpt2", "--init_from",
                                checkpoint.newest(trained), "--train_texts", path,
                                "--valid_texts", path))
    assert "is a classifier of code, food, sport, the texts have the labels food, sport" in (
        capsys.readouterr().err)


@pytest.mark.parametrize(("run", "words", "message"), [
    (run_evaluation, ["--classify", "x.csv"], "--classify needs a checkpoint"),
    (run_evaluation, ["--classify", "x.csv", "--model_name_or_path", "BASE"],
     "holds a GPT2LMHeadModel, labels need a GPT2ForSequenceClassification"),
    (run_evaluation, ["--lambada", "x", "--train_texts", "y", "--model_name_or_path", "BASE"],
     "--train_texts is for --classify, not for --lambada"),
    (run_generation, ["--classify", "--model_name_or_path", "BASE"], "--classify needs texts"),
    (run_generation, ["--classify", "--model_name_or_path", "BASE", "--prompt", "x"],
     "labels need a GPT2ForSequenceClassification"),
    (run_generation, ["--classify", "--prompt", "x", "--top_k", "3", "--model_name_or_path",
                      "BASE"], "--top_k means nothing with --classify"),
])
def test_what_cannot_be_asked(folder, capsys, run, words, message):
    with pytest.raises(SystemExit):
        run.main([str(folder / "base") if word == "BASE" else word for word in words]
                 + ["--device", "cpu"])
    assert message in capsys.readouterr().err
