"""Which models the decode step in C++ refuses and why, and how many threads it takes."""

import types

import paddle
import pytest

from paddle_impl.decoding import native_decoder
from paddle_impl.decoding.native_decoder import NativeDecoder, refusal


class TestRefusal:
    def test_a_model_as_it_is(self, tiny_model):
        assert refusal(tiny_model) == ""

    def test_another_type(self, tiny_model):
        tiny_model.transformer.ln_f.to(dtype="bfloat16")
        reason = "transformer.ln_f.weight is bfloat16, not float32 or float64"
        assert refusal(tiny_model) == reason
        with pytest.raises(ValueError, match=f"cannot serve this model: {reason}"):
            NativeDecoder(tiny_model, 1, 8)

    def test_several_types(self, tiny_model):
        tiny_model.transformer.ln_f.to(dtype="float64")
        assert refusal(tiny_model) == "the parameters are of several types: float32, float64"

    def test_further_parameters(self, tiny_model):
        tiny_model.transformer.h[0].attn.more = paddle.nn.Linear(2, 2)
        assert refusal(tiny_model) == "the model has other parameters than GPT-2's"

    def test_a_share_of_a_model(self, tiny_model):
        tiny_model.parts = types.SimpleNamespace(degree=2)
        assert refusal(tiny_model) == "the model is split over several processes"

    def test_an_extension_that_was_not_built(self, tiny_model, monkeypatch):
        monkeypatch.setattr(native_decoder, "_decode", None)
        monkeypatch.setattr(native_decoder, "_MISSING", "no module", raising=False)
        assert refusal(tiny_model).startswith("the compiled decode step is missing: run bash")


@pytest.mark.parametrize(("value", "threads"), [("3", 3), ("2,1", 2), (" 4 ", 4)])
def test_threads_are_those_that_the_variable_names(monkeypatch, value, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert native_decoder.thread_count() == threads


@pytest.mark.parametrize("value", ["", "0", "many"])
def test_threads_are_all_cores_otherwise(monkeypatch, value):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    monkeypatch.setattr(native_decoder, "core_count", lambda: 7)
    assert native_decoder.thread_count() == 7
