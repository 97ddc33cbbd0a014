"""`python -m parity --checkpoint`: a user's weights on a user's tokens, at their own size."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2LMHeadModel

from data_tools.token_files.token_file import TokenFile
from paddle_impl import checkpoint, model
from paddle_impl.checkpoint import TrainingState
from paddle_impl.checkpoint import weights as opened_weights
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.registry import named_model
from paddle_impl.optim.adamw import build_optimizer
from parity import ladder
from parity.__main__ import main
from parity.cases import checkpoint as cases_checkpoint
from parity.compare import Place, Point, Result
from parity.paddle_side import weights as paddle_weights

from_checkpoint = partial(
    cases_checkpoint.from_checkpoint, open_checkpoint=paddle_weights.opened)
FIT = ["weights", "hidden", "logits", "loss", "gradients", "training"]


@pytest.fixture
def saved(tiny_model, tmp_path):
    """A checkpoint as the trainer saves it."""
    state = TrainingState(step=0, samples=0, seed=1, order_key="k", sample_order="o",
                          tokenizer=None, global_batch_size=4, schedule={})
    optimizer = build_optimizer(tiny_model, learning_rate=0.01, weight_decay=0.1)
    return checkpoint.save(tmp_path, tiny_model, optimizer, state, None)


def test_weights_of_transformers_are_proved_on_the_users_tokens(
    hub_checkpoint, tiny_data, tmp_path, capsys
):
    words = ["--checkpoint", hub_checkpoint, "--data", tiny_data / "code", "--output", tmp_path]
    assert main([str(word) for word in words]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("checkpoint two_layers (9,136 parameters) on ")
    assert f"tokens of {tiny_data / 'code'}" in told.out.splitlines()[0]
    assert "gradients, gate A: PyTorch ..." in told.err
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["passed"] is True
    assert [rung["name"] for rung in written["rungs"]] == FIT
    assert {(r["rung"], r["gate"]) for r in written["results"]} == {
        ("weights", "D"), *((rung, gate) for rung in FIT[1:] for gate in "AB")
    }
    assert {r["case"] for r in written["results"]} == {"checkpoint two_layers"}
    assert {r["step"] for r in written["results"] if r["phase"] == "norm curve"} == {1, 2, 3}
    assert {"choice", "logits"} <= {r["phase"] for r in written["results"]}
    (gradients,) = (rung for rung in written["rungs"] if rung["name"] == "gradients")
    assert [gate["budget"] for gate in gradients["gates"]] == ["1e-10", "k = 6"]
    for report in ("report.md", "report.html"):
        assert "checkpoint two_layers (9,136 parameters)" in (tmp_path / report).read_text()


def test_a_planted_bug_is_found(hub_checkpoint, tmp_path, capsys, monkeypatch):
    right = model.causal_mask
    monkeypatch.setattr(
        model, "causal_mask", lambda new, total, dtype: right(new, total, dtype) * 0.0
    )
    words = ["--checkpoint", str(hub_checkpoint), "--only", "hidden", "--output", str(tmp_path)]
    assert main(words) == 1
    out = capsys.readouterr().out
    assert "FIRST DIVERGENCE  hidden: step 0, hidden, transformer.h.0.attn, " in out
    assert out.splitlines()[-1].startswith("NO PARITY: ")


def test_a_bug_of_the_reader_is_found(copied, tmp_path, monkeypatch, capsys):
    """PyTorch's side reads the files by its own means."""
    tensors = cast(torch.bfloat16)(load_file(copied / "model.safetensors"))
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    words = ["--checkpoint", str(copied), "--only", "weights", "loss", "--output", str(tmp_path)]
    assert main(words) == 0
    # float16 is as large, and holds other numbers.
    monkeypatch.setattr(opened_weights.StoredTensor, "array", lambda stored: (
        stored.content.view("<f2").astype(np.float32).reshape(stored.shape)))
    assert main(words) == 1
    assert "FIRST DIVERGENCE  weights: step 0, state dict, " in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [{"layer_norm_epsilon": 1e-6}, {"n_head": 4}],
                         ids=lambda wrong: next(iter(wrong)))
def test_a_bug_of_the_config_reader_is_found(hub_checkpoint, tmp_path, monkeypatch, capsys, wrong):
    """transformers reads config.json for PyTorch's side: a wrong field here is not repeated there.
    """
    right = ModelConfig.from_hf.__func__
    monkeypatch.setattr(
        ModelConfig, "from_hf", classmethod(lambda cls, told: right(cls, told | wrong)))
    words = ["--checkpoint", str(hub_checkpoint), "--only", "hidden", "--output", str(tmp_path)]
    assert main(words) == 1
    assert "FIRST DIVERGENCE  hidden: step 0, hidden, " in capsys.readouterr().out


