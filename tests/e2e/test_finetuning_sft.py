"""run_finetune.py --task sft: a model learns to answer, from records as users have them."""

import json
import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import paddle
import pytest

import run_finetune
import run_generation
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.model import ModelConfig
from tests.conftest import ROOT
from tests.e2e import sft_data
from tests.e2e.sft_data import RECORDS, STEPS, TEST, TRAIN, records


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return sft_data.write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def flags(base):
    return partial(sft_data.flags, base)


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("trained") / "run"
    run_finetune.main(sft_data.flags(base, run))
    return run


def test_the_held_out_responses_become_likelier(trained):
    measured = records(trained, "valid_response_loss")
    assert [record["step"] for record in measured] == [*range(3, STEPS, 3), STEPS]
    assert measured[-1]["valid_response_loss"] < 0.5 * measured[0]["valid_response_loss"]
    assert measured[-1]["valid_loss"] < measured[0]["valid_loss"]
    assert records(trained, "test_loss")[-1].keys() >= {"test_response_loss", "test_perplexity"}
    assert {record["lr"] for record in records(trained, "lr")} == {1e-2}


def test_what_is_measured_is_the_mean_over_the_responses(trained, base):
    """By hand, from the checkpoint: from the response's header to the end token."""
    tokenizer, total, count = Tokenizer.load(base), 0.0, 0
    model = checkpoint.load_language_model(checkpoint.newest(trained))
    model.eval()
    for one in RECORDS[TRAIN + TEST :]:
        before = ("Below is an instruction that describes a task. Write a response that "
                  "appropriately completes the request.\n\n### Instruction:\n" + one["instruction"]
                  + (f"\n\n### Input:\n{one['input']}" if one["input"] else ""))
        prompt = [*tokenizer.encode(before + "\n\n### Response:\n")]
        ids = [*prompt, *tokenizer.encode(one["output"]), tokenizer.eos_token_id]
        logits = model(paddle.to_tensor([ids])).numpy()[0].astype(np.float64)
        logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        for place in range(len(tokenizer.encode(before)), len(ids)):
            total, count = total - logs[place - 1, ids[place]], count + 1
    assert records(trained, "valid_response_loss")[-1]["valid_response_loss"] == pytest.approx(
        total / count, rel=1e-5)


def test_samples_come_after_each_epoch_and_responses_at_the_end(trained):
    samples = records(trained, "completions")
    assert [record["step"] for record in samples] == [
        9, 18, 24, 33, 42, 48, 57, STEPS]
    (sample,) = samples[-1]["completions"]
    assert sample["prompt"].endswith("### Response:\n") and sample["text"]
    found = json.loads((trained / "instruction-data-with-response.json").read_text())
    told = RECORDS[TRAIN : TRAIN + TEST]
    assert [{key: one[key] for key in ("instruction", "input", "output")} for one in found] == told
    assert {one["model_response"] for one in found} <= {one["output"] for one in RECORDS}


def test_the_checkpoint_answers_in_a_chat(trained, base):
    """The template that is saved writes the prompts that the model was trained with."""
    tokenizer = Tokenizer.load(checkpoint.newest(trained))
    assert tokenizer.fingerprint() == Tokenizer.load(base).fingerprint()
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Write cat."}],
                                         add_generation_prompt=True)
    assert text.startswith("Below is an instruction that describes a task.")
    assert text.endswith("### Instruction:\nWrite cat.\n\n### Response:\n")


def test_generation_with_the_template_writes_the_same_responses(trained, tmp_path, capsys):
    prompts = [f"{one['instruction']}\n\n### Input:\n{one['input']}"
               for one in RECORDS[TRAIN : TRAIN + TEST]]
    run_generation.main(["--model_name_or_path", str(checkpoint.newest(trained)), "--chat",
                         "--prompt", *prompts, "--decode_strategy", "greedy_search",
                         "--max_dec_len", "12", "--device", "cpu",
                         "--output_file", str(tmp_path / "out.jsonl")])
    told = capsys.readouterr().out
    written = [json.loads(line)["text"] for line in (tmp_path / "out.jsonl").open()]
    found = json.loads((trained / "instruction-data-with-response.json").read_text())
    assert [text.strip() for text in written] == [one["model_response"] for one in found]
    assert all(f"{prompt}\n{text}" in told for prompt, text in zip(prompts, written, strict=True))


def test_a_command_answers_a_file_as_the_run_does(trained, base, tmp_path):
    """The records alone differ in what they say of the style: the checkpoint's template tells it.
    """
    out = tmp_path / "answers.json"
    run_generation.main([
        "--model_name_or_path", str(checkpoint.newest(trained)), "--instructions",
        str(base / "records.json"), "--split", "85,10,5", "--output_file", str(out),
        "--decode_strategy", "greedy_search", "--max_dec_len", "12", "--device", "cpu"])
    assert out.read_bytes() == (trained / "instruction-data-with-response.json").read_bytes()


@pytest.mark.parametrize("more, message", [
    (["--instructions", "x.json"], "--instructions needs --output_file"),
    (["--split", "1,1"], "--split 1,1 means nothing without --instructions"),
    (["--instructions", "x.json", "--output_file", "o", "--prompt", "a"],
     "--prompt means nothing with --instructions"),
    (["--instructions", "x.json", "--output_file", "o", "--num_return_sequences", "2"],
     "--instructions keeps one answer")])
def test_what_does_not_go_with_a_file_of_instructions(more, message, capsys):
    with pytest.raises(SystemExit):
        run_generation.parse(["--model_name_or_path", "m", *more])
    assert message in capsys.readouterr().err


