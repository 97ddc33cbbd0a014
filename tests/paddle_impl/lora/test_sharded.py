"""Adapters of a model whose optimizer, gradients and blocks are sharded."""

import numpy as np
import paddle
import pytest

from paddle_impl import lora
from paddle_impl.checkpoint import contents
from paddle_impl.lora import LoraOptions
from paddle_impl.optim.adamw import build_optimizer
from paddle_impl.optim.precision import Precision
from paddle_impl.parallel.ranks import Ranks
from parity.paddle_side import meeting
from tests.paddle_impl.lora import tiny
from tests.paddle_impl.optim import sharding_job as job
from tests.paddle_impl.optim.test_sharding import assert_close


@pytest.mark.parametrize("stage, recompute", [(1, False), (2, True), (3, True)])
def test_stages_compute_what_one_process_does(monkeypatch, stage, recompute):
    build = job.build

    def adapted(ranks, dtype):
        model = build(ranks, dtype)
        lora.apply_lora(model, LoraOptions(lora_dim=2, lora_enable="q,v",
                                           lora_target_modules=["c_attn", "mlp.c_proj"]))
        tiny.fill(model)
        return model

    monkeypatch.setattr(job, "build", adapted)
    expected = job.train(Ranks(), trained="lora_")
    for got in meeting.run(2, lambda ranks: job.train(
            ranks, stage=stage, recompute=recompute, trained="lora_"), sharding=2):
        assert_close(got, expected)


def test_master_weights_are_of_the_adapters_alone():
    """In float32 below float64, as float16 below float32 on a GPU."""
    x = np.random.default_rng(0).standard_normal((5, 8))

    def steps(precision, dtype):
        model = tiny.model()
        lora.apply_lora(model, LoraOptions(lora_dim=2, lora_enable="q,v", lora_tokens=["3"]))
        tiny.fill(model)
        optimizer = build_optimizer(model, learning_rate=0.01, weight_decay=0.1,
                                    precision=precision)
        for _ in range(3):
            out = model.transformer.h[0].attn.c_attn(paddle.to_tensor(x.astype(dtype)))
            assert out.dtype == model.transformer.wte.weight.dtype == getattr(paddle, dtype)
            (out * out).sum().backward()
            optimizer.step()
            optimizer.clear_grad()
        return model, optimizer

    model, optimizer = steps(Precision("O2", "float32"), "float32")
    expected = steps(Precision(), "float64")[1].weights()
    assert model.transformer.h[0].attn.c_attn.lora_B.weight.dtype == paddle.float32
    trained = contents.trainable(model)
    for name, values in optimizer.weights().items():
        assert values.dtype == np.float64
        if name in trained:
            np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-5)
        else:
            np.testing.assert_array_equal(values, expected[name])