def test_what_the_product_does_not_open_is_not_proved(saved, tmp_path, capsys):
    """A config.json that is not the one which the trainer saved is refused by its checksum."""
    config = saved / "config.json"
    config.write_text(config.read_text().replace('"layer_norm_epsilon": 1e-05',
                                                 '"layer_norm_epsilon": 1e-06'))
    with pytest.raises(SystemExit) as stop:
        main(["--checkpoint", str(saved), "--output", str(tmp_path / "report")])
    assert stop.value.code == 2
    assert "config.json: damaged, its SHA-256 is not that of" in capsys.readouterr().err


def test_what_the_trainer_saves_is_proved(saved, tmp_path):
    words = ["--checkpoint", str(saved), "--only", "weights", "gradients"]
    assert main([*words, "--output", str(tmp_path / "report")]) == 0


def bare(tensors):
    return {name.removeprefix("transformer."): value for name, value in tensors.items()}


def as_of_old(tensors):
    """The tensors with a stored head, although it is tied, and with mask buffers."""
    return tensors | {
        "lm_head.weight": tensors["transformer.wte.weight"].clone(),
        "transformer.h.0.attn.bias": torch.ones(1, 1, 24, 24, dtype=torch.bool),
        "transformer.h.1.attn.masked_bias": torch.tensor(-1e4),
    }


def wrapped(tensors):
    """The tensors under the names of a model in torch's DataParallel."""
    return {f"module.{name}": value for name, value in tensors.items()}


def cast(dtype):
    return lambda tensors: {name: value.to(dtype) for name, value in tensors.items()}


@pytest.mark.parametrize(
    "form", [bare, as_of_old, wrapped, cast(torch.float16), cast(torch.bfloat16),
             cast(torch.float64)],
    ids="bare old wrapped float16 bfloat16 float64".split(),
)
def test_every_form_of_file_is_read_as_transformers_reads_it(copied, form):
    tensors = form(load_file(copied / "model.safetensors"))
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    case, _ = from_checkpoint(copied, None)
    assert {value.dtype for value in case.weights.values()} == {np.dtype(np.float32)}
    ((_, results),) = ladder.climb(["weights"], [case])
    assert sum(result.point.phase == "state dict" for result in results) == 28
    assert all(result.passed for result in results)


def test_shards_are_read_together(hub_checkpoint, tmp_path):
    GPT2LMHeadModel.from_pretrained(hub_checkpoint).save_pretrained(tmp_path, max_shard_size="10KB")
    assert not (tmp_path / "model.safetensors").exists()
    sharded, whole = (from_checkpoint(path, None)[0].weights for path in (tmp_path, hub_checkpoint))
    assert sharded.keys() == whole.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(sharded[name], value)


def test_batches_are_windows_of_the_data_with_uneven_masks(hub_checkpoint, tiny_data):
    case, subject = from_checkpoint(hub_checkpoint, str(tiny_data / "code"))
    ids = TokenFile.open(tiny_data / "code").ids
    assert case.batch["input_ids"].shape == (3, 24)
    np.testing.assert_array_equal(case.batch["input_ids"][0], ids[:24])
    np.testing.assert_array_equal(case.batch["labels"][0], ids[1:25])
    assert (case.batch["labels"] != -100).sum(axis=1).tolist() == [24, 12, 18]
    counts = [[int((b["labels"] != -100).sum()) for b in step] for step in case.steps]
    assert counts == [[16, 8]] * 3
    fed = [case.batch["input_ids"], *(b["input_ids"] for step in case.steps for b in step)]
    assert f" on {sum(part.size for part in fed)} tokens of " in subject
    assert len({part.tobytes() for part in fed}) == len(fed)


def test_float32_noise_of_the_weights_themselves_is_a_remark(hub_checkpoint):
    """A fixture that makes torch as noisy as this fails; a user's weights are what they are."""
    place, point = Place("gradients", "checkpoint c", "B"), Point(0, "gradient", "h.0.ln_1.weight")
    quiet, noisy = (Result(place, point, 0.5, torch_error=eps) for eps in (39.0, 500.0))
    assert cases_checkpoint.remarks([quiet]) == []
    (told,) = cases_checkpoint.remarks([quiet, noisy])
    assert "500 eps (gradient of h.0.ln_1.weight; 1 tensors are beyond 40)" in told


def test_gpt2_small_is_said_to_fit_into_eight_gibibytes(hub_checkpoint):
    case, _ = from_checkpoint(hub_checkpoint, None)
    small = replace(case, config=named_model("gpt2"))
    assert 6.0 < cases_checkpoint.memory_gib(small) < 8.0