def weights(run: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in run.glob("model_*/model.safetensors")}


def test_resumed_it_is_the_same_run(trained, flags, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    (run / "instruction-data-with-response.json").unlink()
    for step, path in checkpoint.checkpoints(run).items():
        if step > 6:
            shutil.rmtree(path)
    run_finetune.main(flags(run, "--resume"))
    assert weights(run) == weights(trained) and len(weights(run)) == -(-STEPS // 6)
    for key in ("loss", "valid_loss", "completions"):
        assert [r[key] for r in records(run, key)] == [r[key] for r in records(trained, key)]
    name = "instruction-data-with-response.json"
    assert (run / name).read_bytes() == (trained / name).read_bytes()


@pytest.mark.parametrize("more, what", [
    (["--loss_on", "response"], "another examples"), (["--prompt_style", "phi3"], "examples"),
    (["--group_by_length", "false"], "another order key"),
    (["--add_tokens", "[INST]"], "another tokenizer"), (["--accumulation_steps", "2"], "batch")])
def test_another_recipe_does_not_continue_it(trained, flags, tmp_path, capsys, more, what):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    with pytest.raises(SystemExit):
        run_finetune.main(flags(run, "--resume", "--num_epochs_train", 9, *more))
    assert what in capsys.readouterr().err


def test_the_loss_of_the_response_alone(flags, tmp_path):
    run = tmp_path / "run"
    run_finetune.main(flags(run, "--loss_on", "response", "--num_epochs_train", 2))
    for record in (*records(run, "valid_loss"), *records(run, "lr")):
        own = "valid_loss" if "valid_loss" in record else "loss"
        assert record[own] == pytest.approx(record[own.replace("loss", "response_loss")], rel=1e-5)


def test_packed_rows_are_fewer_and_learn(flags, tmp_path, capsys):
    run = tmp_path / "run"
    run_finetune.main(flags(run, "--packing", "segments", "--per_gpu_train_batch_size", 2))
    steps = records(run, "lr")
    assert len(steps) < STEPS and f"{TRAIN} examples in " in capsys.readouterr().out
    assert steps[-1]["loss"] < steps[0]["loss"]


def test_the_defaults_are_those_of_the_recipe():
    config = run_finetune.parse(["--task", "sft", "--data", "d.json", "--output_dir", "o",
                                 "--model_name_or_path", "gpt2-medium"])
    told = config.flat()
    assert {name: told[name] for name in (
        "max_lr", "scheduler", "weight_decay", "num_epochs_train", "per_gpu_train_batch_size",
        "eval_freq", "eval_iters", "seed", "split", "max_dec_len", "decode_strategy", "loss_on",
        "hidden_dropout_prob", "grad_clip")} == {
        "max_lr": 5e-5, "scheduler": "constant", "weight_decay": 0.1, "num_epochs_train": 2,
        "per_gpu_train_batch_size": 5, "eval_freq": 5, "eval_iters": 5, "seed": 123,
        "split": "85,10,5", "max_dec_len": 256, "decode_strategy": "greedy_search",
        "loss_on": "all", "hidden_dropout_prob": 0.0, "grad_clip": 0.0}
    assert config.of_length(187).training.max_steps == 374


def test_two_processes_are_one(base, trained, launch, tmp_path):
    """Each takes half of a step's examples, which are the same ones."""
    run = tmp_path / "run"
    job = launch(*sft_data.flags(base, run, "--per_gpu_train_batch_size", 2,
                                 "--dp_degree", 2), script="run_finetune.py")
    assert job.wait() == 0, job.said()
    for key in ("loss", "valid_response_loss"):
        pairs = zip(records(run, key), records(trained, key), strict=True)
        assert all(one[key] == pytest.approx(other[key], rel=1e-3) for one, other in pairs)
    name = "instruction-data-with-response.json"
    assert (run / name).read_bytes() == (trained / name).read_bytes()


def test_a_new_model_learns_the_shared_instructions(tmp_path, capsys):
    path = Path(os.environ.get("GPT_SHARED_DATA", ROOT.parent / "shared" / "data"),
                "instruct", "instruction-data.json")
    if not path.is_file():
        pytest.skip(f"{path} is not there; set GPT_SHARED_DATA")
    texts = [" ".join(one.values()) for one in json.loads(path.read_text())]
    tokenizer = Tokenizer.train(texts, 512)
    tokenizer.save(tmp_path / "tokenizer")
    shape = ModelConfig(n_layer=2, n_embd=64, n_head=2, n_positions=256, bos_token_id=0,
                        vocab_size=tokenizer.vocab_size, eos_token_id=0)
    (tmp_path / "shape.json").write_text(json.dumps(shape.to_hf()))
    run_finetune.main(sft_data.flags(
        tmp_path / "shape.json", tmp_path / "run", "--data", path, "--tokenizer",
        tmp_path / "tokenizer", "--per_gpu_train_batch_size", 16, "--num_epochs_train", 1,
        "--lr", 3e-3, "--eval_freq", 20, "--max_dec_len", 4))
    assert "935 examples of style alpaca, loss on all; 55 held out, 110 for the test" in \
        capsys.readouterr().out
    losses = [one["valid_response_loss"] for one in records(tmp_path / "run", "valid_loss")]
    assert len(losses) == 3 and losses[-1] < 0.9 * losses[0]
    answered = json.loads((tmp_path / "run" / "instruction-data-with-response.json").read_text())
    assert len(answered) == 110
