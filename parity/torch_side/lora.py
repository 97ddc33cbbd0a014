"""Adapters by peft, and by loralib in a copy of the model."""

import json
import tempfile
import warnings
from pathlib import Path

import loralib
import numpy as np
import peft
import torch
from torch import nn
from transformers import GPT2LMHeadModel

from parity.cases import Case, split_key_bias
from parity.cases import lora as fixtures
from parity.cases.lora import Variant
from parity.compare import Trace
from parity.torch_side import training, weights
from parity.torch_side.forward import summed_loss

# That a base is in no folder of its own, and that base_sha256 is no key of peft's.
warnings.filterwarnings("ignore", module=r"peft\.")
warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`")  # peft asks for it


def passes(case: Case, dtype: str) -> Trace:
    """Logits, loss and gradients of each variant, and logits of the merged model."""
    trace: Trace = {}
    for name, variant in fixtures.VARIANTS.items():
        for layout, stored in fixtures.LAYOUTS.items():
            if layout == "" or variant.enabled or variant.linear:
                found = _passed(case, _adapted(case, dtype, variant, stored))
                trace |= fixtures.named(found, name + layout)
                if name in fixtures.RECOMPUTED:
                    again = {point: value for point, value in found.items()
                             if point.phase in ("loss", "gradient")}
                    trace |= fixtures.named(again, f"{name}, recomputed")
    model = _adapted(case, dtype, fixtures.VARIANTS["c_attn"])
    for layer in model.modules():
        if isinstance(layer, peft.tuners.lora.Linear):
            layer.lora_dropout["default"] = _Masked(fixtures.mask(case), dtype)
    return trace | {fixtures.point("logits", "dropout"): _logits(model, case)}


def steps(case: Case, dtype: str) -> Trace:
    """20 steps of AdamW on the adapters alone."""
    trace: Trace = {}
    for name in fixtures.TRAINED:
        variant = fixtures.VARIANTS[name]
        model = _Named(_adapted(case.without_dropout(), dtype, variant))
        starts = {own: value.detach().numpy().copy() for own, value in model.named_parameters()
                  if value.requires_grad}
        found = training.run(fixtures.begun(case, starts), model,
                             *training.optimizer_and_scheduler(case, model))
        trace |= fixtures.named(_as_peft(found, variant, case), name)
    return trace


def written(case: Case, dtype: str) -> dict[str, dict[str, bytes]]:
    """What save_pretrained of peft writes."""
    files = {}
    for name in fixtures.EXCHANGED:
        model = _of_peft(case, "float32", fixtures.VARIANTS[name])
        with tempfile.TemporaryDirectory() as directory:
            model.save_pretrained(directory)
            files[name] = {path.name: path.read_bytes() for path in Path(directory).iterdir()}
    return files


def opened(case: Case, dtype: str) -> Trace:
    """Tensors and factors of the adapters that the other side wrote, opened by peft."""
    trace: Trace = {}
    for name, files in case.given.items():
        with tempfile.TemporaryDirectory() as directory:
            for file, content in files.items():
                (Path(directory) / file).write_bytes(content)
            model = peft.PeftModel.from_pretrained(weights.build(case, "float32"), directory)
            told = json.loads(files["adapter_config.json"])
        held = {_plain(own).replace(".base_layer", ""): value.numpy().copy() for own, value in
                peft.get_peft_model_state_dict(model).items()}
        found = {fixtures.point("state dict", own): held[own] for own in sorted(held)}
        for own, layer in model.named_modules():
            if isinstance(layer, peft.tuners.lora.Linear):
                found[fixtures.point("state dict", f"{_plain(own)} factor")] = np.asarray(
                    layer.scaling["default"], np.float64)
        found[fixtures.point("dropout", "kept")] = np.asarray(1.0 - told["lora_dropout"])
        trace |= fixtures.named(found, name)
    for key in fixtures.NOT_BUILT:
        trace[fixtures.point("refusal", key)] = np.asarray(True)
    return trace


def _passed(case: Case, model) -> Trace:
    trace: Trace = {fixtures.point("logits", "adapted"): _logits(model, case)}
    loss_sum, count = summed_loss(model, case.batch)
    (loss_sum / count).backward()
    trace[fixtures.point("loss", "loss")] = (loss_sum / count).detach().numpy()
    for name, parameter in _Named(model).named_parameters():
        if parameter.requires_grad:
            kept, null = split_key_bias(name, parameter.grad.numpy().copy())
            trace |= {fixtures.point("gradient", part): value for part, value in kept.items()}
            if null is not None:
                trace[fixtures.point("null gradient", f"{name}[key]")] = null
    trace[fixtures.point("kept", "frozen ones have no gradient")] = np.asarray(True)
    trace[fixtures.point("logits", "merged")] = _logits(model, case)
    return trace


@torch.no_grad()
def _logits(model, case: Case) -> np.ndarray:
    return model(torch.from_numpy(case.batch["input_ids"])).logits.numpy()


def _adapted(case: Case, dtype: str, variant: Variant, stored: bool = True):
    if not variant.enabled and not variant.linear:
        return _of_peft(case, dtype, variant)
    model = weights.build(case, dtype)
    model.requires_grad_(False)
    for block in model.transformer.h:
        for part in variant.linear or ("attn.c_attn",):
            parent, _, name = part.partition(".")
            own = getattr(getattr(block, parent), name)
            setattr(getattr(block, parent), name, _of_loralib(own, variant, stored).to(own.weight))
    loralib.mark_only_lora_as_trainable(model)
    for name, parameter in _Named(model).named_parameters():
        if parameter.requires_grad:
            _start(name, parameter)
    return model


def _of_loralib(own, variant: Variant, stored: bool) -> nn.Module:
    """stored: keep the weight as GPT-2 does, [in, out]."""
    inputs, outputs = own.weight.shape
    options = {"r": variant.flags["lora_dim"], "lora_alpha": variant.flags["lora_alpha"],
               "fan_in_fan_out": stored, "merge_weights": False}
    if variant.enabled:
        layer = loralib.MergedLinear(
            inputs, outputs, enable_lora=list(variant.enabled), **options)
    else:
        layer = loralib.Linear(inputs, outputs, **options)
    layer.weight.data = own.weight.data.clone() if stored else own.weight.data.T.clone()
    layer.bias.data = own.bias.data.clone()
    return layer


def _of_peft(case: Case, dtype: str, variant: Variant) -> peft.PeftModel:
    """In eval mode. For loralib's variants its B has the other form."""
    config = peft.LoraConfig(fan_in_fan_out=True, **variant.peft)
    model = peft.get_peft_model(weights.build(case, dtype), config).eval()
    for name, parameter in _Named(model).named_parameters():
        if parameter.requires_grad and not (variant.enabled and "lora_B" in name):
            _start(name, parameter)
        elif parameter.requires_grad:
            height = case.config.n_embd * sum(variant.enabled)
            own = fixtures.start(name, (height, variant.flags["lora_dim"]), np.zeros(0))
            parameter.data = torch.from_numpy(_blocks(own, variant.enabled)).to(parameter)
    return model


def _start(name: str, parameter) -> None:
    own = parameter.detach().numpy()
    parameter.data = torch.from_numpy(fixtures.start(name, own.shape, own)).to(parameter)


def _as_peft(trace: Trace, variant: Variant, case: Case) -> Trace:
    """loralib's B below each other -> peft's, in blocks."""
    return {point: _blocks(value, variant.enabled)
            if variant.enabled and "lora_B" in point.tensor else value
            for point, value in trace.items()}


def _blocks(b: np.ndarray, enabled: tuple[bool, ...]) -> np.ndarray:
    rows = iter(np.split(b, sum(enabled)))
    height, rank = b.shape[0] // sum(enabled), b.shape[1]
    columns = [np.concatenate([own if part == number else np.zeros((height, rank), b.dtype)
                               for number in range(len(enabled))])
               for part, own in ((part, next(rows)) for part in np.flatnonzero(enabled))]
    return np.concatenate(columns, axis=1)


def _plain(name: str) -> str:
    """peft's name of a tensor without what its classes add."""
    for part in ("base_model.model.", ".default", ".modules_to_save"):
        name = name.replace(part, "")
    return name


class _Named:
    """A model whose trained parameters have the names of peft's files."""

    def __init__(self, model: GPT2LMHeadModel | peft.PeftModel):
        self._model = model

    def __call__(self, *given, **more):
        return self._model(*given, **more)

    def train(self) -> None:
        self._model.train()

    def parameters(self):
        return self._model.parameters()

    def named_parameters(self):
        for name, parameter in self._model.named_parameters():
            plain = _plain(name).replace(".base_layer", "")
            yield plain + ".weight" * plain.endswith(("lora_A", "lora_B")), parameter


class _Masked(nn.Module):
    def __init__(self, mask: np.ndarray, dtype: str):
        super().__init__()
        self.mask = torch.from_numpy(mask).to(getattr(torch, dtype))

    def forward(self, x):
        return x * self.mask
