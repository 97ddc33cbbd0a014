"""A checkpoint over which transformers or peft has saved something is weights, and not damaged."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

import run_generation
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState, manifest
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert.hugging_face import to_hf
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.optim.adamw import build_optimizer
from tests.paddle_impl.checkpoint import low_rank

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """output_dir with model_3 and model_6."""
    model = GPTForCausalLM(ModelConfig(n_layer=1, n_embd=8, n_head=1, vocab_size=270,
                                       n_positions=32, bos_token_id=256, eos_token_id=256))
    initialize(model, 0)
    optimizer = build_optimizer(model, learning_rate=0.01, weight_decay=0.1)
    output = tmp_path_factory.mktemp("saved")
    for step in (3, 6):
        state = TrainingState(step, 4 * step, 1, "k", "o", None, 4, {})
        checkpoint.save(output, model, optimizer, state, Tokenizer.byte_level())
    return output


@pytest.fixture
def output(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "output")


def tokenizer_saved(path):
    transformers.AutoTokenizer.from_pretrained(path).save_pretrained(path)


def model_saved(path, **options):
    """By transformers, after it was trained on: a bias is 1."""
    model = transformers.GPT2LMHeadModel.from_pretrained(path)
    model.transformer.ln_f.bias.data.fill_(1)
    model.save_pretrained(path, **options)


def sharded(path):
    model_saved(path, max_shard_size="2KB")


def as_transformers_4(path):
    """The tokenizer's files as that version writes them."""
    file = path / "tokenizer_config.json"
    told = json.loads(file.read_text()) | {"clean_up_tokenization_spaces": True}
    token = {"content": "<|endoftext|>", "lstrip": False, "normalized": False, "special": True}
    file.write_text(json.dumps(told | {"added_tokens_decoder": {"256": token}}))
    (path / "special_tokens_map.json").write_text('{"eos_token": "<|endoftext|>"}')


def adapter_saved(path):
    """As peft saves an adapter into the directory of its base."""
    told = {"peft_type": "LORA", "base_model_name_or_path": str(path), "r": 2}
    (path / "adapter_config.json").write_text(json.dumps(told))
    save_file({"base_model.model.a": np.ones(2, np.float32)}, path / "adapter_model.safetensors")
    (path / "README.md").write_text("# an adapter")


REWRITTEN = {
    tokenizer_saved: ["tokenizer_config.json replaced"],
    as_transformers_4: ["special_tokens_map.json replaced", "tokenizer_config.json replaced"],
    model_saved: ["config.json replaced", "generation_config.json added",
                  "model.safetensors replaced"],
    sharded: ["config.json replaced", "model-00001-of-00005.safetensors added",
              "model.safetensors.index.json added"],
    adapter_saved: ["adapter_config.json added", "adapter_model.safetensors added",
                    "without the adapter"],
}
by_each = pytest.mark.parametrize("rewrite", REWRITTEN)


@by_each
def test_it_is_opened_as_weights_and_said(output, rewrite, capsys):
    path = output / "model_6"
    rewrite(path)
    with pytest.warns(UserWarning) as told:
        model = checkpoint.load_language_model(path)
    (warning,) = told
    assert str(warning.message).startswith(f"{path} was written over by transformers or peft (")
    assert "training cannot be resumed from it" in str(warning.message)
    for part in REWRITTEN[rewrite]:
        assert part in str(warning.message)
    trained_on = rewrite in (model_saved, sharded)
    assert (to_hf(model)["transformer.ln_f.bias"] == 1).all() == trained_on
    run_generation.main(["--model_name_or_path", str(path), "--device", "cpu", "--prompt", "a",
                         "--max_dec_len", "3", "--output_file", "-"])
    assert json.loads(capsys.readouterr().out)["prompt"] == "a"


@by_each
def test_a_run_continues_from_the_one_before_and_keeps_it(output, rewrite):
    rewrite(output / "model_6")
    files = {path.name: path.read_bytes() for path in (output / "model_6").iterdir()}
    notes = []
    assert checkpoint.newest(output, notes) == output / "model_3"
    (note,) = notes
    assert "damaged" not in note and note.endswith("continuing from model_3")
    assert checkpoint.load_state(output / "model_6") is None
    assert checkpoint.make_way(output, 3) == [
        f"{output}/model_6 is set aside as rewritten_model_6"]
    aside = output / "rewritten_model_6"
    assert {path.name: path.read_bytes() for path in aside.iterdir()} == files


def test_where_all_are_written_over_nothing_can_be_resumed(output):
    for step in (3, 6):
        tokenizer_saved(output / f"model_{step}")
    with pytest.raises(ValueError, match="can be resumed: .*model_6 was written over .*model_3"):
        checkpoint.newest(output)


def test_what_is_not_of_the_files_that_were_replaced_is_still_damaged(output):
    path = output / "model_6"
    tokenizer_saved(path)
    content = bytearray((path / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (path / "model.safetensors").write_bytes(content)
    assert manifest.problem(path).startswith("model.safetensors: damaged")
    with pytest.raises(ValueError, match="model.safetensors: damaged"):
        checkpoint.load_model(path)
    assert "is damaged" in _note(output)
    model_saved(output / "model_3")
    optimizer = output / "model_3" / "optimizer.safetensors"
    optimizer.write_bytes(optimizer.read_bytes()[:-1])
    assert manifest.problem(output / "model_3").startswith("optimizer.safetensors: damaged")


def _note(output):
    notes = []
    checkpoint.newest(output, notes)
    return notes[0]


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "tokenizer.json"])
def test_a_change_that_neither_program_makes_is_damage(output, name):
    file = output / "model_6" / name
    file.write_text(json.dumps(json.loads(file.read_text()) | {"a": 1}))
    assert manifest.problem(output / "model_6").startswith(f"{name}: damaged")


def test_weights_that_are_cut_short_afterwards_are_named(output):
    path = output / "model_6"
    model_saved(path)
    weights = path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(ValueError, match="model.safetensors is damaged"):
        checkpoint.load_model(path)


def test_an_adapter_of_peft_is_told_from_others_by_the_base_that_it_names(base, tmp_path):
    model = low_rank.adapted(base)
    path, _ = low_rank.saved(tmp_path / "adapter", model)
    told = json.loads((path / "adapter_config.json").read_text())
    del told["base_sha256"]  # peft drops what it does not know
    (path / "adapter_config.json").write_text(json.dumps(told))
    again = low_rank.adapted(base)
    checkpoint.load_weights(path, again)
    assert checkpoint.load_state(path) is None
