"""Bugs planted in the real code of paddle_impl: each must break the ladder, at its own rung.

A mutant replaces one piece of a function's source. When the code it names has changed, the test
says so; find the line that now does the same.
"""

import importlib
import inspect
import sys
import textwrap

import pytest

from parity import cases, ladder
from parity.compare import first_divergence

FORWARD = ["hidden", "logits", "loss"]

# name: (function, its code, the mutant's, the rungs to climb); the last rung is the one that breaks
MUTANTS = {
    "head saved beside its tie": (
        "convert.to_hf", "for name, parameter in model.named_parameters()}",
        "for name, parameter in model.named_parameters()}"
        " | {'lm_head.weight': model.transformer.wte.weight.numpy()}", ["weights"]),
    "an unknown tensor is let through": (
        "convert.load_weights", "if missing or extra:", "if missing:", ["weights", "refusals"]),
    "erf GELU": (
        "model.MLP.forward", "approximate=True", "approximate=False", ["weights", "hidden"]),
    "mask leaks the next token": (
        "model.causal_mask", "diagonal=total - new + 1", "diagonal=total - new + 2", ["hidden"]),
    "scores divided by sqrt(C)": (
        "model.Attention.forward", "math.sqrt(self.head_size)", "math.sqrt(x.shape[-1])",
        ["hidden"]),
    "loss mask ignored": (
        "objectives.causal_lm", "(losses.reshape(mask.shape) * mask).sum()", "losses.sum()",
        FORWARD),
    "mean over masked labels too": (
        "objectives.causal_lm", "mask.sum()", "paddle.ones_like(mask).sum()", FORWARD),
    "head detached from the embedding": (
        "model.GPTForCausalLM.forward", "self.transformer.wte.weight,",
        "self.transformer.wte.weight.detach(),", [*FORWARD, "gradients"]),
    "clip without 1e-6": (
        "optim.clip_grad_norm", "max_norm / (norm + 1e-6)", "max_norm / norm",
        ["gradients", "clip"]),
    "clip rests just below its bound": (
        "optim.clip_grad_norm", "norm + 1e-6 > max_norm", "norm > max_norm",
        ["gradients", "clip"]),
    "warm-up starts at zero": (
        "schedule.lr_at", "max_lr * step / warmup", "max_lr * (step - 1) / warmup", ["schedule"]),
    "rate of the step before": (
        "trainer.Trainer.train", "self.schedule.learning_rate(step)",
        "self.schedule.learning_rate(step - 1)", ["schedule", "training"]),
    "decay on LayerNorm and biases": (
        "optim.build_optimizer", "len(p.shape) >= 2", "len(p.shape) >= 1", ["clip", "training"]),
    "accumulation undivided": (
        "trainer.Trainer.step", "(loss_sum / max(weight, 1.0)).backward()", "loss_sum.backward()",
        ["clip", "training"]),
    "gradients not cleared": (
        "trainer.Trainer.step", "self.optimizer.clear_grad()", "pass", ["clip", "training"]),
}


def plant(monkeypatch, path: str, code: str, mutant: str) -> None:
    """Replace `code` by `mutant` in paddle_impl.<path>, wherever the function was imported to."""
    module_name, *owners, name = path.split(".")
    owner = importlib.import_module(f"paddle_impl.{module_name}")
    for attribute in owners:
        owner = getattr(owner, attribute)
    original = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(original))
    assert code in source, f"paddle_impl.{path} no longer contains {code!r}"
    scope = {}
    exec(source.replace(code, mutant), original.__globals__, scope)
    monkeypatch.setattr(owner, name, scope[name])
    for importer in [m for n, m in sys.modules.items() if n.startswith("paddle_impl.")]:
        if getattr(importer, name, None) is original:
            monkeypatch.setattr(importer, name, scope[name])


def first_failing_rung(names) -> str | None:
    for rung, results in ladder.climb(names, [cases.case("std_0.2")]):
        if first_divergence(results)[0]:
            return rung.name
    return None


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_bug_breaks_its_rung(monkeypatch, mutant):
    path, code, replacement, rungs = MUTANTS[mutant]
    plant(monkeypatch, path, code, replacement)
    assert first_failing_rung(rungs) == rungs[-1]


def test_an_equivalent_change_breaks_none(monkeypatch):
    plant(monkeypatch, "model.causal_mask", "-1e9", "-1e4")
    assert first_failing_rung([*FORWARD, "gradients", "clip"]) is None


def test_an_exception_is_a_divergence(monkeypatch):
    plant(monkeypatch, "schedule.lr_at", "return max_lr * step / warmup", "raise OSError('gone')")
    (rung, results), *_ = ladder.climb(["schedule"], [cases.case("std_0.2")])
    assert "raised OSError('gone')" in results[0].note
    assert not results[0].passed
