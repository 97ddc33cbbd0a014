"""Checkpoints and data that `--checkpoint` refuses, with one line, exit code 2 and no report."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from parity.__main__ import main


def shape(**changes):
    """A change of config.json."""
    def damage(directory, _):
        path = directory / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def stored(change):
    """A change of the tensors in model.safetensors."""
    def damage(directory, _):
        path = directory / "model.safetensors"
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path, metadata={"format": "pt"})

    return damage


def without(*names):
    def damage(directory, data):
        for folder in (directory, data):
            for name in names:
                (folder / name).unlink(missing_ok=True)

    return damage


def cut_short(name):
    def damage(directory, data):
        (path,) = [f / name for f in (directory, data) if (f / name).exists()]
        path.write_bytes(path.read_bytes()[:-2])

    return damage


def few_tokens(_, data):
    np.save(data / "code_ids.npy", np.arange(5, dtype=np.uint16))
    np.savez(data / "code_idx.npz", lens=np.array([5], np.int32), docs=np.array([0, 1]))
    (data / "code_meta.json").unlink()


def two_datasets(_, data):
    for ending in ("_ids.npy", "_idx.npz"):
        shutil.copy(data / f"code{ending}", data / f"more{ending}")


def untied(tensors):
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"] + 1


DAMAGES = {
    "no directory": (lambda directory, _: shutil.rmtree(directory), "is no checkpoint directory"),
    "no config": (without("config.json"), "has no config.json"),
    "config cut short": (cut_short("config.json"), "config.json cannot be read: "),
    "another family": (shape(model_type="llama"), "'llama', not 'gpt2'"),
    "config unties": (shape(tie_word_embeddings=False), "tie_word_embeddings=false"),
    "few positions": (shape(n_positions=4), "n_positions is 4"),
    "untied head": (stored(untied), "an untied head is not supported"),
    "another width": (shape(n_inner=25), "n_inner is 25, but 24 by "),
    "a layer more": (shape(n_layer=3), "n_layer is 3, but 2 by "),
    "a layer less": (shape(n_layer=1), "n_layer is 1, but 2 by "),
    "no weights": (without("model.safetensors"), "model.safetensors is missing"),
    "weights cut short": (cut_short("model.safetensors"), "model.safetensors is damaged"),
    "a NaN": (stored(lambda t: t["transformer.ln_f.bias"].fill_(torch.nan)),
              "transformer.ln_f.bias holds a value that is not finite"),
    "zeros": (stored(lambda t: t["transformer.h.1.mlp.c_proj.weight"].zero_()),
              "transformer.h.1.mlp.c_proj.weight is zero throughout"),
    "integers": (stored(lambda t: t.update({"transformer.ln_f.bias": torch.ones(16).int()})),
                 "is stored as I32"),
    "no data": (without("code_ids.npy", "code_idx.npz"), "no data in "),
    "half the data": (without("code_idx.npz"), "code_idx.npz is missing"),
    "data cut short": (cut_short("code_ids.npy"), "code_ids.npy is "),
    "few tokens": (few_tokens, "holds 5 tokens"),
    "two datasets": (two_datasets, "holds several datasets"),
}


def refused(words, said, tmp_path, capsys):
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([*map(str, words), "--output", str(tmp_path / "report")])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1, err
    assert said in err
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_unfit_is_told_in_one_line(copied, tiny_data, tmp_path, capsys, name):
    damage, said = DAMAGES[name]
    data = shutil.copytree(tiny_data, tmp_path / "data")
    damage(copied, data)
    refused(["--checkpoint", copied, "--data", data], said, tmp_path, capsys)


def test_data_of_another_tokenizer(copied, tiny_data, tmp_path, capsys):
    def fewer_rows(tensors):
        tensors["transformer.wte.weight"] = tensors["transformer.wte.weight"][:200].clone()

    shape(vocab_size=200)(copied, None)
    stored(fewer_rows)(copied, None)
    refused(["--checkpoint", copied, "--data", tiny_data], "the vocabulary is 0 to 199",
            tmp_path, capsys)


def test_a_damaged_index_of_shards(copied, tmp_path, capsys):
    (copied / "model.safetensors").unlink()
    (copied / "model.safetensors.index.json").write_text('{"weights": {}}')
    refused(["--checkpoint", copied], "is no index of shards", tmp_path, capsys)


def test_data_needs_a_checkpoint(tmp_path, tiny_data, capsys):
    refused(["--data", tiny_data], "--checkpoint", tmp_path, capsys)


def test_rungs_of_the_fixtures_are_refused(hub_checkpoint, tmp_path, capsys):
    words = ["--checkpoint", hub_checkpoint, "--only", "loss", "schedule"]
    refused(words, "schedule runs on the fixtures only; --checkpoint has the rungs weights, hidden",
            tmp_path, capsys)
