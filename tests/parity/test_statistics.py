"""Gate Z fails on draws that are shared, repeated, too many, too few, or not normal."""

import numpy as np
import pytest

from parity import statistics
from parity.compare import Place, compare
from parity.tolerances import row

KEEP, SIZE = 0.875, 4096


def refused(trace):
    """The phases of gate Z that fail when the trace is compared with itself."""
    place = Place("draws", "hand made", "Z")
    return {result.point.phase for result in compare(place, trace, trace, row=row)
            if not result.passed}


def passes(rng, layers=("a", "b"), count=3, keep=KEEP):
    """Masks in which one input in ten is zero, at random places, where a drop does not show."""
    def mask():
        values = np.where(rng.random(SIZE) < 0.1, 0.0, 1.0)
        return statistics.mask(values, values * (rng.random(SIZE) < keep))

    return {f"pass {i}": {layer: mask() for layer in layers} for i in range(count)}


def test_honest_masks_pass():
    assert refused(statistics.mask_trace(passes(np.random.default_rng(0)), KEEP)) == set()


def test_a_wrong_rate_is_seen():
    masks = passes(np.random.default_rng(0), keep=0.9)
    assert "keep rate" in refused(statistics.mask_trace(masks, KEEP))


def test_one_mask_in_every_layer_is_seen():
    masks = passes(np.random.default_rng(0))
    for own in masks.values():
        own["b"] = own["a"]
    assert refused(statistics.mask_trace(masks, KEEP)) == {"layers apart"}


def test_one_mask_in_every_pass_is_seen():
    masks = passes(np.random.default_rng(0))
    masks["pass 2"]["a"] = masks["pass 0"]["a"]
    assert refused(statistics.mask_trace(masks, KEEP)) == {"passes apart"}


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.normal(0.0, 0.021, SIZE * 4),
        lambda rng: rng.normal(0.002, 0.02, SIZE * 4),
        lambda rng: rng.uniform(-0.0346, 0.0346, SIZE * 4),
        lambda rng: np.clip(rng.normal(0.0, 0.02, SIZE * 4), -0.04, 0.04),
    ],
    ids="spread mean uniform clipped".split(),
)
def test_what_is_not_the_normal_distribution_is_seen(draw):
    rng = np.random.default_rng(0)
    assert np.abs(statistics.normal_z(draw(rng), 0.02)).max() > 5
    assert np.abs(statistics.normal_z(rng.normal(0.0, 0.02, SIZE * 4), 0.02)).max() < 5


def weights(rng):
    return {
        "h.0.c_fc.weight": rng.normal(0, 0.02, (64, 64)),
        "h.0.c_proj.weight": rng.normal(0, 0.02 / np.sqrt(8), (64, 64)),
        "h.0.c_proj.bias": np.zeros(64), "h.0.ln_1.weight": np.ones(64),
    }


@pytest.mark.parametrize(
    ("name", "change", "phase"),
    [
        (None, None, None),
        ("h.0.c_proj.weight", lambda v: v * np.sqrt(8), "initial weight"),
        ("h.0.c_proj.bias", lambda v: v + 1e-9, "initial constant"),
        ("h.0.ln_1.weight", lambda v: v * 0, "initial constant"),
    ],
)
def test_initial_weights(name, change, phase):
    values = weights(np.random.default_rng(0))
    if name:
        values[name] = change(values[name])
    trace = statistics.weight_trace(values, weights(np.random.default_rng(1)), 4, 0.02)
    assert refused(trace) == ({phase} if phase else set())


def test_two_tensors_from_one_stream_are_seen():
    values = weights(np.random.default_rng(0))
    values["h.0.c_fc.weight"] = values["h.0.c_proj.weight"] * np.sqrt(8)
    other = weights(np.random.default_rng(1))
    assert "weights apart" in refused(statistics.weight_trace(values, other, 4, 0.02))


def test_a_seed_that_changes_nothing_is_seen():
    values = weights(np.random.default_rng(0))
    assert refused(statistics.weight_trace(values, values, 4, 0.02)) == {"seeds apart"}
