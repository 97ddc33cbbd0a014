"""run_finetune.py --task dpo: preferences, as a user trains on them."""

import json
import math
from pathlib import Path

import pytest

import run_finetune
from data_tools.instructions.prompts import prompt_text
from paddle_impl import checkpoint
from paddle_impl.finetuning import reference
from tests.e2e.dpo.runs import (
    BETA,
    ROWS,
    STEPS,
    TEST,
    TRAIN,
    assert_same,
    events,
    records,
    weights,
    without_later_steps,
)


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
    assert state["data"]["dropped"] == [
        "training: 1, chosen equals rejected", "training: 1, chosen is empty"]
    assert state["schedule"]["dpo_loss"] == "sigmoid_norm"


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
