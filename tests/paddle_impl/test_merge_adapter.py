"""python -m paddle_impl.merge_adapter: what it writes, says and refuses."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import load_file

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import lora, merge_adapter
from paddle_impl.checkpoint import plain
from tests.paddle_impl.lora import test_loading, tiny
from tests.paddle_impl.lora.test_loading import adapter  # noqa: F401  a fixture


@pytest.fixture
def base(tmp_path):
    plain.write_model(tmp_path / "base", tiny.model("float32"), Tokenizer.byte_level())
    return tmp_path / "base"


def test_the_merged_model_is_whole_and_the_base_as_it_was(base, adapter, tmp_path, capsys):  # noqa: F811
    before = {path.name: path.read_bytes() for path in base.iterdir()}
    out = tmp_path / "deep" / "merged"
    merge_adapter.main([str(base), str(adapter), str(out)])
    told = capsys.readouterr().out
    assert "LoRA on 2 layers, attn.c_attn in blocks 0-1; 128 of" in told
    assert 0 < float(re.search(r"changes a logit by at most (\S+),", told)[1]) < 1e-6
    assert {path.name: path.read_bytes() for path in base.iterdir()} == before
    assert {path.name for path in out.iterdir()} == before.keys()
    weights = load_file(out / "model.safetensors")
    a, b = (test_loading.tensors()[f"transformer.h.1.attn.c_attn.lora_{part}.weight"]
            .astype(np.float64) for part in "AB")
    name = "transformer.h.1.attn.c_attn.weight"
    expected = load_file(base / "model.safetensors")[name] + 4.0 * (b @ a).T
    np.testing.assert_array_equal(weights[name], expected.astype(np.float32))
    assert weights[name].dtype == np.float32
    assert Tokenizer.load(out).fingerprint() == Tokenizer.byte_level().fingerprint()
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        theirs = transformers.AutoModelForCausalLM.from_pretrained(out)(torch.tensor(tiny.IDS))
    np.testing.assert_allclose(theirs.logits.numpy(), test_loading.logits(
        lora.load_adapted(base, adapter)), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("words", "said"), [
    (["base", "adapter", "base"], "base is there already"),
    (["base", "adapter", "adapter"], "adapter is there already"),
    (["adapter", "base", "out"], "base holds no adapter"),
    (["nothing", "adapter", "out"], "nothing"),
])
def test_mistakes_are_told_in_one_line(base, adapter, tmp_path, capsys, words, said):  # noqa: F811
    with pytest.raises(SystemExit) as end:
        merge_adapter.main([str(tmp_path / word) for word in words])
    err = capsys.readouterr().err
    assert end.value.code == 2 and said in err and err.count("\n") == 1
    assert err.startswith("paddle_impl.merge_adapter: error: ")
    assert not (tmp_path / "out").exists()


def test_a_key_that_is_not_built_is_told(base, adapter, tmp_path, capsys):  # noqa: F811
    told = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(told | {"use_dora": True}))
    with pytest.raises(SystemExit):
        merge_adapter.main([str(base), str(adapter), str(tmp_path / "out")])
    assert "use_dora is true" in capsys.readouterr().err


def test_a_base_and_an_adapter_without_a_tokenizer(adapter, tmp_path, capsys):  # noqa: F811
    plain.write_model(tmp_path / "bare", tiny.model("float32"), None)
    merge_adapter.main([str(tmp_path / "bare"), str(adapter), str(tmp_path / "out")])
    assert "has a tokenizer" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "config.json", "model.safetensors"]
