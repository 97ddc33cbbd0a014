"""Which layers an adapter is for."""

import pytest

from paddle_impl.lora import targets

LINEAR = ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"]
NAMES = ["transformer", "transformer.wte", *(
    f"transformer.h.{layer}{part}" for layer in (0, 1, 11)
    for part in ("", ".ln_1", ".attn", *(f".{name}" for name in LINEAR)))]
ALL = [name for name in NAMES if name.endswith(tuple(LINEAR))]


def matched(what, **more):
    return targets.matched(NAMES, ALL, what, **more)


def test_ends_of_names_are_whole_parts():
    assert matched(("c_proj",)) == [name for name in ALL if name.endswith(".c_proj")]
    assert matched(("attn.c_proj",)) == [name for name in ALL if name.endswith("attn.c_proj")]
    assert matched(("h.1.mlp.c_fc",)) == ["transformer.h.1.mlp.c_fc"]
    with pytest.raises(ValueError, match="proj means no layer of the model; its linear layers are "
                                         "attn.c_attn, attn.c_proj, mlp.c_fc, mlp.c_proj"):
        matched(("proj",))


def test_an_expression_is_for_the_whole_name():
    assert matched(r".*\.h\.1\..*c_(attn|fc)") == [
        "transformer.h.1.attn.c_attn", "transformer.h.1.mlp.c_fc"]
    with pytest.raises(ValueError, match="means no layer"):
        matched(r"c_attn")
    with pytest.raises(ValueError, match="means transformer.h.0.attn too"):
        matched(r".*attn.*")


def test_all_linear_is_no_expression():
    assert matched("all-linear") == matched("ALL-linear") == ALL


def test_an_embedding_is_no_linear_layer():
    with pytest.raises(ValueError, match="for linear layers, and wte means transformer.wte"):
        matched(("wte",))


def test_blocks_are_counted_by_their_whole_number():
    assert matched(("c_fc",), layers=(1,)) == ["transformer.h.1.mlp.c_fc"]
    assert matched(("c_fc",), layers=(0, 11), layers_pattern=("h",)) == [
        "transformer.h.0.mlp.c_fc", "transformer.h.11.mlp.c_fc"]
    with pytest.raises(ValueError, match="c_fc means no layer of the model in blocks 5; its"):
        matched(("c_fc",), layers=(5,))
    with pytest.raises(ValueError, match="no layer"):
        matched(("c_fc",), layers=(1,), layers_pattern=("layers",))


def test_layers_that_are_left_out():
    assert matched(("c_proj",), exclude=("mlp.c_proj",)) == matched(("attn.c_proj",))
    assert matched("all-linear", exclude=r".*\.(0|1)\..*|.*_proj") == [
        "transformer.h.11.attn.c_attn", "transformer.h.11.mlp.c_fc"]
    assert matched(("c_proj",), saved=("mlp",)) == matched(("attn.c_proj",))


def test_a_pattern_is_for_the_end_of_a_name_and_the_first_one_counts():
    patterns = {r"h\.0\..*": 1, "c_fc": 2, "mlp.c_fc": 3}
    found = [targets.looked_up(patterns, f"transformer.h.{layer}.{name}", 9)
             for layer in (0, 1) for name in ("mlp.c_fc", "attn.c_proj")]
    assert found == [1, 1, 2, 9]
    assert targets.looked_up({"proj": 1}, "transformer.h.1.mlp.c_proj", 9) == 9


def test_names_in_short():
    assert targets.grouped(matched(("c_fc", "h.1.attn.c_proj"))) == (
        "mlp.c_fc in blocks 0-1, 11, attn.c_proj in block 1")
    assert targets.grouped(["score"]) == "score"


def test_what_is_no_expression_is_told():
    with pytest.raises(ValueError, match=r"'\(' is no regular expression"):
        targets.check_expressions(["a", "("])
