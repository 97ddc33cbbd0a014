"""What pandas' DataFrame.sample draws, which is held to numbers that pandas gave."""

import numpy as np
import pytest

from data_tools.classification import balancing

# pandas 3.1.1: Series(range(10)).sample(frac=1, random_state=123), and .sample(3, random_state=7).
OF_ALL, OF_THREE = [4, 0, 7, 5, 8, 3, 1, 6, 9, 2], [8, 5, 0]


def test_the_order_is_pandas():
    assert balancing.shuffled(np.arange(10), 123).tolist() == OF_ALL
    assert balancing.shuffled(np.arange(10) + 5, 123).tolist() == [5 + n for n in OF_ALL]


def test_the_commoner_classes_are_drawn_and_the_rarest_is_as_it_came():
    classes = [1] * 3 + [0] * 10 + [2] * 3
    kept = balancing.undersampled(classes, 7).tolist()
    assert kept == [*(3 + np.array(OF_THREE)), 0, 1, 2, 13, 14, 15]


def test_it_is_pandas():
    pandas = pytest.importorskip("pandas")
    rows = pandas.DataFrame({"kind": ["b", "a", "a"] * 50 + ["a"] * 9})
    a = rows[rows.kind == "a"].sample(50, random_state=9)
    both = pandas.concat([a, rows[rows.kind == "b"]])
    expected = both.sample(frac=1, random_state=9).index
    numbers = (rows.kind == "b").astype(int)
    assert balancing.shuffled(balancing.undersampled(numbers, 9), 9).tolist() == expected.tolist()


@pytest.mark.parametrize(("count", "sizes"), [
    (1494, [1045, 149, 300]), (10, [7, 1, 2]), (1, [0, 0, 1]), (9, [6, 0, 3])])
def test_parts_are_rounded_down_and_the_last_takes_the_rest(count, sizes):
    parts = balancing.parts(np.arange(count), [0.7, 0.1, 0.2])
    assert list(map(len, parts)) == sizes
    assert np.concatenate(parts).tolist() == list(range(count))
