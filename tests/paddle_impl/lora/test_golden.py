"""Values that torch, peft and loralib computed in float64."""

import numpy as np
import paddle
import pytest

from paddle_impl import lora
from paddle_impl.lora import LoraOptions
from tests.paddle_impl.lora import tiny

# Paddle keeps LayerNorm's epsilon as float32, which moves a value of 1 by 1e-10.
NEAR = {"abs": 2e-9, "rel": 0}


def test_pefts_adapter_on_c_attn():
    model = tiny.model()
    lora.apply_lora(model, LoraOptions(lora_dim=2, lora_alpha=8))
    tiny.fill(model)
    loss = tiny.loss(model)
    loss.backward()
    norms = {part: np.sqrt(sum(
        np.sum(np.square(getattr(layer, part).weight.grad.numpy()))
        for _, layer in lora.adapters(model))) for part in ("lora_A", "lora_B")}
    assert float(loss) == pytest.approx(4.506858787077481, **NEAR)
    assert norms["lora_A"] == pytest.approx(0.058923675938018144, **NEAR)
    assert norms["lora_B"] == pytest.approx(0.411661080538769, **NEAR)


def test_rslora():
    model = tiny.model()
    lora.apply_lora(model, LoraOptions(lora_dim=4, lora_alpha=8, lora_scaling="rslora"))
    tiny.fill(model)
    assert float(tiny.loss(model)) == pytest.approx(4.546855360756852, **NEAR)


def test_loralibs_q_and_v_in_pefts_form():
    model = tiny.model()
    names = lora.apply_lora(model, LoraOptions(lora_dim=2, lora_alpha=8, lora_enable="q,v"))
    assert (model.adapter_config["r"], model.adapter_config["lora_alpha"]) == (4, 16)
    for name in names:
        layer = dict(lora.adapters(model))[name]
        a, b = (tiny.sine(f"{name.removeprefix('transformer.')}.lora_{part}", shape, 0.1)
                for part, shape in (("A", (4, 8)), ("B", (16, 2))))
        for own, values in zip((layer.lora_A, layer.lora_B),
                               lora.to_peft(a, b, (True, False, True)), strict=True):
            own.weight.set_value(values)
    for value in model.parameters():  # loralib's were computed from a file of float32 weights
        value.set_value(value.numpy().astype(np.float32).astype(np.float64))
    model.eval()
    logits = model(paddle.to_tensor(tiny.IDS)).numpy()
    assert logits.sum() == pytest.approx(5.145448533025986, abs=2e-8)
    assert logits[1, 7, 5] == pytest.approx(0.7416099994290724, **NEAR)
    merged = lora.merged(model)(paddle.to_tensor(tiny.IDS)).numpy()
    np.testing.assert_allclose(merged, logits, rtol=0, atol=1e-14)
