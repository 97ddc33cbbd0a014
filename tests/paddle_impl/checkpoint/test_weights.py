"""open_weights reads whole files and shards, four types and every prefix; errors name the tensor.
"""

import json
import os
from pathlib import Path

import numpy as np
import paddle
import pytest
from safetensors.numpy import load_file, save_file

from paddle_impl import checkpoint
from paddle_impl.checkpoint import manifest, weights
from paddle_impl.convert.hugging_face import to_hf

torch = pytest.importorskip("torch")

INDEX = "model.safetensors.index.json"


@pytest.fixture
def interop() -> Path:
    """Small models in other programs' formats."""
    here = Path(__file__).resolve().parents[3]
    shared = Path(os.environ.get("GPT_SHARED_DATA", here.parent / "shared" / "data"))
    if not (shared / "interop" / "hf-tiny" / "model.safetensors").exists():
        pytest.skip(f"the models of other programs are not in {shared}; set GPT_SHARED_DATA")
    return shared / "interop"


@pytest.fixture
def directory(tiny_model, tmp_path) -> Path:
    """What another program wrote: config.json and model.safetensors, no manifest."""
    (tmp_path / "config.json").write_text(json.dumps(tiny_model.config.to_hf()))
    save_file(to_hf(tiny_model), tmp_path / "model.safetensors", metadata={"format": "pt"})
    return tmp_path


def rewrite(directory: Path, change) -> dict:
    """Replace the tensors by change(tensors); stored with torch, because numpy has no bfloat16."""
    from safetensors import torch as of_torch

    tensors = change(of_torch.load_file(directory / "model.safetensors"))
    of_torch.save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    return tensors


