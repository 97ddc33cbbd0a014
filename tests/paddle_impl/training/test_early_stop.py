"""A run stops after so many evaluations without a new best, also when it is resumed."""

import json
import math

import pytest

from paddle_impl.training.early_stop import EarlyStop

LOSSES = [3.0, 2.5, 2.6, 2.5, 2.4, math.nan, 2.4, 2.7, 1.0]


def stops(patience, losses):
    """The number of the evaluation that ends the run, None if none does."""
    early_stop = EarlyStop(patience)
    return next((n for n, loss in enumerate(losses, 1) if early_stop.saw(loss)), None)


@pytest.mark.parametrize(("patience", "expected"), [(0, None), (1, 3), (2, 4), (3, 8), (4, None)])
def test_evaluations_without_a_new_best_are_counted_anew_after_each(patience, expected):
    assert stops(patience, LOSSES) == expected


def test_nan_and_infinity_are_no_best():
    assert stops(2, [math.nan, math.inf, 1.0]) == 2
    assert stops(2, [math.nan, 5.0, math.nan, 4.0]) is None


@pytest.mark.parametrize("patience", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("cut", range(len(LOSSES)))
def test_a_resumed_run_ends_where_the_whole_one_does(patience, cut):
    whole, resumed = EarlyStop(patience), EarlyStop(patience)
    before = [whole.saw(loss) for loss in LOSSES[:cut]]
    resumed.restore(json.loads(json.dumps(whole.state(), allow_nan=False)))
    assert resumed.over == (before[-1] if before else False)
    assert [resumed.saw(loss) for loss in LOSSES[cut:]] == [whole.saw(x) for x in LOSSES[cut:]]
    assert resumed.state() == whole.state()


def test_the_state_says_what_was_best():
    early_stop = EarlyStop(0)
    for loss in LOSSES[:-1]:
        early_stop.saw(loss)
    assert early_stop.state() == {"best_valid_loss": 2.4, "evaluations_since_best": 3}


@pytest.mark.parametrize("cut", range(5))
def test_where_greater_is_better(cut):
    values = [0.5, 0.7, 0.7, math.nan, 0.6]
    whole, resumed = (EarlyStop(3, "accuracy", greater_is_better=True) for _ in range(2))
    assert [whole.saw(value) for value in values[:cut]] == [False] * cut
    resumed.restore(json.loads(json.dumps(whole.state(), allow_nan=False)))
    assert [resumed.saw(value) for value in values[cut:]] == [False] * (4 - cut) + [True]
    assert resumed.state() == {"best_valid_accuracy": 0.7, "evaluations_since_best": 3}


def test_a_checkpoint_without_a_state_starts_afresh():
    early_stop = EarlyStop(1)
    early_stop.restore({})
    assert not early_stop.saw(9.0)


def test_a_negative_patience_is_refused():
    with pytest.raises(ValueError, match="--early_stop must not be negative, got -1"):
        EarlyStop(-1)
