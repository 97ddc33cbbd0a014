"""The training benchmark refuses sides whose losses differ, and takes ratios within a round."""

import json
import math
from types import SimpleNamespace

import pytest


@pytest.fixture
def train(bench):
    return bench("train")


def answer(losses=(3.0, 2.0), norms=(1.0, 1.0), **more) -> dict:
    return {"losses": list(losses), "norms": list(norms), **more}


def test_equal_sides_tell_their_largest_difference(train):
    sides = {"eager": answer(), "ours": answer(losses=(3.00001, 2.00004))}
    assert train.check_same(sides) == pytest.approx(4e-5)


@pytest.mark.parametrize("other", [
    answer(losses=(3.0, 2.001)), answer(losses=(3.0, math.nan)), answer(norms=(1.0, 1.01)),
    answer(norms=(math.nan, 1.0)), answer(losses=(3.0,)),
])
def test_another_computation_is_refused(train, other):
    with pytest.raises(ValueError):
        train.check_same({"eager": answer(), "ours": other})


def test_only_sides_that_train_the_same_are_compared(train):
    """Steps of an adapter have losses of their own, which must agree too."""
    sides = {"eager": answer(), "lora": answer(losses=(4.0, 3.9)), "ours": answer()}
    assert train.agreement(sides | {"peft": answer(losses=(4.0, 3.9))}) == 0.0
    with pytest.raises(ValueError, match="lora .* peft"):
        train.agreement(sides | {"peft": answer(losses=(4.0, 3.8))})


def test_a_share_is_of_the_full_step_beside_it_in_the_same_round(train):
    def side(peak, *seconds):
        return {"seconds": seconds, "peak_mib": peak, "product_flop_per_s": 100.0}

    answers = {"ours": side(100.0, 2.0, 20.0, 2.0), "lora": side(40.0, 1.0, 10.0, 1.2),
               "eager": side(200.0, 4.0, 4.0, 4.0), "peft": side(50.0, 3.0, 3.0, 3.0)}
    assert train.shares(answers) == {"lora": (0.5, 0.4), "peft": (0.75, 0.25)}
    assert train.shares({"lora": answers["lora"]}) == {}
    records = train.figures(answers, tokens=8, flop=100.0)
    assert ["of_own_peak" in own for own in records] == [True, False, True, False]


def test_ratios_are_of_the_same_round(train):
    """The machine slows down tenfold in the third round: the ratio stays, its spread too."""
    answers = {
        "eager": {"seconds": [2.0, 2.0, 20.0], "product_flop_per_s": 100.0},
        "ours": {"seconds": [1.0, 1.0, 10.0], "product_flop_per_s": 400.0},
    }
    eager, ours = train.figures(answers, tokens=8, flop=100.0)
    assert eager["times_first"] == (1.0, 1.0, 1.0) and ours["times_first"] == (2.0, 2.0, 2.0)
    assert (eager["tokens_per_s"], ours["tokens_per_s"]) == (4.0, 8.0)
    assert (eager["of_own_peak"], eager["of_highest_peak"]) == (0.5, 0.125)
    assert (ours["of_own_peak"], ours["of_highest_peak"]) == (0.25, 0.25)


def test_half_of_the_values_lie_in_the_middle(train):
    assert train.middle([1.0, 2.0, 3.0, 4.0, 100.0]) == (3.0, 2.0, 4.0)
    assert train.middle([7.0]) == (7.0, 7.0, 7.0)


def test_the_fastest_product_counts_and_its_first_call_does_not(bench):
    """Two products of 2 FLOP on a clock of our own: 1 s in the first call, then 0.5 and 0.25."""
    side = bench("train_side")
    seconds = iter([1.0, 0.5, 1.0, 0.25])
    now = 0.0

    def tick():
        nonlocal now
        now += next(seconds)

    clock = pytest.MonkeyPatch()
    clock.setattr(side.time, "perf_counter", lambda: now)
    try:
        best = side.best_product(SimpleNamespace(product=lambda *shape: tick), [(1, 1, 1)] * 2)
    finally:
        clock.undo()
    assert best == 2 / 0.25


@pytest.mark.exhaustive
def test_the_whole_bench_prints_a_table(command, tmp_path):
    """What the bench needs of the trainer, of adapters and of peft is still there."""
    numbers = tmp_path / "numbers.jsonl"
    done = command("scripts/bench/train.py", "--model", "code-mini", "--batch", 1, "--seq_len", 8,
                   "--sides", "ours,lora,peft", "--rounds", 1, "--json", numbers)
    assert done.returncode == 0, done.stderr
    assert "| this project |" in done.stdout
    assert "this project, LoRA: " in done.stdout and "x the time of this project" in done.stdout
    records = list(map(json.loads, numbers.read_text().splitlines()))
    assert 0 < records[0]["of_own_peak"] < 1 and records[0]["peak_mib"] > 0
    # Every step of the warm-up updated the weights.
    assert [len(set(record["losses"])) for record in records] == [3, 3, 3]
