"""run_finetune.py --task sft: conversations with control tokens, and what users do wrong."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import run_finetune
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from tests.e2e import sft_data
from tests.e2e.sft_data import ANIMALS, RECORDS, records


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return sft_data.write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def flags(base):
    return partial(sft_data.flags, base)


@pytest.mark.parametrize("lora", [[], ["--lora_dim", "2"]])
def test_a_chat_with_control_tokens(flags, tmp_path, lora):
    """Added tokens are trained, also where all else but the adapter is frozen."""
    run, path = tmp_path / "run", sft_data.write_talks(tmp_path / "talks.jsonl")
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


def test_added_tokens_are_trained_on_rows_that_the_weights_had_to_spare(tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    path = sft_data.write_talks(tmp_path / "talks.jsonl")
    run_finetune.main(sft_data.flags(
        sft_data.write_base(base, spare=8), tmp_path / "run", "--data", path, "--valid_data", path,
        "--prompt_style", "chat", "--chat_template", "llama2", "--add_tokens", "[INST]", "[/INST]",
        "--num_epochs_train", 1, "--lora_dim", 2))
    newest, before = checkpoint.newest(tmp_path / "run"), load_file(base / "model.safetensors")
    assert checkpoint.load_config(newest).vocab_size == len(before["transformer.wte.weight"])
    stored = load_file(newest / "adapter_model.safetensors")
    rows = next(value for value in stored.values() if value.shape == (2, 32))
    assert np.abs(rows - before["transformer.wte.weight"][-8:-6]).max(axis=1).min() > 1e-3


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
    assert state["data"]["dropped"] == [event["message"].replace(f"{tmp_path}/", "")]


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
