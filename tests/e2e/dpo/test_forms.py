"""run_finetune.py --task dpo from an adapter, with each form of the loss, and users' mistakes."""

import json

import pytest
from safetensors.numpy import load_file

import run_finetune
from paddle_impl import checkpoint
from paddle_impl.finetuning import reference
from paddle_impl.model import GPTForCausalLM
from tests.e2e.dpo.runs import (
    ROWS,
    assert_same,
    events,
    records,
    without_later_steps,
)

LORA = ("--lora_dim", 2, "--lora_alpha", 8, "--lr", 0.02)


@pytest.fixture(scope="module")
def adapted(tmp_path_factory):
    return tmp_path_factory.mktemp("adapted")


@pytest.fixture
def from_adapter(adapted, flags, base):
    """A run that starts from an adapter, which is a part of its reference."""
    sft, run = adapted / "sft", adapted / "run"
    if not sft.exists():
        records = [{"instruction": row["instruction"], "input": row["input"],
                    "output": row["rejected"]} for row in ROWS]
        (adapted / "sft.json").write_text(json.dumps(records))
        run_finetune.main([str(word) for word in (
            "--task", "sft", "--init_from", base, "--output_dir", sft, "--data",
            adapted / "sft.json", *LORA, "--report_to", "none", "--peak_tflops", 1, "--device",
            "cpu", "--max_dec_len", 4)])
        run_finetune.main(flags(run, *LORA, start=checkpoint.newest(sft)))
    return checkpoint.newest(sft), run


def test_the_reference_is_the_policy_with_the_adapter_that_it_starts_from(
    from_adapter, flags, tmp_path
):
    sft, run = from_adapter
    first, *_, last = records(run, "valid_loss")
    assert first["valid_accuracy"] == 0.5 and first["valid_margin"] == 0.0
    assert last["valid_accuracy"] >= 0.75
    plain = tmp_path / "plain"
    run_finetune.main(flags(plain, *LORA, "--num_epochs_train", 1))
    sums = [load_file(one / reference.FILE)["valid"] for one in (run, plain)]
    assert abs(sums[0] - sums[1]).max() > 0.1


def test_an_adapter_needs_no_second_model_but_to_make_a_lost_reference_anew(
    from_adapter, flags, tmp_path, monkeypatch
):
    sft, run = from_adapter
    made, built = [], GPTForCausalLM.__init__
    monkeypatch.setattr(GPTForCausalLM, "__init__", lambda self, *arguments: (
        made.append(self), built(self, *arguments))[1])
    copy = without_later_steps(run, tmp_path / "kept")
    run_finetune.main(flags(copy, *LORA, "--resume", start=sft))
    assert len(made) == 1
    assert_same(copy, run)
    lost = without_later_steps(run, tmp_path / "lost")
    (lost / reference.FILE).unlink()
    run_finetune.main(flags(lost, *LORA, "--resume", start=sft))
    assert len(made) == 3
    assert_same(lost, run)
    new = tmp_path / "new"
    run_finetune.main(flags(new, *LORA, "--num_epochs_train", 1, start=sft))
    assert len(made) == 4


def test_a_fall_of_the_chosen_responses_is_told_once(flags, tmp_path, capsys):
    """Held-out pairs that are the wrong way round: what is learned makes them less likely."""
    path = tmp_path / "turned.jsonl"
    path.write_text("".join(json.dumps(row | {
        "chosen": row["rejected"], "rejected": row["chosen"]}) + "\n" for row in ROWS[16:]))
    words = flags(tmp_path / "run", "--valid_data", path)
    del words[words.index("--split") : words.index("--split") + 2]
    run_finetune.main(words)
    (told,) = events(tmp_path / "run", "warning")
    assert told.startswith("the chosen responses of the validation part have become less likely")
    assert "24 pairs" not in told and "22 pairs, 8 held out, 0 for the test" in (
        capsys.readouterr().out)


@pytest.mark.parametrize("more", [
    ("--dpo_loss", "sigmoid", "--label_smoothing", 0.1), ("--dpo_loss", "ipo", "--beta", 0.05),
    ("--dpo_loss", "hinge"), ("--response_mask", "legacy", "--sft_weight", 0.2),
    ("--prompt_style", "phi3", "--dpo_loss", "ipo_norm"),
    ("--prompt_style", "chat", "--chat_template", "chatml"),
])
def test_each_form_of_loss_and_text_learns(flags, tmp_path, more, capsys):
    run_finetune.main(flags(tmp_path / "run", "--samples", 0, *more))
    first, *_, last = records(tmp_path / "run", "valid_loss")
    assert first["valid_margin"] == 0.0 and last["valid_accuracy"] >= 0.75
    told = capsys.readouterr().out
    form = dict(zip(more[::2], more[1::2], strict=True)).get("--dpo_loss", "sigmoid_norm")
    kind = "mean" if form.endswith("_norm") else "sum"
    assert f"loss {form}, with a response's log-probability as the {kind} over its tokens" in told
    assert not records(tmp_path / "run", "completions")


@pytest.mark.parametrize(("more", "message"), [
    (("--label_smoothing", 0.1), "--label_smoothing 0.1 is for --dpo_loss sigmoid, not for "
     "sigmoid_norm"),
    (("--dpo_loss", "ipo", "--label_smoothing", 0.1), "not for ipo"),
    (("--dpo_loss", "hinge", "--label_smoothing", 0.1), "not for hinge"),
    (("--dpo_loss", "sigmoid", "--label_smoothing", 0.5), "must lie in [0, 0.5)"),
    (("--beta", 0), "--beta must be positive and finite, got 0.0"),
    (("--sft_weight", -1), "--sft_weight must not be negative"),
    (("--dpo_loss", "robust"), "invalid choice: 'robust'"),
    (("--response_mask", "legacy", "--prompt_style", "phi3"),
     "legacy is for --prompt_style alpaca, not for phi3"),
    (("--data", "TALK"), "line 1: a conversation does not go with --prompt_style alpaca"),
    (("--data", "TIES"), "leaves nothing to train on: all 3 pairs of the training part"),
    (("--data", "BROKEN"), "line 2: rejected is missing, expected a text"),
    (("--max_seq_length", 65), "--max_seq_length 65 is beyond the model's 64 positions"),
    (("--metric_for_best_model", "perplexity"), "dpo measures loss, accuracy, margin"),
])
def test_a_mistake_is_one_clear_line(flags, tmp_path, capsys, more, message):
    talk = {"chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}],
            "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "B"}]}
    broken = [ROWS[0], {"instruction": "x", "chosen": "y"}]
    for name, rows in (("TALK", [talk] * 4), ("TIES", [ROWS[3]] * 5), ("BROKEN", broken)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        more = [tmp_path / f"{name}.jsonl" if word == name else word for word in more]
    with pytest.raises(SystemExit) as stop:
        run_finetune.main(flags(tmp_path / "run", *more))
    error = capsys.readouterr().err
    assert stop.value.code == 2 and message in error and error.count("\n") == 1, error
    assert not (tmp_path / "run").exists()


def test_it_needs_weights_to_start_from(flags, tmp_path, capsys):
    words = flags(tmp_path / "run", "--model_name_or_path", "gpt2.sm")
    del words[words.index("--init_from") : words.index("--init_from") + 2]
    with pytest.raises(SystemExit):
        run_finetune.main(words)
    assert "--task dpo starts from a model that is trained" in capsys.readouterr().err
