"""The benchmark of preference optimization: a row for each run, a picture of both."""

from types import SimpleNamespace


def test_the_table_has_what_each_run_reached_on_the_test_part(bench):
    runs = bench("dpo_runs")
    curves = {f"test_{column}": {9: number + 0.25} for number, column in enumerate(runs.COLUMNS)}
    options = SimpleNamespace(base=None, lr_scale=40.0, sft_epochs=8)
    part = runs._table(options, dict.fromkeys(runs.RUNS, curves))
    assert part.rows[0] == ["lr 5e-5, beta 0.2", "0.2500", "1.2500", "2.2500", "3.2500", "4.2500",
                            "5.2500"]
    assert part.figures["lr 5e-6, beta 0.1"]["accuracy"] == 1.25
    assert "40 times those in the names" in part.markdown()
    options.base = "checkpoint"
    assert "1 times" in runs._table(options, dict.fromkeys(runs.RUNS, curves)).markdown()


def test_both_runs_begin_from_one_model_with_their_own_settings(bench, tmp_path, monkeypatch):
    runs, asked = bench("dpo_runs"), []
    monkeypatch.setattr(runs, "_finetune", lambda *words: asked.append([*map(str, words)]))
    monkeypatch.setattr(runs, "read_curves", lambda path: {})
    options = SimpleNamespace(base=None, lr_scale=10.0, output_dir=tmp_path, data="d", device="cpu")
    for number, values in enumerate(runs.RUNS.values()):
        runs._aligned(options, tmp_path / "tuned", number, *values)
    settings = [[words[words.index(flag) + 1] for flag in (
        "--init_from", "--lr", "--weight_decay", "--beta")] for words in asked]
    tuned = str(tmp_path / "tuned")
    assert settings == [[tuned, "0.0005", "0.1", "0.2"], [tuned, "5e-05", "0.01", "0.1"]]
