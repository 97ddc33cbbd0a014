"""Directories in the forms in which other programs store GPT-2, and the logits of each."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2LMHeadModel

from parity.cases import Case
from parity.cases import forms as fixtures
from parity.compare import Point, Trace
from parity.torch_side import weights

_FILE = "model.safetensors"
_WRAPPERS = "module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module"


def written(case: Case, dtype: str) -> dict[str, bytes]:
    """folder/name -> content, of a folder for each form."""
    with tempfile.TemporaryDirectory() as name:
        for form, directory in _directories(case, Path(name)):
            assert (directory / "config.json").is_file(), form
        return {path.relative_to(name).as_posix(): path.read_bytes()
                for path in Path(name).rglob("*") if path.is_file()}


def logits(case: Case, dtype: str) -> Trace:
    """Logits (B, T, V) of each form, by from_pretrained, and of the directory that Paddle wrote."""
    trace: Trace = {}
    with tempfile.TemporaryDirectory() as name:
        fixtures.unpack(case.given, Path(name))
        trace[Point(0, "logits", fixtures.OURS)] = _logits(Path(name) / fixtures.OURS, case, dtype)
    with tempfile.TemporaryDirectory() as name:
        for form, directory in _directories(case, Path(name)):
            trace[Point(0, "logits", form)] = _logits(directory, case, dtype)
    return trace


def _directories(case: Case, place: Path) -> Iterator[tuple[str, Path]]:
    """(form, its directory) of each form, as save_pretrained writes it or with other names."""
    for form in fixtures.FORMS:
        directory = place / form
        model = weights.build(case, fixtures.STORED.get(form, "float32"))
        if form == "float64":
            with torch.no_grad():  # float32 cannot hold these numbers
                for parameter in model.parameters():
                    parameter *= 1.0 + 2.0**-40
        size = fixtures.SHARD if "shards" in form else "1GB"
        stored = model.transformer if form == "without a head" else model
        stored.save_pretrained(directory, max_shard_size=size)
        if form == "shards beside a newer file":
            model = weights.build(case, "float32")
            model.transformer.wpe.weight.data += 1.0
            model.save_pretrained(place / "newer")
            (place / "newer" / _FILE).rename(directory / _FILE)
            for path in (place / "newer").iterdir():
                path.unlink()
            (place / "newer").rmdir()
        if rename := fixtures.RENAMED.get(form):
            tensors = {rename(key): value for key, value in load_file(directory / _FILE).items()}
            save_file(tensors, directory / _FILE, metadata={"format": "pt"})
        if form == "head beside the embedding":
            tensors = load_file(directory / _FILE)
            tensors["lm_head.weight"] = tensors["transformer.wte.weight"].clone()
            save_file(tensors, directory / _FILE, metadata={"format": "pt"})
        yield form, directory


@torch.no_grad()
def _logits(directory: Path, case: Case, dtype: str) -> np.ndarray:
    model, report = GPT2LMHeadModel.from_pretrained(
        directory, dtype=getattr(torch, dtype), attn_implementation="eager",
        key_mapping={rf"(^|\.)(?:(?:{_WRAPPERS})\.)+": r"\1"}, output_loading_info=True)
    assert not report["missing_keys"] and not report["mismatched_keys"], (directory.name, report)
    return model.eval()(torch.from_numpy(case.batch["input_ids"])).logits.numpy()
