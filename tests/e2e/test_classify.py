"""run_finetune.py --task classify, as a user trains."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import run_evaluation
import run_finetune
from paddle_impl import checkpoint
from paddle_impl.text.classifier import TextClassifier


def records(run: Path, key: str) -> list[dict]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if key in (record := json.loads(line))]


def weights(run: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in run.glob("model_*/model.safetensors")}


def test_it_learns_and_shows_its_curves_and_matrices(classifier_run):
    found = records(classifier_run, "valid_accuracy")
    assert [record["step"] for record in found] == [15, 30, 45, 60, 75]
    assert found[-1]["valid_accuracy"] > 0.95 and found[-1]["valid_macro_f1"] > 0.95
    (tested,) = records(classifier_run, "test_accuracy")
    assert tested["test_accuracy"] > 0.85
    assert all({"loss", "accuracy"} <= record.keys() for record in records(classifier_run, "lr"))
    for picture in ("curves.png", "confusion_valid.png", "confusion_test.png"):
        assert (classifier_run / picture).read_bytes().startswith(b"\x89PNG")
    best = max(found, key=lambda record: record["valid_accuracy"])["step"]
    assert (classifier_run / "best" / f"model_{best}").is_dir()


def test_transformers_opens_the_checkpoint(classifier_run, labelled):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    newest = checkpoint.newest(classifier_run)
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


def test_resumed_it_is_the_same_run(classifier_run, classify_flags, labelled, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(classifier_run, run)
    for step, path in checkpoint.checkpoints(run).items():
        if step > 15:
            shutil.rmtree(path)
    run_finetune.main(classify_flags(run, "--resume", "--test_texts", labelled / "test.jsonl"))
    assert weights(run) == weights(classifier_run) and len(weights(run)) == 5
    for key in ("loss", "valid_accuracy", "test_loss"):
        assert [r[key] for r in records(run, key)] == [r[key] for r in records(classifier_run, key)]


@pytest.mark.parametrize(("more", "message"), [
    (["--trainable_layers", "last_layer"], "pass --trainable_layers all"),
    (["--trainable_token_pos", "first"], "--trainable_token_pos, --average_embeddings"),
    (["--balance", "none"], "--balance"), (["--context_length", "3"], "--context_length"),
])
def test_a_resumed_run_cannot_be_another(classifier_run, classify_flags, capsys, more, message):
    with pytest.raises(SystemExit):
        run_finetune.main(classify_flags(classifier_run, "--resume", "--num_epochs", "6", *more))
    assert message in capsys.readouterr().err


def test_two_processes_are_one(classify_flags, launch, tmp_path):
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    more = "--num_epochs", "1", "--report_to", "none"
    run_finetune.main(classify_flags(
        alone, *more, "--batch_size", "4", "--accumulation_steps", "2"))
    job = launch(*classify_flags(shared, *more, "--batch_size", "4"), script="run_finetune.py")
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
def test_every_way_of_reading_is_kept_by_the_checkpoint(classify_flags, labelled, tmp_path, more):
    """What the commands measure afterwards is what the run measured."""
    run = tmp_path / "run"
    run_finetune.main(classify_flags(run, "--num_epochs", "2", "--report_to", "none", *more))
    output = tmp_path / "out.json"
    run_evaluation.main([str(word) for word in (
        "--classify", labelled / "train.csv", "--label_column", "kind", "--text_column", "body",
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
def test_lora_leaves_the_base_and_is_opened_again(classify_flags, labelled, tmp_path, more, capsys):
    run = tmp_path / "run"
    words = classify_flags(run, "--lora_dim", "4", "--lora_alpha", "4", "--num_epochs", "2",
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
                  ["--model_name_or_path", labelled / "base", "--adapter", newest]):
        run_evaluation.main([str(word) for word in (
            "--classify", labelled / "train.csv", "--label_column", "kind", "--text_column", "body",
            "--device", "cpu", "--output_file", output, *named)])
        assert json.loads(output.read_text())["loss"] == pytest.approx(
            records(run, "valid_loss")[-1]["valid_loss"], rel=1e-4)


def test_peft_opens_an_adapter_of_a_classifier(classify_flags, labelled, tmp_path):
    torch = pytest.importorskip("torch")
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    words = classify_flags(tmp_path / "run", "--lora_dim", "4", "--num_epochs", "1",
                           "--report_to", "none")
    place = words.index("--trainable_layers")
    del words[place : place + 2]
    run_finetune.main(words)
    newest = checkpoint.newest(tmp_path / "run")
    base = transformers.GPT2ForSequenceClassification.from_pretrained(
        labelled / "base", num_labels=3, pad_token_id=0)
    model = peft.PeftModel.from_pretrained(base, newest).eval()
    classifier = TextClassifier.load(str(newest))
    ids = classifier.ids("the goal was")
    with torch.no_grad():
        logits = model(torch.from_numpy(ids)[None]).logits.numpy()
    np.testing.assert_allclose(classifier.logits([ids]), logits, atol=1e-5)


def test_it_ends_early_by_the_measure_that_is_named(classify_flags, tmp_path):
    """Nothing is learned at rate 0, so no evaluation is better than the first."""
    run = tmp_path / "run"
    run_finetune.main(classify_flags(run, "--lr", "0", "--report_to", "none", "--early_stop", "1",
                                     "--metric_for_best_model", "macro_f1"))
    assert [record["step"] for record in records(run, "valid_macro_f1")] == [15, 30]
    assert [path.name for path in (run / "best").iterdir()] == ["model_15"]
    assert not (run / "confusion_valid.png").exists()
