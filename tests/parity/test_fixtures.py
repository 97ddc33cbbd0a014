"""The fixtures can see what they claim to see, and the two sides mirror each other."""

import importlib
import inspect

import numpy as np
import pytest

from parity import cases, ladder


@pytest.mark.parametrize("name", cases.CASES)
def test_nothing_stands_at_a_default(name):
    for key, value in cases.case(name).weights.items():
        assert value.dtype == np.float32
        assert np.unique(value).size > value.size / 2, key


def test_constants_fit_float32():
    for constant in (cases.LAYER_NORM_EPSILON, cases.WEIGHT_DECAY):
        assert float(np.float32(constant)) == constant


@pytest.mark.parametrize("name", cases.CASES)
def test_masks_are_uneven_and_one_row_is_full(name):
    case = cases.case(name)
    assert case.batch["loss_mask"].all(axis=1).any()
    assert not case.batch["loss_mask"].all()
    assert len(case.steps) == cases.STEPS
    for micro_batches in case.steps:
        counts = [int(batch["loss_mask"].sum()) for batch in micro_batches]
        assert len(set(counts)) == cases.MICRO_BATCHES


def test_labels_are_the_inputs_shifted_once():
    batch = cases.case("std_0.2").batch
    np.testing.assert_array_equal(batch["labels"][:, :-1], batch["input_ids"][:, 1:])


def test_fixtures_are_the_same_in_every_process():
    """Hand-copied: a change here changes every number the suite has ever reported."""
    batch = cases.case("std_0.2").batch
    assert batch["input_ids"][0, :4].tolist() == [6, 53, 0, 3]
    assert batch["loss_mask"].sum(axis=1).tolist() == [64, 40, 47, 18]


MODULES = sorted({rung.function.partition(".")[0] for rung in ladder.RUNGS})


@pytest.mark.parametrize("module", MODULES)
def test_both_sides_offer_the_same_functions(module):
    torch_side, paddle_side = (
        {
            name: str(inspect.signature(function).replace(return_annotation=None))
            for name, function in inspect.getmembers(
                importlib.import_module(f"parity.{side}.{module}"), inspect.isfunction
            )
            if not name.startswith("_") and function.__module__ == f"parity.{side}.{module}"
        }
        for side in ("torch_side", "paddle_side")
    )
    assert torch_side == paddle_side
    assert torch_side


def test_every_rung_has_its_function_on_both_sides():
    for rung in ladder.RUNGS:
        for side in ("torch_side", "paddle_side"):
            assert callable(ladder.function(side, rung.function))
