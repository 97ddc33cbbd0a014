"""What uses a classifier: run_evaluation.py, run_generation.py; and mistakes of their users."""

import json

import numpy as np
import pytest

import run_evaluation
import run_finetune
import run_generation
from paddle_impl import checkpoint


def records(run, key: str) -> list[dict]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if key in (record := json.loads(line))]


def test_a_classifier_is_measured_beside_words_alone(classifier_run, labelled, tmp_path, capsys):
    output, picture = tmp_path / "out.json", tmp_path / "c.svg"
    run_evaluation.main([str(word) for word in (
        "--classify", labelled / "test.jsonl", "--train_texts", labelled / "train.csv",
        "--label_column", "kind", "--text_column", "body", "--model_name_or_path",
        checkpoint.newest(classifier_run), "--output_file", output, "--confusion_file", picture,
        "--device", "cpu")])
    numbers, said = json.loads(output.read_text()), capsys.readouterr().out
    tested = records(classifier_run, "test_accuracy")[-1]
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


def test_the_training_texts_themselves_can_be_measured(classifier_run, labelled, capsys):
    path = labelled / "train.csv"
    run_evaluation.main([str(word) for word in (
        "--classify", path, "--train_texts", path, "--label_column", "kind", "--text_column",
        "body", "--model_name_or_path", checkpoint.newest(classifier_run), "--device", "cpu")])
    assert "90 of the 90 texts stand in" in capsys.readouterr().out


def test_without_scikit_learn_the_report_says_so(classifier_run, labelled, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.feature_extraction.text", None)
    run_evaluation.main([str(word) for word in (
        "--classify", labelled / "test.jsonl", "--train_texts", labelled / "train.csv",
        "--label_column", "kind", "--text_column", "body", "--model_name_or_path",
        checkpoint.newest(classifier_run), "--device", "cpu")])
    assert "TF-IDF with logistic regression: not computed, needs scikit-learn" in (
        capsys.readouterr().out)


def test_labels_of_prompts(classifier_run, tmp_path, capsys):
    output = tmp_path / "out.jsonl"
    run_generation.main([str(word) for word in (
        "--classify", "--model_name_or_path", checkpoint.newest(classifier_run), "--device", "cpu",
        "--prompt", "soup the bread in salt", "loop of byte class", "--output_file", output)])
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["label"] for line in lines] == ["food", "code"]
    for line in lines:
        assert list(line["probabilities"]) == ["code", "food", "sport"]
        assert sum(line["probabilities"].values()) == pytest.approx(1.0)
        assert line["label"] == max(line["probabilities"], key=line["probabilities"].get)
    assert capsys.readouterr().out.startswith("food (")


@pytest.mark.parametrize("words", [["--language", "python"], ["--queue_timeout", "3"]])
def test_a_server_of_labels_takes_no_flags_of_texts(classifier_run, capsys, words):
    with pytest.raises(SystemExit):
        run_generation.main([
            "--serve", "--model_name_or_path", str(checkpoint.newest(classifier_run)), "--device",
            "cpu", *words])
    assert f"{words[0]} means nothing with --serve of a classifier" in capsys.readouterr().err


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
def test_a_mistake_is_one_clear_line(classify_flags, tmp_path, capsys, more, message):
    for name, rows in (("OTHER", "sport,a\nnews,b"), ("ONE", "sport,a\nsport,b")):
        if name in more:
            path = tmp_path / f"{name.lower()}.csv"
            path.write_text(f"kind,body\n{rows}\n")
            more = [str(path) if word == name else word for word in more]
    with pytest.raises(SystemExit) as stop:
        run_finetune.main(classify_flags(tmp_path / "run", *more))
    error = capsys.readouterr().err
    assert stop.value.code == 2 and message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_classifier_of_other_labels_is_no_start(
    classifier_run, classify_flags, tmp_path, capsys
):
    path = tmp_path / "two.csv"
    path.write_text("kind,body\nsport,a\nfood,b\n")
    with pytest.raises(SystemExit):
        run_finetune.main(classify_flags(
            tmp_path / "run", "--model_name_or_path", checkpoint.newest(classifier_run),
            "--train_texts", path, "--valid_texts", path))
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
def test_what_cannot_be_asked(labelled, capsys, run, words, message):
    with pytest.raises(SystemExit):
        run.main([str(labelled / "base") if word == "BASE" else word for word in words]
                 + ["--device", "cpu"])
    assert message in capsys.readouterr().err
