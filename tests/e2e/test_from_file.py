"""A run from a JSON file, a second one from its weights, and the answers of both side by side."""

import json

import pytest

import run_evaluation
import run_pretrain

STEPS = 8


@pytest.fixture(scope="module")
def runs(tiny_data, tmp_path_factory):
    """The folder with train_cfg.json, train_with_preWeight_cfg.json, output and output_e10."""
    folder = tmp_path_factory.mktemp("from_file")
    cfg = {
        "model_type": "gpt", "model_name_or_path": "gpt2-en", "n_layer": 2, "n_embd": 32,
        "n_head": 2, "n_positions": 64, "input_dir": str(tiny_data), "split": "80,15,5",
        "max_seq_len": 32, "micro_batch_size": 4, "max_lr": 1e-2, "min_lr": 1e-3, "decay_steps": 0,
        "warmup_rate": 0.1, "max_steps": STEPS, "save_steps": STEPS, "eval_freq": STEPS // 2,
        "eval_iters": 2, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
        "device": "cpu", "report_to": "none", "peak_tflops": 1.0,
        "output_dir": str(folder / "output")}
    shape = ("model_name_or_path", "n_layer", "n_embd", "n_head", "n_positions")
    again = {name: value for name, value in cfg.items() if name not in shape} | {
        "init_from": str(folder / "output" / f"model_{STEPS}"),
        "output_dir": str(folder / "output_e10")}
    for name, content in (("train_cfg", cfg), ("train_with_preWeight_cfg", again)):
        (folder / f"{name}.json").write_text(json.dumps(content))
        run_pretrain.main([str(folder / f"{name}.json")])
    return folder


def records(output, key):
    lines = (output / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if key in (record := json.loads(line))]


def test_the_second_run_goes_on_where_the_first_ended(runs):
    first, second = (records(runs / name, "loss") for name in ("output", "output_e10"))
    assert [one["step"] for one in second] == list(range(1, STEPS + 1))
    assert second[0]["loss"] < first[0]["loss"] - 0.3
    valid = [records(runs / name, "valid_loss") for name in ("output", "output_e10")]
    assert valid[1][-1]["valid_loss"] < valid[0][-1]["valid_loss"]
    told = [json.loads((runs / name / f"model_{STEPS}" / "config.json").read_text())
            for name in ("output", "output_e10")]
    assert told[0] == told[1]
    assert (told[0]["n_layer"], told[0]["n_embd"], told[0]["vocab_size"]) == (2, 32, 300)


def test_their_answers_side_by_side(runs, tmp_path, capsys):
    models = [str(runs / name / f"model_{STEPS}") for name in ("output", "output_e10")]
    words = ["--device", "cpu", "--minitest", "--compare", *models, "--seed", "7"]
    for name in ("a", "b"):
        run_evaluation.main([*words, "--output_file", str(tmp_path / f"{name}.html")])
    out = capsys.readouterr().out
    assert all(f"[{number}] {model}: {model}" in out
               for number, model in enumerate(models, start=1))
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}{end}" for name in "ab" for end in (".html", ".txt", "_1.json", "_2.json")}
    for end in (".html", ".txt", "_1.json", "_2.json"):  # the same draws each time
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes()
    one = json.loads((tmp_path / "a_2.json").read_text())
    run_evaluation.main(["--device", "cpu", "--minitest", "--model_name_or_path", models[1],
                         "--seed", "7", "--output_file", str(tmp_path / "alone.json")])
    assert json.loads((tmp_path / "alone.json").read_text()) == one
    files = [str(tmp_path / f"a_{number}.json") for number in (1, 2)]
    run_evaluation.main(["--compare", *files, "--output_file", str(tmp_path / "c.html")])
    text = (tmp_path / "c.txt").read_text().splitlines()
    assert text[2:] == (tmp_path / "a.txt").read_text().splitlines()[2:]


def test_what_is_no_checkpoint_is_named(runs, tmp_path, capsys):
    model = str(runs / "output" / f"model_{STEPS}")
    with pytest.raises(SystemExit):
        run_evaluation.main(["--device", "cpu", "--minitest", "--compare", model, "nowhere",
                             "--output_file", str(tmp_path / "a.html")])
    err = capsys.readouterr().err
    assert "--compare nowhere: expected a checkpoint directory" in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())