def split(directory: Path) -> tuple[Path, Path]:
    """Two shards instead of one file, each with every second tensor."""
    tensors = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    shard_of = {}
    for number in (0, 1):
        name = f"model-0000{number + 1}-of-00002.safetensors"
        own = dict(list(tensors.items())[number::2])
        save_file(own, directory / name, metadata={"format": "pt"})
        shard_of |= dict.fromkeys(own, name)
    (directory / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": shard_of}))
    return tuple(sorted(directory.glob("model-*.safetensors")))


def test_what_a_model_saved_is_what_is_opened(tiny_model, directory):
    opened, expected = checkpoint.open_weights(directory), to_hf(tiny_model)
    assert opened.keys() == expected.keys() and len(opened) == 28
    for name, value in expected.items():
        assert opened[name].dtype == np.float32
        np.testing.assert_array_equal(opened[name], value)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_every_type_is_read_to_the_bit(directory, dtype):
    def cast(tensors):
        cast = {name: value.to(getattr(torch, dtype)) for name, value in tensors.items()}
        special = cast["transformer.ln_f.bias"]
        special[:6] = torch.tensor([torch.inf, -torch.inf, torch.nan, -0.0, 1e-40, 65504.0])
        return cast

    stored = rewrite(directory, cast)
    opened = checkpoint.open_weights(directory)
    for name, value in stored.items():
        expected = value.float().numpy() if dtype == "bfloat16" else value.numpy()
        assert opened[name].dtype == expected.dtype
        assert opened[name].tobytes() == expected.tobytes(), name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_of_either_type_is_filled_from_half_precision(directory, dtype):
    stored = rewrite(directory, lambda tensors: {
        name: value.bfloat16() for name, value in tensors.items()})
    paddle.set_default_dtype(dtype)
    try:
        model = checkpoint.load_model(directory)
    finally:
        paddle.set_default_dtype("float32")
    for name, value in to_hf(model).items():
        np.testing.assert_array_equal(value, stored[name].to(getattr(torch, dtype)).numpy())


def test_every_number_of_bfloat16_is_exact(directory):
    every = torch.arange(1 << 16, dtype=torch.int32).to(torch.uint16).view(torch.bfloat16)
    rewrite(directory, lambda tensors: tensors | {"transformer.ln_f.bias": every})
    got = checkpoint.open_weights(directory)["transformer.ln_f.bias"]
    finite = torch.isfinite(every).numpy()
    assert got[finite].tobytes() == every.float().numpy()[finite].tobytes()
    np.testing.assert_array_equal(got, every.float().numpy())  # NaN equals NaN here


@pytest.mark.parametrize("prefix", ["", "transformer.", "module.transformer."])
def test_prefixes_buffers_and_the_head_are_consumed(directory, prefix):
    def old(tensors):
        named = {prefix + name.removeprefix("transformer."): value
                 for name, value in tensors.items()}
        return named | {
            "lm_head.weight": tensors["transformer.wte.weight"].clone(),
            f"{prefix}h.0.attn.bias": torch.ones(1, 1, 24, 24, dtype=torch.bool),
            f"{prefix}h.1.attn.masked_bias": torch.tensor(-1e4),
        }

    whole = dict(checkpoint.open_weights(directory))
    rewrite(directory, old)
    opened = checkpoint.open_weights(directory)
    assert opened.keys() == whole.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(opened[name], value)


def test_what_save_model_of_safetensors_writes_is_opened(tiny_model, directory):
    """It stores one of two tied tensors, the one whose name comes first: the head."""
    from safetensors import torch as of_torch

    transformers = pytest.importorskip("transformers")
    whole = dict(checkpoint.open_weights(directory))
    model = transformers.GPT2LMHeadModel.from_pretrained(directory)
    of_torch.save_model(model, str(directory / "model.safetensors"))
    stored = load_file(directory / "model.safetensors")
    assert "lm_head.weight" in stored and "transformer.wte.weight" not in stored
    opened = to_hf(checkpoint.load_model(directory))
    for name, value in whole.items():
        np.testing.assert_array_equal(opened[name], value)


def test_shards_are_one_model(tiny_model, directory):
    split(directory)
    model = checkpoint.load_model(directory)
    for name, value in to_hf(tiny_model).items():
        np.testing.assert_array_equal(to_hf(model)[name], value)


def test_tensors_are_read_when_they_are_asked_for(directory, monkeypatch):
    """Reading one must not take the memory of all."""
    read, array = [], weights.StoredTensor.array
    monkeypatch.setattr(weights.StoredTensor, "array",
                        lambda stored: read.append(stored.name) or array(stored))
    opened = checkpoint.open_weights(directory)
    assert read == []
    opened["transformer.wte.weight"]
    assert read == ["transformer.wte.weight"]


@pytest.mark.parametrize("kind", ["int32", "int8", "bool", "uint8", "float8_e4m3fn", "complex64"])
def test_another_type_is_refused_by_name(directory, kind):
    rewrite(directory, lambda tensors: tensors | {
        "transformer.h.0.ln_1.bias": torch.ones(16).to(getattr(torch, kind))})
    with pytest.raises(ValueError, match=r"model.safetensors: transformer.h.0.ln_1.bias is stored "
                                         r"as \w+, not as one of F64, F32, F16, BF16"):
        checkpoint.open_weights(directory)


def test_one_tensor_under_two_names_is_refused(directory):
    rewrite(directory, lambda tensors: tensors | {
        "ln_f.bias": tensors["transformer.ln_f.bias"].clone()})
    with pytest.raises(ValueError, match="are both transformer.ln_f.bias"):
        checkpoint.open_weights(directory)


def test_a_head_that_is_not_tied_is_refused(directory):
    rewrite(directory, lambda tensors: tensors | {
        "lm_head.weight": tensors["transformer.wte.weight"] + 1})
    with pytest.raises(ValueError, match=f"{directory}: lm_head.weight differs"):
        checkpoint.open_weights(directory)


def test_a_damaged_shard_a_missing_one_and_one_of_another_index_are_named(directory):
    first, second = split(directory)
    content = first.read_bytes()
    for damage, said in (
        (lambda: first.write_bytes(content[:-2]), f"{first} is damaged"),
        (first.unlink, f"{first} is missing"),
        (lambda: first.write_bytes(second.read_bytes()),
         f"{first} does not hold what {INDEX} says: 14 missing .*, 14 unknown"),
    ):
        damage()
        with pytest.raises(ValueError, match=said):
            checkpoint.load_model(directory)


@pytest.mark.parametrize("name", [
    "../model.safetensors", "/etc/model.safetensors", "a/model.safetensors", "..", "", 3, None,
    "model.bin", "a\0.safetensors",
])
def test_an_index_names_only_files_beside_it(directory, name):
    split(directory)
    told = json.loads((directory / INDEX).read_text())
    told["weight_map"]["transformer.wte.weight"] = name
    (directory / INDEX).write_text(json.dumps(told))
    with pytest.raises(ValueError, match=f"{INDEX} is no index of shards: .* file beside it"):
        checkpoint.open_weights(directory)


@pytest.mark.parametrize("content", ['{"weights": {}}', '{"weight_map": []}', '{"weight_map": {}}',
                                     "[]", "{"])
def test_a_damaged_index_is_named(directory, content):
    (directory / "model.safetensors").unlink()
    (directory / INDEX).write_text(content)
    with pytest.raises(ValueError, match=INDEX):
        checkpoint.open_weights(directory)


def test_shards_are_verified_where_a_manifest_lists_them(directory):
    first, _ = split(directory)
    manifest.write(directory)
    checkpoint.load_weights(directory, checkpoint.load_model(directory))
    content = bytearray(first.read_bytes())
    content[-1] ^= 1
    first.write_bytes(content)
    with pytest.raises(ValueError, match=f"{first}: damaged, its SHA-256"):
        checkpoint.open_weights(directory)
    with pytest.raises(ValueError, match=f"{first}: damaged, its SHA-256"):
        checkpoint.load_model(directory)


def test_what_transformers_wrote_gives_its_logits(interop):
    ids = paddle.to_tensor([[1, 5, 9, 13, 2, 40, 17, 33], [60, 3, 3, 7, 21, 8, 50, 11]])
    paddle.set_default_dtype("float64")
    try:
        model = checkpoint.load_model(interop / "hf-tiny")
        with paddle.no_grad():
            got = model(ids).numpy()
    finally:
        paddle.set_default_dtype("float32")
    expected = np.load(interop / "expected_logits_float64.npy", allow_pickle=False)
    # The fixture's weights are float32 roundings of those that the expected logits come from.
    np.testing.assert_allclose(got, expected, atol=2e-6)


def test_a_pickle_is_refused_with_the_way_out(interop):
    with pytest.raises(ValueError, match=r"pytorch_model.bin is a pickle.*"
                                         r"save_pretrained\(\.\.\., safe_serialization=True\)"):
        checkpoint.load_model(interop / "hf-bin-tiny")
