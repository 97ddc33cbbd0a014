"""Gaps: which there are, that their parts are the program, and on what the draws depend."""

from dataclasses import replace

import numpy as np
import pytest

from paddle_impl.evaluation.humaneval.tasks import Sample, Task
from paddle_impl.evaluation.infilling.spans import KINDS, gaps, lines

SOLUTION = "    a = 1\n\n    b = 2\n    return a + b"
TASK = Task("t/1", "def f():\n", "f", SOLUTION, "def check(c):\n    pass\n")


def of(kind, task=TASK, seed=1, spans=10):
    return [gap for gap in gaps(task, seed, spans) if gap.kind == kind]


def test_the_parts_are_the_program_and_no_middle_is_blank():
    found = gaps(TASK, 1, 10)
    assert {gap.kind for gap in found} == set(KINDS)
    for gap in found:
        assert gap.prefix + gap.middle + gap.suffix == TASK.prompt + SOLUTION
        assert gap.middle.strip() and gap.prefix.startswith(TASK.prompt)
        assert gap.filled(gap.middle) == Sample("t/1", SOLUTION)
    assert found[0].filled("X") == Sample("t/1", "X\n    b = 2\n    return a + b")


def test_each_line_that_is_not_blank_is_a_gap():
    assert [gap.middle for gap in of("single_line")] == [
        "    a = 1\n", "    b = 2\n", "    return a + b"]


def test_several_lines_are_all_spans_or_as_many_as_are_asked_for():
    every = ["    a = 1\n\n    b = 2\n", SOLUTION, "    b = 2\n    return a + b"]
    assert [gap.middle for gap in of("multi_line")] == every
    long = replace(TASK, canonical_solution="".join(f"    x{i} = {i}\n" for i in range(20)))
    drawn = of("multi_line", long, spans=7)
    assert len({gap.middle for gap in drawn}) == 7
    assert of("multi_line", long, spans=7) == drawn != of("multi_line", long, seed=2, spans=7)
    assert min(len(lines(gap.middle)) for gap in of("multi_line", long, spans=999)) == 2
    assert len(of("multi_line", long, spans=999)) == 19 * 20 / 2


def test_random_spans_are_even_and_differ():
    found = of("random_span", spans=400)
    assert len(set(found)) == len(found) == 400
    starts = np.array([len(gap.prefix) - len(TASK.prompt) for gap in found])
    stops = np.array([len(SOLUTION) - len(gap.suffix) for gap in found])
    assert {0, len(SOLUTION)} <= {*starts, *stops} and 1 in stops - starts
    assert abs(starts.mean() - len(SOLUTION) / 3) < 2
    assert abs(stops.mean() - len(SOLUTION) * 2 / 3) < 2


def test_draws_depend_on_seed_and_task_and_on_nothing_else():
    assert of("random_span") == of("random_span") != of("random_span", seed=2)
    other = replace(TASK, task_id="t/2")
    assert [gap.middle for gap in of("random_span", other)] != [
        gap.middle for gap in of("random_span")]


def test_a_short_solution_has_few_gaps():
    short = replace(TASK, canonical_solution="x")
    assert [(gap.kind, gap.middle) for gap in gaps(short, 1, 10)] == [
        ("single_line", "x"), ("random_span", "x")]


def test_a_line_ends_with_a_newline_and_with_nothing_else():
    assert lines("a\x0cb\r\n\nc\x85") == ["a\x0cb\r\n", "\n", "c\x85"]


@pytest.mark.parametrize("solution", ["", " \n"])
def test_a_task_without_a_solution_is_refused(solution):
    with pytest.raises(ValueError, match="t/1 has no canonical_solution"):
        gaps(replace(TASK, canonical_solution=solution), 1, 10)
