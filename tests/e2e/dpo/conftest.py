"""A model to start from, preference data, and the command line of runs on them."""

import json
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from data_tools.instructions.prompts import prompt_text
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.model import GPTForCausalLM, initialize
from tests.e2e.dpo.runs import BETA, EPOCHS, ROWS


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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
