"""run_finetune.py --task sft: a model learns to answer, from records as users have them."""

import json
import shutil
from pathlib import Path

import numpy as np
import paddle
import pytest
from safetensors.numpy import load_file, save_file

import run_finetune
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.model import GPTForCausalLM, initialize

ANIMALS = ("cat", "dog", "cow", "hen", "pig", "fox")
RECORDS = [{"instruction": f"Write {animal}{' loudly' * loud}.", "input": extra,
            "output": f"The {animal} says {'HELLO' if loud else 'hello'}."}
           for loud in (0, 1) for extra in ("", "now", "again") for animal in ANIMALS]
TRAIN, TEST = 30, 3  # of 36, in the order of the file; 3 are left for validation
BATCH, EPOCHS = 4, 8
STEPS = EPOCHS * -(-TRAIN // BATCH)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A checkpoint as transformers writes it, of a model that has learned nothing."""
    directory = tmp_path_factory.mktemp("base")
    texts = [f"{one['instruction']} {one['output']}\nBelow is an instruction that describes a task."
             " Write a response that appropriately completes the request.\n\n### Instruction:\n"
             "\n\n### Input:\n\n\n### Response:\n" for one in RECORDS]
    tokenizer = Tokenizer.train(texts, 400)
    tokenizer.save(directory)
    model = GPTForCausalLM(ModelConfig(
        n_layer=2, n_embd=32, n_head=2, vocab_size=tokenizer.vocab_size, n_positions=256,
        bos_token_id=0, eos_token_id=0))
    initialize(model, 0)
    (directory / "config.json").write_text(json.dumps(model.config.to_hf()))
    save_file(hugging_face.to_hf(model), directory / "model.safetensors", {"format": "pt"})
    return directory


@pytest.fixture(scope="module")
def data(base) -> Path:
    (base / "data").mkdir()
    (base / "data" / "records.json").write_text(json.dumps(RECORDS))
    return base / "data" / "records.json"


@pytest.fixture(scope="module")
def flags(base, data):
    def build(output_dir, *more) -> list[str]:
        return [str(word) for word in (
            "--task", "sft", "--model_name_or_path", base, "--output_dir", output_dir,
            "--data", data, "--per_gpu_train_batch_size", BATCH, "--num_epochs_train", EPOCHS,
            "--lr", 1e-2, "--eval_freq", 3, "--save_steps", 6, "--keep_checkpoints", 0,
            "--max_dec_len", 12, "--report_to", "none", "--peak_tflops", 1, "--device", "cpu",
            *more)]

    return build


def records(run: Path, key: str) -> list[dict]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if key in (record := json.loads(line))]


@pytest.fixture(scope="module")
def trained(flags, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("trained") / "run"
    run_finetune.main(flags(run))
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
    assert all(one["model_response"].startswith("The") for one in found)
    assert any(one["model_response"] == one["output"] for one in found)


def test_the_checkpoint_answers_in_a_chat(trained, base):
    """The template that is saved writes the prompts that the model was trained with."""
    tokenizer = Tokenizer.load(checkpoint.newest(trained))
    assert tokenizer.fingerprint() == Tokenizer.load(base).fingerprint()
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Write cat."}],
                                         add_generation_prompt=True)
    assert text.startswith("Below is an instruction that describes a task.")
    assert text.endswith("### Instruction:\nWrite cat.\n\n### Response:\n")


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


def talks(folder: Path) -> Path:
    path = folder / "talks.jsonl"
    path.write_text("".join(json.dumps({"messages": [
        {"role": "user", "content": f"Write {animal}."},
        {"role": "assistant", "content": f"The {animal}."},
        {"role": "user", "content": "Again."},
        {"role": "assistant", "content": f"The {animal} again."}]}) + "\n" for animal in ANIMALS))
    return path


@pytest.mark.parametrize("lora", [[], ["--lora_dim", "2"]])
def test_a_chat_with_control_tokens(flags, tmp_path, lora):
    """Added tokens are trained, also where all else but the adapter is frozen."""
    run, path = tmp_path / "run", talks(tmp_path)
    run_finetune.main(flags(
        run, "--data", path, "--valid_data", path, "--prompt_style", "chat", "--chat_template",
        "llama2", "--add_tokens", "[INST]", "[/INST]", "--loss_on", "response", *lora))
    newest = checkpoint.newest(run)
    tokenizer = Tokenizer.load(newest)
    added = [tokenizer.special_tokens[token] for token in ("[INST]", "[/INST]")]
    config = checkpoint.load_config(newest)
    assert added == [config.vocab_size - 2, config.vocab_size - 1]
    if lora:
        stored = load_file(newest / "adapter_model.safetensors")
        rows = next(value for name, value in stored.items() if value.shape == (2, 32))
    else:
        rows = load_file(newest / "model.safetensors")["transformer.wte.weight"][added]
    assert np.abs(rows[0] - rows[1]).max() > 1e-3  # both began as the mean of the others
    assert tokenizer.apply_chat_template([{"role": "user", "content": "Q"}]) == \
        "<|endoftext|>[INST]Q[/INST]"
    losses = records(run, "valid_response_loss")
    assert losses[-1]["valid_response_loss"] < losses[0]["valid_response_loss"]


def test_what_is_left_out_is_said_and_recorded(flags, tmp_path, capsys):
    path = tmp_path / "some.json"
    empty, long = ({"instruction": "x", "output": ""},
                   {"instruction": " ".join(ANIMALS * 60), "output": "y"})
    path.write_text(json.dumps([empty, *RECORDS[:8], long]))
    run = tmp_path / "run"
    run_finetune.main(flags(run, "--data", path, "--split", "1", "--loss_on", "response",
                            "--keep_best", "false"))
    told = capsys.readouterr().out
    assert "dropped: 2 of 10 records of the training part" in told
    assert f"{path}, record 1: output is empty; {path}, record 10: no label is left within " \
        "256 tokens" in told
    (event,) = records(run, "event")
    assert event["event"] == "dropped" and event["message"] in told
    state = json.loads((checkpoint.newest(run) / "training_state.json").read_text())
    assert state["data"]["dropped"] == [event["message"]]


@pytest.mark.parametrize("more, message", [
    (["--prompt_style", "chat"], "the tokenizer has no chat template: name one with"),
    (["--chat_template", "llama2"], "--chat_template means nothing with --prompt_style alpaca"),
    (["--split", "1,1"], "--keep_best needs a valid split"),
    (["--split", "0,1"], "leaves nothing to train on"),
    (["--valid_data", "V", "--split", "1"], "--split 1 means nothing with --valid_data"),
    (["--test_data", "T"], "--test_data needs --valid_data"),
    (["--max_seq_length", "257"], "--max_seq_length 257 is beyond the model's 256 positions"),
    (["--data", "none.json"], "none.json cannot be read: No such file or directory"),
    (["--add_tokens", "a"], "'a' cannot be added as a special token"),
    (["--model_name_or_path", "nowhere"], "nowhere"),
    (["--model_name_or_path", "gpt2-en"], "a new model needs --tokenizer"),
    (["--packing", "segments", "--group_by_length", "false"], "--group_by_length false means"),
])
def test_a_mistake_is_one_clear_line(flags, tmp_path, capsys, more, message):
    with pytest.raises(SystemExit) as stop:
        run_finetune.main(flags(tmp_path / "run", *more))
    error = capsys.readouterr().err
    assert stop.value.code == 2 and message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


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
