"""A checkpoint, an adapter or both are opened as one plain model with its tokenizer."""

import json

import numpy as np
import paddle
import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import load, lora
from paddle_impl.checkpoint import plain
from paddle_impl.text.generator import TextGenerator
from tests.paddle_impl.lora import tiny
from tests.paddle_impl.lora.test_loading import saved

BYTES = Tokenizer.byte_level()


@pytest.fixture
def base(tmp_path):
    plain.write_model(tmp_path / "base", tiny.model("float32"), BYTES)
    return tmp_path / "base"


@pytest.fixture
def adapter(base, tmp_path):
    return saved(base, tmp_path)[0]


def logits(generator):
    with paddle.no_grad():
        return generator.model(paddle.to_tensor(tiny.IDS)).numpy()


@pytest.mark.parametrize("named", ["both", "adapter", "directory"])
def test_the_adapter_is_in_the_weights(base, adapter, named):
    found = TextGenerator.load(**{
        "both": {"directory": str(base), "adapter": str(adapter)},
        "adapter": {"directory": None, "adapter": str(adapter)},
        "directory": {"directory": str(adapter)}}[named])
    assert not list(lora.adapters(found.model)) and not found.model.training
    np.testing.assert_array_equal(logits(found), logits(
        TextGenerator(lora.load_merged(base, adapter), BYTES)))
    assert np.abs(logits(found) - logits(TextGenerator.load(str(base)))).max() > 1e-3
    assert found.tokenizer.fingerprint() == BYTES.fingerprint()


def test_from_python(base, adapter):
    assert load(base, adapter=str(adapter)).complete("\x01\x05", max_dec_len=4) == load(
        adapter).complete("\x01\x05", max_dec_len=4)


def test_the_tokenizer_beside_the_adapter_wins(base, adapter):
    more = BYTES.with_added_tokens(["<a>"])
    more.save(adapter)
    found = TextGenerator.load(str(base), adapter=str(adapter))
    assert found.tokenizer.fingerprint() == more.fingerprint() != BYTES.fingerprint()
    (adapter / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match=f"{adapter}/tokenizer.json"):
        TextGenerator.load(str(base), adapter=str(adapter))


def test_mistakes_are_told(base, adapter, tmp_path):
    with pytest.raises(ValueError, match="base holds no adapter: it has no adapter_config.json"):
        TextGenerator.load(str(base), adapter=str(base))
    with pytest.raises(ValueError, match="holds an adapter of .*, not a whole model"):
        TextGenerator.load(str(adapter), adapter=str(adapter))
    with pytest.raises(ValueError, match="nowhere holds no adapter"):
        TextGenerator.load(None, adapter=str(tmp_path / "nowhere"))
    other = tiny.model("float32")
    other.transformer.ln_f.bias.set_value(other.transformer.ln_f.bias + 1.0)
    plain.write_model(tmp_path / "other", other, BYTES)
    with pytest.raises(ValueError, match="name the weights that it was trained on"):
        TextGenerator.load(str(tmp_path / "other"), adapter=str(adapter))


def test_an_adapter_whose_base_is_gone_says_what_to_type(adapter, tmp_path):
    other = tmp_path / "copied"
    other.mkdir()
    told = json.loads((adapter / "adapter_config.json").read_text())
    (other / "adapter_config.json").write_text(json.dumps(
        told | {"base_model_name_or_path": "somewhere/else"}))
    with pytest.raises(ValueError, match="holds an adapter of somewhere/else, which is no "
                       "directory here: name its base, --model_name_or_path BASE "
                       f"--adapter {other}"):
        TextGenerator.load(str(other))
