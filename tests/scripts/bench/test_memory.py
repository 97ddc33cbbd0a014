"""The memory benchmark: the flags of a case, and cases with the same samples must agree."""

import math

import pytest

from paddle_impl.config.registry import named_model


@pytest.fixture
def memory(bench):
    return bench("memory")


@pytest.mark.parametrize(("name", "processes", "data", "flags"), [
    ("plain", 1, 1, ""),
    ("recompute", 1, 1, "--use_recompute"),
    ("dp2", 2, 2, ""),
    ("sharding2", 2, 2, "--sharding_degree 2"),
    ("sharding2+stage3", 2, 2, "--sharding_degree 2 --sharding_stage 3"),
    ("mp2+recompute", 2, 1, "--mp_degree 2 --use_recompute"),
    ("finetune", 1, 1, ""),
    ("lora+recompute", 1, 1, "--lora_dim 4 --use_recompute"),
    ("dp2+sharding2+mp2", 8, 4, "--sharding_degree 2 --mp_degree 2"),
])
def test_a_case_is_processes_and_flags(memory, name, processes, data, flags):
    assert memory.parse_case(name) == memory.Case(
        name, processes, data, tuple(flags.split()), pairs=name[:4] in ("fine", "lora"))


@pytest.mark.parametrize("name", [
    "", "mp", "mp1", "stage1", "dp0", "plain+", "sharding2,mp2", "faster",
])
def test_an_unknown_part_is_refused(memory, name):
    with pytest.raises(ValueError, match="no case"):
        memory.parse_case(name)


def record(case: str, data: int, *losses: float) -> dict:
    return {"case": case, "data": data, "losses": list(losses)}


def test_only_cases_of_the_same_samples_are_compared(memory):
    records = [record("plain", 1, 3.0, 2.0), record("mp2", 1, 3.0, 2.00005),
               record("dp2", 2, 5.0, 4.0), record("sharding2", 2, 5.0, 4.0)]
    assert memory.check_same(records) == pytest.approx(5e-5)


@pytest.mark.parametrize("loss", [2.001, math.nan])
def test_another_computation_is_refused(memory, loss):
    with pytest.raises(ValueError, match="plain .* mp2"):
        memory.check_same([record("plain", 1, 3.0, 2.0), record("mp2", 1, 3.0, loss)])


@pytest.mark.parametrize(("name", "weights", "state"), [
    ("mp2", 100.0, 100.0), ("mp2", 50.0, 200.0), ("sharding2", 100.0, 200.0),
])
def test_a_flag_that_shares_nothing_is_refused(memory, name, weights, state):
    with pytest.raises(RuntimeError, match="shared nothing"):
        memory.check_shared(memory.parse_case(name), _held(weights, state), 100.0)


@pytest.mark.parametrize(("name", "weights", "state"), [
    ("mp2", 50.0, 100.0), ("sharding2", 100.0, 101.0), ("dp2", 100.0, 200.0),
])
def test_what_is_shared_is_smaller(memory, name, weights, state):
    memory.check_shared(memory.parse_case(name), _held(weights, state), 100.0)


def _held(weights: float, state: float) -> dict:
    return {"weights_mib": [weights, 50.0], "state_mib": [state, 100.0]}


def test_each_process_reports_its_peak(memory, tmp_path):
    """The whole bench on two processes: what it needs of run_pretrain.py is still there."""
    data, out = tmp_path / "data", tmp_path / "out"
    memory.write_data(data / "noise", "code-mini", 4096)
    found = memory.run_case(memory.parse_case("dp2"), data, out, "code-mini", "parameters")
    assert len(found["peak_mib"]) == 2 and len(found["losses"]) == memory.STEPS
    assert all(peak > found["libraries_mib"] for peak in found["peak_mib"])
    whole = named_model("code-mini").num_parameters() * 4 / 2**20
    assert found["weights_mib"] == [whole, whole]
    assert found["state_mib"] == pytest.approx([2 * whole, 2 * whole], rel=1e-3)  # and beta powers
    assert not list((out / "run").glob("model_*"))


def test_an_adapter_has_the_losses_of_the_whole_model_and_hardly_any_moments(memory, tmp_path):
    found = {name: memory.run_case(memory.parse_case(name), tmp_path, tmp_path / name, "code-mini",
                                   "parameters") for name in ("finetune", "lora")}
    whole, adapter = found.values()
    assert adapter["losses"] == pytest.approx(whole["losses"], abs=1e-4)
    assert adapter["state_mib"][0] < 0.05 * whole["state_mib"][0]
    assert adapter["weights_mib"][0] == pytest.approx(whole["weights_mib"][0], rel=0.02)
