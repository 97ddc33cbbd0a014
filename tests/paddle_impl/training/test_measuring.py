"""Sums and counts of metrics over batches and processes."""

import pytest

from paddle_impl.parallel.ranks import ALONE
from paddle_impl.training.measuring import Totals
from parity.paddle_side import meeting


def test_a_metric_is_the_ratio_of_its_sums_not_the_mean_of_ratios():
    totals = Totals()
    totals.add({"accuracy": (1, 1), "margin": (3.0, 2)})
    totals.add({"accuracy": (0, 3), "margin": (-1.0, 2)})
    assert totals.means(ALONE) == {"accuracy": 0.25, "margin": 0.5}


def test_processes_are_weighed_by_their_counts():
    """One process has seen one pair and the other three; only one has counted `rare`."""
    def work(ranks):
        totals = Totals()
        totals.add([{"accuracy": (1, 1), "rare": (0, 0)},
                    {"accuracy": (0, 3), "rare": (5, 2)}][ranks.data.rank])
        return totals.means(ranks.data)

    assert meeting.run(2, work) == [{"accuracy": 0.25, "rare": 2.5}] * 2


def test_what_counts_nothing_has_no_mean():
    totals = Totals()
    totals.add({"nothing": (0.0, 0.0)})
    assert totals.means(ALONE) == {}
    assert Totals().means(ALONE) == pytest.approx({})
