"""The mutants: their tables, planting and removing them, and the kill table."""

import ctypes
from functools import cached_property

import numpy as np
import paddle
import pytest

from data_tools import index_helper
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint, model, objectives, pretraining
from paddle_impl.config.model import ModelConfig
from paddle_impl.decoding.native_decoder import NativeDecoder
from paddle_impl.optim import clip, optimizer, schedule
from paddle_impl.training import trainer
from parity import cases, ladder
from parity.mutants import cpp, plant, reach, run
from parity.mutants.mutant import Change, Mutant
from parity.mutants.plant import live, mutated, planted
from parity.mutants.tables import MUTANTS, ROOMS


def one(path: str, *codes: tuple[str, str]) -> Mutant:
    return Mutant("a mutant", "room", tuple(Change(path, *code) for code in codes))


def test_the_table_is_long_and_names_are_its_own():
    bugs = [mutant for mutant in MUTANTS if not mutant.equivalent]
    assert len(bugs) >= 90
    assert len(MUTANTS) - len(bugs) >= 6
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert {mutant.room for mutant in bugs} == set(ROOMS)
    assert all(mutant.changes for mutant in bugs)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_planted_and_taken_out(mutant):
    plant.load_all()
    before = [live(change.path) for change in mutant.changes]
    if any(cpp.is_compiled(module) for module in before if hasattr(module, "__file__")):
        mutated(cpp.source(before[0]), list(mutant.changes))  # compiled in a test of its own
        return
    with planted(mutant):
        during = [live(change.path) for change in mutant.changes]
    after = [live(change.path) for change in mutant.changes]
    assert all(was is not is_ for was, is_ in zip(before, during, strict=True))
    assert all(was is is_ for was, is_ in zip(before, after, strict=True))


def test_a_function_is_replaced_wherever_it_was_imported_to():
    right = trainer.mean
    with planted(one("paddle_impl.objectives.mean", ("total / (weight or 1.0)", "7.0"))):
        assert trainer.mean is objectives.mean
        assert trainer.mean(2.0, 4.0) == 7.0
    assert trainer.mean is objectives.mean is right
    assert objectives.mean(2.0, 4.0) == 0.5


def test_compiled_mutants_are_built_imported_and_put_back(monkeypatch):
    """Two in turn, each with its own code: pybind11 remembers a module by its full name."""
    sizes, order = np.full(4, 10, np.int32), np.arange(4, dtype=np.int32)
    right = index_helper.index.build_sample_idx
    expected = right(sizes, order, 8, 1, 40).tolist()
    first, second = map(by_name, ("windows share two tokens", "walk compares the other way round"))
    found = []
    for mutant in (first, second):
        with planted(mutant):
            assert index_helper.build_sample_idx is index_helper.index.build_sample_idx is not right
            found.append(index_helper.build_sample_idx(sizes, order, 8, 1, 40).tolist())
        assert index_helper.build_sample_idx is index_helper.index.build_sample_idx is right
    assert found[0] != expected
    assert found[1] == expected  # its bug is in another function
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RuntimeError, match="need a C\\+\\+ compiler"), planted(first):
        pass


def test_a_mutant_of_a_header_is_in_the_decoders_that_are_made_meanwhile(tiny_model):
    def step() -> list[float]:
        decoder = NativeDecoder(tiny_model, 1, 8)
        decoder.prefill(0, [1, 2])
        return decoder.step([0], [3])[0].tolist()

    right = step()
    with planted(by_name("C++: no residual")):
        assert step() != right
    assert step() == right


def test_an_error_inside_of_the_block_takes_the_mutant_out_too():
    right = schedule.lr_at
    with (pytest.raises(KeyError),
          planted(one("paddle_impl.optim.schedule.lr_at", ("max_lr * step / warmup", "7.0")))):
        raise KeyError
    assert schedule.lr_at is right


def test_a_constructor_finds_super():
    with planted(one("paddle_impl.model.MLP.__init__",
                     ("config.inner, parts)", "2 * config.inner, parts)"),
                     ("Linear(config.inner,", "Linear(2 * config.inner,"))):
        layer = model.MLP(ModelConfig(1, 8, 1, 10))
    assert layer.c_fc.weight.shape == [8, 64]
    assert layer.c_proj.weight.shape == [64, 8]


def test_properties_class_methods_and_decorated_functions():
    config = ModelConfig(1, 8, 1, 10)
    with planted(one("paddle_impl.config.model.ModelConfig.inner",
                     ("self.n_inner or 4", "self.n_inner or 5"))):
        assert config.inner == 40
    assert config.inner == 32
    with planted(one("paddle_impl.config.model.ModelConfig.from_hf",
                     ('not in ("gpt2",', 'not in ("gpt3",'))):
        shape = {"n_layer": 1, "n_embd": 8, "n_head": 1, "vocab_size": 10}
        assert ModelConfig.from_hf(shape | {"model_type": "gpt3"}) == config
    parameter = paddle.create_parameter([2], "float32")
    (parameter * 3.0).sum().backward()
    with planted(one("paddle_impl.optim.clip.clip_grad_norm", ("return norm", "return -norm"))):
        assert optimizer.clip_grad_norm is clip.clip_grad_norm
        assert optimizer.clip_grad_norm([parameter], 0.0) == pytest.approx(-(18**0.5))


