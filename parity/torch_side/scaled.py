"""scale_attn_by_inverse_layer_idx: logits and gradients by transformers."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from parity.cases import Case
from parity.cases import scaled as fixtures
from parity.compare import Point, Trace
from parity.torch_side import weights
from parity.torch_side.backward import gradient_trace
from parity.torch_side.forward import summed_loss


def written(case: Case, dtype: str) -> dict[str, bytes]:
    """The files of save_pretrained."""
    with tempfile.TemporaryDirectory() as directory:
        _build(case, "float32").save_pretrained(directory)
        return {path.name: path.read_bytes() for path in Path(directory).iterdir()}


@torch.no_grad()
def logits(case: Case, dtype: str) -> Trace:
    """Logits (B, T, V), for each way to compute them; greedy tokens; gradients of the mean loss."""
    model = _build(case, dtype)
    ids = torch.from_numpy(case.batch["input_ids"])
    whole = model(ids, use_cache=False).logits
    trace: Trace = {Point(0, "logits", name): whole.numpy() for name in ("whole", "split")}
    for decoder in ("paddle", "native"):
        row = whole[:1, fixtures.PROMPT - 1 : fixtures.LENGTH]
        trace[Point(0, "logits", f"{decoder} steps")] = row.numpy()
    with tempfile.TemporaryDirectory() as directory:
        for name, content in case.given.items():
            (Path(directory) / name).write_bytes(content)
        opened = GPT2LMHeadModel.from_pretrained(
            directory, dtype=getattr(torch, dtype), attn_implementation="eager").eval()
    trace[Point(0, "logits", "opened")] = opened(ids, use_cache=False).logits.numpy()
    for number, prompt in enumerate(fixtures.PROMPTS):
        tokens = torch.tensor([prompt])
        for _ in range(fixtures.NEW):
            scores = model(tokens, use_cache=False).logits[:, -1, : fixtures.VOCABULARY]
            tokens = torch.cat([tokens, scores.argmax(-1, keepdim=True)], dim=1)
        new = tokens[0, len(prompt):].numpy()
        trace[Point(0, "chosen ids", f"exported, prompt {number}")] = np.asarray(new)
    with torch.enable_grad():
        loss_sum, count = summed_loss(model, case.batch)
        (loss_sum / count).backward()
    return trace | gradient_trace(model)


def _build(case: Case, dtype: str) -> GPT2LMHeadModel:
    plain = weights.build(case, dtype)
    config = GPT2Config.from_dict(
        plain.config.to_dict() | {"scale_attn_by_inverse_layer_idx": True},
        attn_implementation="eager")
    model = GPT2LMHeadModel(config).to(getattr(torch, dtype)).eval()
    model.load_state_dict(plain.state_dict())
    return model
