"""The generation benchmark refuses sides whose tokens differ, and takes ratios within a round."""

import json
import math
import sys
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT


@pytest.fixture
def generation(bench):
    return bench("generation")


TEXTS = [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_equal_tokens_need_no_explanation(generation):
    def gap(*place):
        raise AssertionError(place)

    sides = {"generate": TEXTS, "static": TEXTS, "plain": TEXTS}
    assert generation.check_same(sides, gap) == {"generate": 0, "static": 0, "plain": 0}


def test_a_tie_explains_the_rest_of_its_text(generation):
    asked = []

    def gap(*place):
        asked.append(place)
        return 1e-6

    sides = {"generate": TEXTS, "plain": [[1, 9, 3, 7], [5, 6, 7, 8]]}
    assert generation.check_same(sides, gap) == {"generate": 0, "plain": 2}
    assert asked == [(0, 1, 9)]


@pytest.mark.parametrize("apart", [1e-3, math.nan])
def test_another_computation_is_refused(generation, apart):
    sides = {"generate": TEXTS, "plain": [TEXTS[0], [5, 6, 7, 9]]}
    with pytest.raises(ValueError, match="plain writes token 9 where generate writes 8, new token "
                                         "4 of text 2"):
        generation.check_same(sides, lambda *place: apart)


@pytest.mark.parametrize("texts", [TEXTS[:1], [[1, 2, 3], [5, 6, 7, 8]]])
def test_shorter_texts_are_refused(generation, texts):
    with pytest.raises(ValueError):
        generation.check_same({"generate": TEXTS, "plain": texts}, lambda *place: 0.0)


def test_ratios_are_of_the_same_round(generation):
    """The machine slows down tenfold in the third round: the ratio stays, its spread too."""
    answers = {"generate": {"seconds": [2.0, 2.0, 20.0]}, "plain": {"seconds": [1.0, 1.0, 10.0]}}
    generate, plain = generation.figures(answers, batch=3, new_tokens=4)
    assert generate["times_first"] == (1.0, 1.0, 1.0) and plain["times_first"] == (2.0, 2.0, 2.0)
    assert (generate["tokens_per_s"], plain["tokens_per_s"]) == (6.0, 12.0)
    assert plain["ms_per_step"] == 250.0


@pytest.mark.parametrize(("arguments", "said"), [
    (["--sides", "generate,fastest"], "no side fastest"),
    (["--batch", "0"], "expected counts of at least 1"),
    (["--new_tokens", "0"], "--new_tokens must be at least 1"),
])
def test_a_bad_value_is_refused(command, arguments, said):
    done = command("scripts/bench/generation.py", *arguments)
    assert done.returncode == 2 and said in done.stderr


@pytest.mark.exhaustive
def test_the_whole_bench_prints_a_table(command, tmp_path):
    """torch's loop beside this project, with equal tokens: what the bench needs is still there."""
    pytest.importorskip("torch")
    numbers = tmp_path / "numbers.jsonl"
    done = command("scripts/bench/generation.py", "--model", "code-mini", "--batch", 2,
                   "--prompt_tokens", 3, "--new_tokens", 5, "--sides", "static,plain",
                   "--rounds", 1, "--json", numbers)
    assert done.returncode == 0, done.stderr
    assert "All 10 tokens are the same on all sides." in done.stdout
    assert "| this project, plain Paddle |" in done.stdout
    static, plain = map(json.loads, numbers.read_text().splitlines())
    assert (static["side"], plain["side"], plain["batch"]) == ("static", "plain", 2)
    assert plain["peak_mib"] > 0 and len(plain["seconds"]) == 1


FAKE = """
import sys
print("answer", sys.argv[1], flush=True)
for line in sys.stdin:
    print("answer 0.5", flush=True)
"""
SPEAKS = {"tokens": [[1, 2]], "threads": 1, "framework": "none", "memory_since": "the start"}


def measured(generation, monkeypatch, **ready):
    """The benchmark's table, of fake sides that start with the messages `ready` and score 0.5."""
    monkeypatch.setattr(generation, "_command", lambda side, *rest: [
        sys.executable, "-c", FAKE, json.dumps(ready[side])
    ])
    options = SimpleNamespace(model="none", sides=tuple(ready), rounds=1, prompt_tokens=1,
                              new_tokens=2)
    shape = {"layers": 1, "width": 1, "parameters": 1}
    return generation._measured(1, "", shape, options).markdown()


def test_a_side_that_cannot_be_is_left_out(generation, monkeypatch):
    table = measured(generation, monkeypatch, plain=SPEAKS, native={"left_out": "no compiler"})
    assert "this project, C++ step is left out: no compiler." in table
    assert "| this project, C++ step |" not in table and "| this project, plain Paddle |" in table
    with pytest.raises(ValueError, match="no side is left"):
        measured(generation, monkeypatch, native={"left_out": "no compiler"})


def test_the_reference_is_asked_about_other_tokens(generation, monkeypatch):
    """It answers 0.5, which is no tie."""
    with pytest.raises(ValueError, match="logits are 5.0e-01 apart"):
        measured(generation, monkeypatch, generate=SPEAKS, plain=SPEAKS | {"tokens": [[1, 3]]})


def test_a_side_tells_how_far_a_token_lies_below_its_own(bench, command, tmp_path):
    written = command("scripts/bench/train_sides/write_weights.py", "code-mini", tmp_path, 1, 8)
    assert written.returncode == 0, written.stderr
    side = bench("train").TrainSide([
        sys.executable, ROOT / "scripts/bench/generation_sides/side.py", "plain", tmp_path, 2, 3, 4
    ])
    try:
        own = side.ready["tokens"][1][2]
        assert side.ask(f"gap [1, 2, {own}]") == 0.0
        assert side.ask(f"gap [1, 2, {(own + 1) % 2048}]") > 0.0
        assert side.step() > 0.0
    finally:
        side.close()
