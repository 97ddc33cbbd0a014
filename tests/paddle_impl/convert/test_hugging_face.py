"""Names to and from HF; missing, unknown, wrongly shaped and untied tensors are refused."""

import numpy as np
import pytest

from paddle_impl.convert.hugging_face import from_hf, load_weights, to_hf
from paddle_impl.model import GPTForCausalLM
from tests.paddle_impl.meeting import CONFIG, WEIGHTS, build, together


@pytest.mark.parametrize("prefix", [
    "", "transformer.", "module.transformer.", "_orig_mod.transformer.", "module._orig_mod.",
    "_fsdp_wrapped_module.transformer._fsdp_wrapped_module.",
])
def test_prefixes_lead_to_the_same_names(tiny_model, prefix):
    ours = to_hf(tiny_model)
    theirs = {prefix + name.removeprefix("transformer."): value for name, value in ours.items()}
    assert from_hf(theirs).keys() == ours.keys()


def test_causal_buffers_and_the_tied_head_are_consumed(tiny_model):
    ours = to_hf(tiny_model)
    extra = {"transformer.h.0.attn.bias": np.ones((1, 1, 4, 4)),
             "transformer.h.1.attn.masked_bias": np.float32(-1e4),
             "lm_head.weight": ours["transformer.wte.weight"].copy()}
    assert from_hf(ours | extra).keys() == ours.keys()


def test_an_untied_head_is_refused(tiny_model):
    ours = to_hf(tiny_model)
    head = {"module.lm_head.weight": ours["transformer.wte.weight"] + 1}
    with pytest.raises(ValueError, match="module.lm_head.weight differs from transformer.wte.we"):
        from_hf(ours | head)
    with pytest.raises(ValueError, match="module.lm_head.weight and lm_head.weight are both"):
        from_hf(ours | head | {"lm_head.weight": ours["transformer.wte.weight"]})


@pytest.mark.parametrize("prefix", ["", "_orig_mod.", "module."])
def test_a_head_alone_is_the_embedding(tiny_model, prefix):
    ours = to_hf(tiny_model)
    wte = ours.pop("transformer.wte.weight")
    read = from_hf({f"{prefix}{name}": ours[name] for name in ours}
                   | {f"{prefix}lm_head.weight": wte})
    assert read.keys() == to_hf(tiny_model).keys()
    np.testing.assert_array_equal(read["transformer.wte.weight"], wte)


def test_equal_weights_with_a_nan_are_tied(tiny_model):
    ours = to_hf(tiny_model)
    ours["transformer.wte.weight"][3, 3] = np.nan
    assert from_hf(ours | {"lm_head.weight": ours["transformer.wte.weight"].copy()})


def test_missing_unknown_and_misshapen_tensors_are_named(tiny_model):
    ours = to_hf(tiny_model)
    name = "transformer.h.1.mlp.c_fc.weight"
    with pytest.raises(ValueError, match=rf"1 missing \['{name}'\]"):
        load_weights(tiny_model, {k: v for k, v in ours.items() if k != name})
    with pytest.raises(ValueError, match=r"1 unknown \['extra'\]"):
        load_weights(tiny_model, ours | {"extra": np.ones(1)})
    with pytest.raises(ValueError, match=rf"{name} has shape \(64, 16\)"):
        load_weights(tiny_model, ours | {name: ours[name].T})


@pytest.mark.parametrize("kind", ["int8", "int32", "int64", "uint16", "bool", "complex64",
                                  "longdouble"])
@pytest.mark.parametrize("grow", [False, True])
def test_another_type_is_refused_by_name(tiny_model, kind, grow):
    ours, name = to_hf(tiny_model), "transformer.wte.weight"
    with pytest.raises(ValueError, match=f"{name} is {np.dtype(kind)}, not bfloat16 or one of "):
        load_weights(tiny_model, ours | {name: ours[name].astype(kind)}, grow_vocabulary=grow)


def test_float64_weights_are_cast(tiny_model):
    ours, name = to_hf(tiny_model), "transformer.ln_f.weight"
    load_weights(tiny_model, ours | {name: ours[name].astype(np.float64) + 0.5})
    assert (to_hf(tiny_model)[name] == 1.5).all()


def test_a_refused_load_changes_nothing(tiny_model):
    ours = to_hf(tiny_model)
    bad = {name: value + 1 for name, value in ours.items()}
    bad["transformer.ln_f.bias"] = np.ones(3, np.float32)
    with pytest.raises(ValueError, match="ln_f.bias"):
        load_weights(tiny_model, bad)
    for name, value in to_hf(tiny_model).items():
        np.testing.assert_array_equal(value, ours[name])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_weights_that_are_no_numbers_are_refused(tiny_model, bad):
    ours = to_hf(tiny_model)
    for name in ours:
        spoilt = ours[name].astype(np.float64)
        spoilt.flat[-1] = bad
        with pytest.raises(ValueError, match=f"{name} holds values that are NaN, or infinite"):
            load_weights(tiny_model, ours | {name: spoilt})
    for name, value in to_hf(tiny_model).items():
        np.testing.assert_array_equal(value, ours[name])


def test_a_checkpoint_of_any_degree_is_the_whole_and_loads_at_any():
    for saved in together(4, lambda parts: to_hf(build(parts))):
        assert saved.keys() == WEIGHTS.keys()
        for name, array in saved.items():
            np.testing.assert_array_equal(array, WEIGHTS[name].astype(np.float32))


@pytest.mark.parametrize(("name", "shape"), [
    ("transformer.wte.weight", (54, 32)), ("transformer.h.1.mlp.c_fc.weight", (32, 24)),
])
def test_another_shape_is_refused_in_every_process(name, shape):
    wrong = WEIGHTS | {name: np.zeros(shape)}
    whole = WEIGHTS[name].shape

    def work(parts):
        with pytest.raises(ValueError) as refusal:
            load_weights(GPTForCausalLM(CONFIG, parts), wrong)
        return str(refusal.value)

    message = f"{name} has shape {shape} in the checkpoint, {whole} in the model"
    assert together(2, work) == [message] * 2