def test_a_named_tuple_of_functions_holds_the_new_one():
    batch = {"labels": np.array([[3, -100]])}
    right = objectives.CAUSAL_LM
    with planted(one("paddle_impl.objectives.counted_labels", ("!= IGNORED", "== IGNORED"))):
        assert pretraining.CAUSAL_LM is objectives.CAUSAL_LM is not right
        assert objectives.CAUSAL_LM.weight is objectives.counted_labels
        assert objectives.CAUSAL_LM.weight({"labels": np.array([[3, -100, -100]])}) == 2
    assert pretraining.CAUSAL_LM is objectives.CAUSAL_LM is right
    assert right.weight(batch) == 1


def test_a_cached_property_is_computed_and_kept():
    with planted(one("data_tools.tokenizing.tokenizer.Tokenizer.eos_token_id",
                     ("return self._vocab[token]", "return 99"))):
        assert isinstance(vars(Tokenizer)["eos_token_id"], cached_property)
        tokenizer = Tokenizer.train(iter(["a b c"]), 257)
        assert tokenizer.eos_token_id == 99
    assert vars(tokenizer)["eos_token_id"] == 99
    assert Tokenizer.train(iter(["a b c"]), 257).eos_token_id == 0


def test_a_constant():
    with planted(one("paddle_impl.checkpoint.state.FORMAT_VERSION", ("= 2", "= 41 + 1"))):
        assert checkpoint.FORMAT_VERSION == 42
    assert checkpoint.FORMAT_VERSION == 2


@pytest.mark.parametrize(("code", "replacement", "message"), [
    ("no such code", "x", r"objectives\.cross_entropy contains 'no such code' 0 times"),
    ("labels", "x", r"cross_entropy contains 'labels' \d+ times, not once"),
    (".element_size()", ".element_size( )", "cross_entropy is as it was"),
    (".element_size()", ".element_size()", "replaced by itself"),
    (".element_size()", ".element_size(", "the mutated source is no Python"),
])
def test_a_mutant_that_would_change_nothing_is_an_error(code, replacement, message):
    right = objectives.cross_entropy
    with (pytest.raises(AssertionError, match=message),
          planted(one("paddle_impl.objectives.cross_entropy", (code, replacement)))):
        pass
    assert objectives.cross_entropy is right


def test_a_path_that_leads_nowhere_is_an_error():
    for path in ("paddle_impl.model.Nobody", "elsewhere.function"):
        with pytest.raises(AssertionError, match=path), planted(one(path, ("a", "b"))):
            pass


def test_only_rungs_that_run_the_code_are_climbed(monkeypatch):
    climb = ladder.climb
    monkeypatch.setattr(
        ladder, "climb", lambda names, on: climb(["weights", "loss", "schedule"], on))
    ran = reach.control.__wrapped__()
    assert ran[1] == []
    monkeypatch.setattr(reach, "control", lambda: ran)
    assert reach.rungs_of(by_name("warm-up starts at zero")) == ["schedule"]
    assert reach.rungs_of(by_name("masked labels cost as token 0")) == ["loss"]
    assert reach.rungs_of(by_name("erf GELU")) == ["loss"]
    assert reach.rungs_of(by_name("head saved beside its tie")) == ["weights"]
    assert reach.rungs_of(by_name("top-k keeps one more")) == []
    for of_all in ("unmutated code", "all attention biases taken for buffers"):
        assert reach.rungs_of(by_name(of_all)) == ["weights", "loss", "schedule"]


def test_compiled_mutants_do_not_share_their_tables(tmp_path):
    """The second module that a process loads has its own values in a template's table."""
    found = []
    for value in (1, 2):
        file = tmp_path / f"table{value}.cpp"
        file.write_text(
            "template <typename T> struct Table { static constexpr T values[] = {VALUE, 0}; };\n"
            'extern "C" __attribute__((visibility("default"))) int value(int at) {\n'
            "  return Table<int>::values[at];\n}\n".replace("VALUE", str(value)))
        binary = file.with_suffix(".so")
        cpp._compile(file, binary)
        found.append(ctypes.CDLL(str(binary)).value(0))
    assert found == [1, 2]


def test_compiled_code_is_sought_in_the_rungs_that_use_it(monkeypatch):
    climb, small = ladder.climb, [cases.case("std_0.2")]
    monkeypatch.setattr(
        ladder, "climb", lambda names, on: climb(["weights", "order", "blocks"], small))
    ran = reach.control.__wrapped__()
    assert ran[1] == []
    monkeypatch.setattr(reach, "control", lambda: ran)
    assert reach.rungs_of(by_name("C++: variance of a sample")) == ["blocks"]
    assert reach.rungs_of(by_name("windows share no token")) == ["order"]


def test_the_float32_gate_is_asked_only_where_a_rung_has_it(monkeypatch):
    monkeypatch.setattr(reach, "rungs_of", lambda mutant: ["schedule"])
    assert run.examine(by_name("warm-up starts at zero"))["float32"] is None
    monkeypatch.setattr(reach, "rungs_of", lambda mutant: ["schedule", "loss"])
    blind = run.examine(by_name("warm-up starts at zero"))
    assert blind["float32"] == {name: None for name in cases.CASES}
    assert {found["rung"] for found in blind["killed"].values()} == {"schedule"}


def by_name(name: str) -> Mutant:
    return next(mutant for mutant in MUTANTS if mutant.name == name)
