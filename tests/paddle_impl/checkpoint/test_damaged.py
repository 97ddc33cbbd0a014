"""A damaged checkpoint is named and not used; an older one replaces it, and no file is deleted."""

import json
import os
import shutil

import numpy as np
import pytest

import run_generation
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState, manifest
from paddle_impl.optim.adamw import build_optimizer
from parity.paddle_side import meeting

TENSORS = ["model.safetensors", "optimizer.safetensors"]
TOLD = ["config.json", *TENSORS, "training_state.json", "tokenizer.json", "vocab.json",
        "merges.txt", "tokenizer_config.json", "special_tokens_map.json"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """output_dir with model_3, model_6 and model_9, tokenizer and all."""
    from paddle_impl.config.model import ModelConfig
    from paddle_impl.model import GPTForCausalLM, initialize

    model = GPTForCausalLM(ModelConfig(n_layer=1, n_embd=8, n_head=1, vocab_size=270))
    initialize(model, 0)
    optimizer = build_optimizer(model, learning_rate=0.01, weight_decay=0.1)
    tokenizer = Tokenizer.train(iter(["def f(x):\n    return x\n" * 9]), 270)
    output = tmp_path_factory.mktemp("saved")
    for step in (3, 6, 9):
        state = TrainingState(step, 4 * step, 1, "k", "o", None, 4, {})
        checkpoint.save(output, model, optimizer, state, tokenizer)
    return output


@pytest.fixture
def output(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "output")


def flip(path, at=-1):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", [*TOLD, "manifest.json"])
@pytest.mark.parametrize("at", [0, -2])
def test_a_flipped_bit_is_found_named_and_fallen_back_from(output, name, at):
    flip(output / "model_9" / name, at)
    notes = []
    assert checkpoint.newest(output, notes) == output / "model_6"
    (note,) = notes
    assert note.startswith(f"{output}/model_9 is damaged ({name}: damaged, ")
    assert note.endswith("continuing from model_6")


def test_every_byte_of_the_manifest_counts(output):
    path = output / "model_9" / "manifest.json"
    content = path.read_bytes()
    for at, byte in enumerate(content):
        other = b"\t" if byte == ord(" ") else bytes([byte ^ 1])  # a tab, which is the same to JSON
        path.write_bytes(content[:at] + other + content[at + 1:])
        assert manifest.problem(output / "model_9"), at
    path.write_bytes(content)
    assert manifest.problem(output / "model_9") is None


@pytest.mark.parametrize(("damage", "what"), [
    (lambda path: path.write_bytes(path.read_bytes()[:-9]), r"damaged, \d+ bytes where manifest"),
    (lambda path: path.write_bytes(path.read_bytes() + b"x"), r"damaged, \d+ bytes where manifest"),
    (flip, "damaged, its SHA-256 is not that of manifest.json"),
    (os.unlink, "missing"),
])
@pytest.mark.parametrize("name", TENSORS)
def test_what_reads_a_damaged_file_names_it(output, name, damage, what):
    whole, path = output / "model_6", output / "model_9"
    model = checkpoint.load_model(whole)
    before = model.transformer.wte.weight.numpy()
    damage(path / name)
    optimizer = build_optimizer(model, learning_rate=0.01, weight_decay=0.1)
    with pytest.raises(ValueError, match=f"model_9/{name}: {what}.*; copy it again or take"):
        if name == TENSORS[0]:
            checkpoint.load_weights(path, model)
        else:
            checkpoint.load_optimizer(path, optimizer)
    np.testing.assert_array_equal(model.transformer.wte.weight.numpy(), before)


@pytest.mark.parametrize("name", sorted({*TOLD, "manifest.json"} - {"optimizer.safetensors",
                                                                   "training_state.json"}))
def test_generation_reads_no_damaged_file(output, name, capsys):
    argv = ["--model_name_or_path", str(output / "model_9"), "--device", "cpu", "--prompt", "def",
            "--max_dec_len", "1", "--num_return_sequences", "1"]
    run_generation.main(argv)
    flip(output / "model_9" / name)
    with pytest.raises(SystemExit):
        run_generation.main(argv)
    assert f"model_9/{name}: damaged, " in capsys.readouterr().err


def test_generation_needs_no_training_state(output):
    for name in ("optimizer.safetensors", "training_state.json"):
        (output / "model_9" / name).unlink()
    assert checkpoint.load_model(output / "model_9").config.n_embd == 8
    assert checkpoint.load_state(output / "model_9") is None


def test_a_damaged_state_is_refused(output):
    path = output / "model_9" / "training_state.json"
    path.write_text(path.read_text().replace('"step": 9', '"step": 8'))
    with pytest.raises(ValueError, match="training_state.json: damaged, its SHA-256"):
        checkpoint.load_state(path.parent)


def test_format_2_must_have_its_manifest(output):
    (output / "model_9" / "manifest.json").unlink()
    with pytest.raises(ValueError, match="model_9/manifest.json: missing"):
        checkpoint.load_model(output / "model_9")
    notes = []
    assert checkpoint.newest(output, notes) == output / "model_6"
    assert "model_9 is damaged (manifest.json: missing)" in notes[0]


def test_a_directory_of_another_program_needs_none(output, recwarn):
    for name in ("manifest.json", "training_state.json", "optimizer.safetensors"):
        (output / "model_9" / name).unlink()
    flip(output / "model_9" / "model.safetensors")
    checkpoint.load_model(output / "model_9")
    assert not recwarn.list


def test_what_is_no_checkpoint_is_said_so(tmp_path):
    with pytest.raises(ValueError, match="has no config.json"):
        checkpoint.load_model(tmp_path)
    for content, what in (("{", "config.json"), ("[]", "holds no JSON object"),
                          (json.dumps({"model_type": "llama"}), "llama")):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(ValueError, match=what):
            checkpoint.load_model(tmp_path)


@pytest.mark.parametrize("damage", [
    lambda path: [file.unlink() for file in path.iterdir()],
    lambda path: (path / "training_state.json").unlink(),
    lambda path: (path / "training_state.json").write_text("{"),
    lambda path: [(path / "training_state.json").write_text("{"),
                  (path / "manifest.json").unlink()],
])
def test_a_directory_without_a_readable_state_is_damaged(output, damage):
    damage(output / "model_9")
    notes = []
    assert checkpoint.newest(output, notes) == output / "model_6"
    assert "(training_state.json: " in notes[0]


def test_several_are_passed_over_and_each_is_told(output):
    flip(output / "model_9" / "config.json")
    (output / "model_6" / "vocab.json").unlink()
    with pytest.warns(UserWarning) as told:  # where nobody takes the notes
        assert checkpoint.newest(output) == output / "model_3"
    first, second = (str(warning.message) for warning in told)
    assert "model_9 is damaged (config.json: " in first
    assert "model_6 is damaged (vocab.json: missing)" in second


def test_all_damaged_is_an_error_that_lists_them(output):
    for step, name in ((3, "config.json"), (6, "merges.txt"), (9, "model.safetensors")):
        flip(output / f"model_{step}" / name)
    with pytest.raises(ValueError) as raised:
        checkpoint.newest(output)
    for part in ("model_3 is damaged (config.json: damaged",
                 "model_6 is damaged (merges.txt: damaged",
                 "model_9 is damaged (model.safetensors: damaged", "--output_dir"):
        assert part in str(raised.value)


def test_a_later_format_is_not_fallen_back_from(output):
    path = output / "model_9"
    values = json.loads((path / "training_state.json").read_text())
    (path / "training_state.json").write_text(json.dumps(values | {"format_version": 3}))
    (path / "manifest.json").unlink()
    manifest.write(path)
    with pytest.raises(ValueError, match="model_9/training_state.json has format 3"):
        checkpoint.newest(output)


def test_all_processes_continue_from_what_the_main_one_found(output):
    def look(ranks):
        notes = []
        try:
            return checkpoint.newest(output, notes, ranks), notes
        except ValueError as error:
            return str(error), notes

    flip(output / "model_9" / "config.json")
    (main, told), (other, silent) = meeting.run(2, look)
    assert main == other == output / "model_6"
    assert len(told) == 1 and not silent
    for step in (3, 6):
        flip(output / f"model_{step}" / "config.json")
    (main, _), (other, _) = meeting.run(2, look)
    assert main.startswith(f"no checkpoint of {output} can be resumed")
    assert other == f"the main process found no checkpoint to resume in {output}"
    shutil.rmtree(output)
    assert meeting.run(2, look) == [(None, []), (None, [])]


def test_what_is_damaged_is_set_aside_and_never_deleted(output):
    (output / ".model_12.tmp").mkdir()
    for step in (6, 9):
        flip(output / f"model_{step}" / "config.json")
    damaged = (output / "model_9" / "config.json").read_bytes()
    (output / "damaged_model_9").mkdir()
    notes = checkpoint.make_way(output, 3)
    assert notes == [f"{output}/model_6 is set aside as damaged_model_6",
                     f"{output}/model_9 is set aside as damaged_model_9.2"]
    assert (output / "damaged_model_9.2" / "config.json").read_bytes() == damaged
    assert sorted(os.listdir(output)) == ["damaged_model_6", "damaged_model_9",
                                          "damaged_model_9.2", "model_3"]
    assert checkpoint.make_way(output, 3) == [] == checkpoint.make_way(output / "absent", 0)
    model = checkpoint.load_model(output / "model_3")
    optimizer = build_optimizer(model, learning_rate=0.01, weight_decay=0.1)
    state = TrainingState(6, 24, 1, "k", "o", None, 4, {})
    assert checkpoint.save(output, model, optimizer, state, None) == checkpoint.newest(output)
