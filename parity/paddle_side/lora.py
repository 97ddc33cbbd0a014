"""Adapters by paddle_impl/lora."""

import json
import tempfile
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from paddle_impl import checkpoint, lora
from paddle_impl.checkpoint import TrainingState, contents
from paddle_impl.lora import LoraOptions
from parity.cases import Case, split_key_bias
from parity.cases import lora as fixtures
from parity.cases.lora import Variant
from parity.compare import Trace
from parity.paddle_side import files, training, weights
from parity.paddle_side.forward import summed_loss


def passes(case: Case, dtype: str) -> Trace:
    """Logits, loss and gradients of each variant, and logits of the merged model."""
    trace: Trace = {}
    for name, variant in fixtures.VARIANTS.items():
        found = _passed(case, _adapted(case, dtype, variant), variant)
        for layout in fixtures.LAYOUTS if variant.enabled or variant.linear else ("",):
            trace |= fixtures.named(found, name + layout)
        if name in fixtures.RECOMPUTED:
            still = case.without_dropout()
            model = _adapted(still, dtype, variant)
            model.train()
            model.recompute = True
            trace |= fixtures.named(_differentiated(still, model, variant), f"{name}, recomputed")
    model = _adapted(case, dtype, fixtures.VARIANTS["c_attn"])
    for _, layer in lora.adapters(model):
        layer.lora_dropout = _Masked(fixtures.mask(case), dtype)
    return trace | {fixtures.point("logits", "dropout"): _logits(model, case)}


def steps(case: Case, dtype: str) -> Trace:
    """20 steps of AdamW on the adapters alone."""
    trace: Trace = {}
    for name in fixtures.TRAINED:
        model = _adapted(case.without_dropout(), dtype, fixtures.VARIANTS[name])
        starts = {own: value.numpy() for own, value in _trained(model).items()}
        found = training.run(fixtures.begun(case, starts), model, training.build_optimizer(model))
        trace |= fixtures.named(found, name)
    return trace


def written(case: Case, dtype: str) -> dict[str, dict[str, bytes]]:
    """The files of checkpoint.save."""
    found = {}
    for name in fixtures.EXCHANGED:
        with tempfile.TemporaryDirectory() as directory:
            base = _base(case, Path(directory))
            model = _adapted(case, "float32", fixtures.VARIANTS[name], base)
            state = TrainingState(1, 4, 0, "", "", None, 4, {})
            path = checkpoint.save(Path(directory), model, training.build_optimizer(model), state,
                                   None)
            found[name] = {file.name: file.read_bytes() for file in path.iterdir()
                           if file.name.startswith("adapter_")}
    return found


def opened(case: Case, dtype: str) -> Trace:
    """Tensors and factors of the adapters that peft wrote; 1 for each key that is refused."""
    trace: Trace = {}
    with tempfile.TemporaryDirectory() as directory:
        base, adapter = _base(case, Path(directory)), Path(directory) / "adapter"
        adapter.mkdir()
        for name, given in case.given.items():
            for file, content in given.items():
                (adapter / file).write_bytes(content)
            model = lora.load_adapted(base, adapter)
            held = {own.replace(".base_layer", ""): value.numpy()
                    for own, value in _trained(model).items()}
            found = {fixtures.point("state dict", own): held[own] for own in sorted(held)}
            for own, layer in lora.adapters(model):
                found[fixtures.point("state dict", f"{own} factor")] = np.asarray(
                    layer.scaling, np.float64)
            rate = next(layer.lora_dropout.p for _, layer in lora.adapters(model))
            found[fixtures.point("dropout", "kept")] = np.asarray(1.0 - rate)
            trace |= fixtures.named(found, name)
        told = json.loads((adapter / "adapter_config.json").read_text())
        for key, value in fixtures.NOT_BUILT.items():
            (adapter / "adapter_config.json").write_text(json.dumps(told | {key: value}))
            trace[fixtures.point("refusal", key)] = np.asarray(_refused(base, adapter, key))
    return trace


def _refused(base: Path, adapter: Path, key: str) -> bool:
    try:
        lora.load_adapted(base, adapter)
    except ValueError as error:
        return key in str(error)
    return False


def _passed(case: Case, model, variant: Variant) -> Trace:
    trace: Trace = {fixtures.point("logits", "adapted"): _logits(model, case)}
    trace |= _differentiated(case, model, variant)
    frozen = [value.grad is None for value in model.parameters() if value.stop_gradient]
    trace[fixtures.point("kept", "frozen ones have no gradient")] = np.asarray(
        all(frozen) and len(frozen) > 0)
    lora.merged(model)
    return trace | {fixtures.point("logits", "merged"): _logits(model, case)}


def _differentiated(case: Case, model, variant: Variant) -> Trace:
    loss_sum, weight = summed_loss(model, case.batch)
    (loss_sum / weight).backward()
    trace: Trace = {fixtures.point("loss", "loss"): (loss_sum / weight).numpy()}
    for name, parameter in _trained(model).items():
        gradient = parameter.grad.numpy()
        if variant.enabled and "lora_B" in name:
            _, gradient = lora.from_peft(gradient, gradient, variant.enabled)
        name = name.replace(".base_layer", "")
        kept, null = split_key_bias(name, gradient)
        trace |= {fixtures.point("gradient", part): value for part, value in kept.items()}
        if null is not None:
            trace[fixtures.point("null gradient", f"{name}[key]")] = null
    return trace


@paddle.no_grad()
def _logits(model, case: Case) -> np.ndarray:
    return model(paddle.to_tensor(case.batch["input_ids"])).numpy()


def _adapted(case: Case, dtype: str, variant: Variant, base: Path | str = "base"):
    model = weights.build(case, dtype)
    lora.apply_lora(model, LoraOptions(**variant.flags), base=base)
    for name, parameter in _trained(model).items():
        own, plain = parameter.numpy(), name.replace(".base_layer", "")
        if variant.enabled and "lora_B" in name:
            height = case.config.n_embd * sum(variant.enabled)
            values = fixtures.start(plain, (height, variant.flags["lora_dim"]), own)
            _, values = lora.to_peft(values, values, variant.enabled)
        else:
            values = fixtures.start(plain, own.shape, own)
        parameter.set_value(values.astype(own.dtype))
    model.eval()
    return model


def _trained(model) -> dict[str, paddle.Tensor]:
    named = dict(model.named_parameters())
    return {name: named[name] for name in contents.trainable(model)}


def _base(case: Case, place: Path) -> Path:
    """The directory of the case's weights, as a checkpoint."""
    base = place / "base"
    base.mkdir()
    for name, content in files.written(case, "float32").items():
        if name in ("config.json", "model.safetensors"):
            (base / name).write_bytes(content)
    return base


class _Masked(nn.Layer):
    def __init__(self, mask: np.ndarray, dtype: str):
        super().__init__()
        self.mask = paddle.to_tensor(mask.astype(dtype))

    def forward(self, x):
        return x * self.mask
