"""run_finetune.py --task dpo: preferences, as a user trains on them."""

import json
import math
import shutil
from itertools import product
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

import run_finetune
from data_tools.instructions.prompts import prompt_text
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.finetuning import reference
from paddle_impl.model import GPTForCausalLM, initialize

THINGS, KINDS = ("cat", "dog", "sun", "moon", "tree", "fish"), ("red", "blue", "new", "big")
# Polite and rude answers, of different lengths. The fourth pair is a tie, the sixth has no answer.
ROWS = [{"instruction": f"Describe the {thing}.", "input": kind if kind != "new" else "",
         "chosen": f"The {thing} is {kind}, thank you.",
         "rejected": f"The {thing} is {kind}, now go away and leave me."}
        for kind, thing in product(KINDS, THINGS)]
ROWS[3]["rejected"] = ROWS[3]["chosen"]
ROWS[5]["chosen"] = " "
TRAIN, TEST = 16, 4  # of 24, by --split 70,20,10; 14 are trained on
EPOCHS = 4
STEPS = EPOCHS * 4
BETA = 0.5


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A checkpoint as transformers writes it; its model has dropout, which the task switches off.
    """
    directory = tmp_path_factory.mktemp("base")
    texts = [prompt_text("alpaca", row["instruction"], row["input"]) + row[side] + "\n"
             for row in ROWS for side in ("chosen", "rejected")]
    tokenizer = Tokenizer.train([text * 9 for text in texts], 400)
    tokenizer.save(directory)
    end = tokenizer.eos_token_id
    model = GPTForCausalLM(ModelConfig(
        n_layer=1, n_embd=16, n_head=2, vocab_size=tokenizer.vocab_size, n_positions=64,
        embd_pdrop=0.5, resid_pdrop=0.5, attn_pdrop=0.5, bos_token_id=end, eos_token_id=end))
    initialize(model, 0)
    (directory / "config.json").write_text(json.dumps(model.config.to_hf()))
    save_file(hugging_face.to_hf(model), directory / "model.safetensors", {"format": "pt"})
    return directory


@pytest.fixture(scope="module")
def pairs(base) -> Path:
    path = base / "pairs.json"
    path.write_text(json.dumps(ROWS))
    return path


@pytest.fixture
def flags(base, pairs):
    def build(output_dir, *more, start=base) -> list[str]:
        return [str(word) for word in (
            "--task", "dpo", "--init_from", start, "--output_dir", output_dir, "--data", pairs,
            "--split", "70,20,10", "--num_epochs_train", EPOCHS, "--lr", 1e-2, "--beta", BETA,
            "--eval_freq", 4, "--save_steps", 4, "--keep_checkpoints", 0, "--max_dec_len", 8,
            "--report_to", "none", "--peak_tflops", 1, "--device", "cpu", *more)]

    return build


def records(run: Path, key: str) -> list[dict]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if key in (record := json.loads(line))]


def events(run: Path, kind: str) -> list[str]:
    return [record["message"] for record in records(run, "event") if record["event"] == kind]


def weights(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes()
            for path in run.glob("model_*/*model.safetensors")}


def without_later_steps(run: Path, copy: Path, step: int = 4) -> Path:
    """A copy of the run as a kill after that step would have left it."""
    shutil.copytree(run, copy)
    for at, path in checkpoint.checkpoints(copy).items():
        if at > step:
            shutil.rmtree(path)
    return copy


def assert_same(run: Path, other: Path) -> None:
    assert weights(run) == weights(other) and len(weights(run)) == STEPS // 4
    for key in ("loss", "margin", "valid_margin", "valid_accuracy", "completions"):
        assert [r[key] for r in records(run, key)][-4:] == [
            r[key] for r in records(other, key)][-4:], key


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tmp_path_factory.mktemp("whole") / "run"


@pytest.fixture
def trained(whole, flags, capsys) -> Path:
    if not whole.exists():
        run_finetune.main(flags(whole, "--report_to", "tensorboard"))
        (whole / "told.txt").write_text(capsys.readouterr().out)
    return whole


def test_it_starts_at_one_half_and_learns_which_response_is_chosen(trained):
    measured = records(trained, "valid_loss")
    assert [record["step"] for record in measured] == [0, 4, 8, 12, 16]
    first, last = measured[0], measured[-1]
    assert first["valid_accuracy"] == 0.5 and first["valid_margin"] == 0.0
    assert first["valid_loss"] == pytest.approx(math.log(2), rel=1e-6)
    assert last["valid_accuracy"] >= 0.75 and last["valid_loss"] < 0.6
    (test,) = records(trained, "test_accuracy")
    assert test["test_accuracy"] >= 0.75
    assert last["valid_margin"] == pytest.approx(BETA * last["valid_unscaled_margin"], rel=1e-5)
    assert last["valid_margin"] == pytest.approx(
        last["valid_chosen_reward"] - last["valid_rejected_reward"], rel=1e-4)
    # The reward is of the log-probability since step 0, both as means over the tokens.
    assert last["valid_chosen_reward"] == pytest.approx(
        BETA * (last["valid_chosen_logp"] - first["valid_chosen_logp"]), rel=1e-3)
    steps = records(trained, "lr")
    assert len(steps) == STEPS and steps[0]["loss"] == pytest.approx(math.log(2), rel=1e-5)
    assert all(name in steps[0] for name in (
        "accuracy", "margin", "unscaled_margin", "chosen_reward", "rejected_reward", "chosen_logp",
        "rejected_logp"))


def test_the_log_says_what_the_loss_is_and_what_is_left_out(trained, pairs):
    told = (trained / "told.txt").read_text()
    assert ("14 pairs, 4 held out, 4 for the test; DPO's loss sigmoid_norm, with a response's "
            "log-probability as the mean over its tokens, beta 0.5; 16 steps of 4 an epoch") in told
    dropped = events(trained, "dropped")
    assert dropped == [
        f"1 of 16 pairs of the training part, because chosen equals rejected: {pairs}, record 4",
        f"1 of 16 pairs of the training part, because chosen is empty: {pairs}, record 6"]
    assert all(message in told for message in dropped)
    state = json.loads((checkpoint.newest(trained) / "training_state.json").read_text())
    assert state["data"]["dropped"] == dropped and state["schedule"]["dpo_loss"] == "sigmoid_norm"


def test_samples_of_policy_and_reference_stand_side_by_side(trained):
    shown = records(trained, "completions")
    assert [record["step"] for record in shown] == [4, 8, 12, 16]
    for number in (0, 1):
        texts = [record["completions"][number] for record in shown]
        assert {one["prompt"] for one in texts} == {
            prompt_text("alpaca", *(ROWS[TRAIN + TEST + number][key]
                                    for key in ("instruction", "input")))}
        before = {one["text"].partition("\n[reference] ")[2] for one in texts}
        after = {one["text"].partition("\n[reference] ")[0] for one in texts}
        assert len(before) == 1 and len(after) > 1
        assert all(text.startswith("\n[policy] ") for text in after)


def test_pictures_are_drawn(trained):
    for name in ("curves.png", "rewards.png"):
        assert (trained / name).read_bytes().startswith(b"\x89PNG")


def test_resumed_it_is_the_same_run(trained, flags, tmp_path):
    run = without_later_steps(trained, tmp_path / "run")
    before = (run / reference.FILE).stat()
    run_finetune.main(flags(run, "--resume"))
    assert_same(run, trained)
    after = (run / reference.FILE).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert "as they were made before" in events(run, "reference")[-1]


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_reference_that_is_lost_is_made_anew_from_where_the_run_began(
    trained, flags, tmp_path, damage
):
    run = without_later_steps(trained, tmp_path / "run")
    if damage == "missing":
        (run / reference.FILE).unlink()
    else:
        (run / reference.FILE).write_bytes(b"damaged")
    run_finetune.main(flags(run, "--resume"))
    assert_same(run, trained)
    assert (run / reference.FILE).read_bytes() == (trained / reference.FILE).read_bytes()
    assert f"made anew because {run / reference.FILE} is {damage}" in events(run, "reference")[-1]


def test_a_run_that_began_elsewhere_is_not_continued(trained, flags, tmp_path, capsys):
    run = without_later_steps(trained, tmp_path / "run")
    with pytest.raises(SystemExit):
        run_finetune.main(flags(run, "--resume", start=checkpoint.newest(trained)))
    assert "another start, which is the reference: " in capsys.readouterr().err


def test_other_settings_are_told_when_a_run_is_resumed(trained, flags, tmp_path, capsys):
    run = without_later_steps(trained, tmp_path / "run", step=12)
    run_finetune.main(flags(run, "--resume", "--beta", 0.25, "--sft_weight", 0.5))
    told = capsys.readouterr().out
    assert "beta 0.5 there, 0.25 now" in told and "sft_weight 0.0 there, 0.5 now" in told
    assert "chosen_nll" in records(run, "lr")[-1]


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


def test_two_processes_make_the_same_run(trained, flags, tmp_path, launch):
    run = tmp_path / "run"
    job = launch(*flags(run, "--train_batch_size", 2), script="run_finetune.py")
    assert job.wait() == 0, job.said()
    for key in ("loss", "margin", "valid_loss", "test_loss"):
        assert [r[key] for r in records(run, key)] == pytest.approx(
            [r[key] for r in records(trained, key)], rel=1e-3, abs=1e-5), key
    again = without_later_steps(run, tmp_path / "again")
    (again / reference.FILE).unlink()
    job = launch(*flags(again, "--train_batch_size", 2, "--resume"), script="run_finetune.py")
    assert job.wait() == 0, job.said()
    assert weights(again) == weights(run)


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
