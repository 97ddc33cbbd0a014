"""`python -m parity --checkpoint BASE --adapter DIR`: a user's adapter, by peft and by ours."""

import json

import peft
import pytest
import torch
from transformers import AutoModelForCausalLM

from paddle_impl.lora.adapter_config import AdapterConfig
from parity.__main__ import main


@pytest.fixture
def adapter(hub_checkpoint, tmp_path):
    """An adapter that peft writes, on layers of both shapes; with rows for two new tokens."""
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_pretrained(hub_checkpoint)
    model.resize_token_embeddings(302, mean_resizing=False)
    adapted = peft.get_peft_model(model, peft.LoraConfig(
        r=3, lora_alpha=12, target_modules=["c_attn", "mlp.c_proj"], fan_in_fan_out=True,
        trainable_token_indices=[300, 301], task_type="CAUSAL_LM"))
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data += 0.3 * torch.randn_like(parameter)
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    return tmp_path / "adapter"


@pytest.fixture
def climb(hub_checkpoint, adapter, tmp_path):
    def run(*more, base=hub_checkpoint):
        return main([str(word) for word in (
            "--checkpoint", base, "--adapter", adapter, "--output", tmp_path / "report", *more)])

    return run


def test_an_adapter_of_peft_is_proved(climb, tmp_path, capsys):
    assert climb() == 0
    assert capsys.readouterr().out.startswith("adapter adapter on checkpoint two_layers (9,168 ")
    written = json.loads((tmp_path / "report" / "report.json").read_text())
    assert written["passed"] is True and [one["name"] for one in written["rungs"]] == ["adapter"]
    assert {(one["gate"], one["phase"], one["tensor"]) for one in written["results"]} == {
        (gate, phase, f"{name}: next token") for gate in "AB" for phase in ("logits", "choice")
        for name in ("adapted", "merged")}


def test_a_planted_bug_is_found(climb, monkeypatch, capsys):
    monkeypatch.setattr(AdapterConfig, "scaling", lambda self, _: 1.01 * self.lora_alpha / self.r)
    assert climb() == 1
    assert "FIRST DIVERGENCE  adapter: step 0, logits, adapted: next token" in (
        capsys.readouterr().out)


@pytest.mark.parametrize(("words", "said"), [
    (("--adapter", "x"), "--adapter is on the weights of --checkpoint: name a checkpoint too"),
    (("--checkpoint", "{base}", "--adapter", "{base}"), "holds no adapter"),
    (("--checkpoint", "{base}", "--adapter", "x", "--only", "logits"), "leave --only out"),
])
def test_mistakes_are_told(hub_checkpoint, capsys, words, said):
    with pytest.raises(SystemExit) as end:
        main([word.format(base=hub_checkpoint) for word in words])
    err = capsys.readouterr().err
    assert end.value.code == 2 and said in err.splitlines()[-1]
