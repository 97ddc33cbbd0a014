"""Schedules of the learning rate by their names, and published values of them.

A schedule is given by run_pretrain.py's flags, without dashes.
"""

import numpy as np

from parity.cases import Case
from parity.compare import Point, Trace

PEAK = 3e-4
BEYOND = 6  # steps after the last one, for which a rate is compared too
# Schedules of transformers -> their name in sentence-transformers, and cycles other than theirs.
NAMES = {
    "constant": ("constantlr", ()), "constant_with_warmup": ("warmupconstant", ()),
    "linear": ("warmuplinear", ()), "cosine": ("warmupcosine", (0.75, 2.0)),
    "cosine_with_restarts": ("warmupcosinewithhardrestarts", (3.0, 2.5)),
}
PADDLENLP = {"max_lr": PEAK, "min_lr": 2e-5, "warmup_rate": 0.15, "decay_steps": 40}
FROM_SCRATCH = {
    "scheduler": "llms_from_scratch", "initial_lr": 5e-5, "max_lr": 1e-3, "min_lr": 1e-5}


# Indices of the first step, shared out to the fixtures to save time; None is the schedule's own.
_FIRST = {"std_0.02": (None,), "std_0.2": (0, 1)}


def made(case: Case) -> dict[str, tuple[dict, int]]:
    """what -> (flags, steps of the run): each schedule with warm-ups from none to more than all
    steps, with either index of the first step, and with several cycles.
    """
    found: dict[str, tuple[dict, int]] = {}
    for first in _FIRST[case.name]:
        index = {} if first is None else {"first_step": first}
        for steps in (2, 50, 100):
            # 0.07 of 100 steps are 8, because in float64 the product is above 7.
            warm_ups = [{}, *({"warmup_steps": n} for n in (7, steps, steps + 3)),
                        {"warmup_ratio": 0.07}]
            for warm_up in warm_ups:
                for name, (alias, cycles) in NAMES.items():
                    own = {} if name == "constant" else warm_up
                    for more in ({}, *({"num_cycles": count} for count in cycles)):
                        named = {"scheduler": alias if first is None else name, "max_lr": PEAK}
                        _add(found, named | index | own | more, steps)
                _add(found, FROM_SCRATCH | index | warm_up, steps)
            _add(found, PADDLENLP | index, steps)
    return found


def _add(found: dict, flags: dict, steps: int) -> None:
    told = ", ".join(f"{name} {value}" for name, value in flags.items()
                     if name not in ("max_lr", "min_lr", "initial_lr"))
    found[f"{steps} steps, {told}"] = flags, steps


_TO_50 = {"max_lr": PEAK, "warmup_steps": 7, "first_step": 0}, 50
_TO_100 = {"max_lr": 1.0, "warmup_steps": 20, "first_step": 0}, 100
# (flags, steps, name) -> the rates at indices of the schedule.
_GOLDEN = [
    (*_TO_50, "linear", {20: 2.0930232558139534e-4}),
    (*_TO_50, "cosine", {20: 2.3727883733369292e-4, 49: 4.0015745046725336e-07,
                         51: 4.0015745046725336e-07}),
    (*_TO_100, "linear", {1: 0.05, 60: 0.5, 99: 0.0125}),
    (*_TO_100, "cosine", {1: 0.05}),
    (FROM_SCRATCH | {"warmup_steps": 10, "first_step": 1}, 40, "llms_from_scratch", {
        1: 1.45e-4, 11: 9.972883382072953e-4, 25: 5.05e-4, 39: 1.2711661792704668e-5}),
]
# Each golden point -> the flags, the run's steps, and the step of the run that has the rate.
GOLDEN_PLACES: dict[Point, tuple[dict, int, int]] = {
    Point(index, "golden rate", f"{name}, {steps} steps"):
        (flags | {"scheduler": name}, steps, index + 1 - flags["first_step"])
    for flags, steps, name, rates in _GOLDEN for index in rates
}
GOLDEN: Trace = {
    Point(index, "golden rate", f"{name}, {steps} steps"): np.asarray(rate)
    for _, steps, name, rates in _GOLDEN for index, rate in rates.items()
}
