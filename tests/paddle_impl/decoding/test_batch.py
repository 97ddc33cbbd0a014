"""A batch of prompts in one decoder: they wait, begin, are copied for beams, and end."""

import sys

import numpy as np
import pytest

from paddle_impl.decoding.batch import Batch
from paddle_impl.decoding.prompt_state import Move


class Remembering:
    """A decoder whose logits encode the row's tokens; it checks the calls that it gets."""

    def __init__(self, rows: int):
        self.rows, self.positions = rows, 100
        self.held: dict[int, list[int]] = {}
        self.widths: list[int] = []

    def prefill(self, row, prompt):
        self.held[row] = list(prompt)
        return self._logits(row)

    def step(self, rows, tokens):
        assert len(set(rows)) == len(rows) == len(tokens)
        self.widths.append(len(rows))
        for row, token in zip(rows, tokens, strict=True):
            self.held[row] = [*self.held[row], token]
        return np.stack([self._logits(row) for row in rows])

    def copy(self, source, target):
        self.held[target] = list(self.held[source])

    def _logits(self, row):
        return np.array([*self.held[row], *[0] * 50], float)[:50]


class Scripted:
    """A PromptState that makes given moves, and records the histories that the logits encode."""

    def __init__(self, prompt, moves, width=1):
        self.prompt, self.width, self.moves = prompt, width, list(moves)
        self.seen = []

    def advance(self, logits):
        self.seen.append([[int(token) for token in row if token] for row in logits])
        return self.moves.pop(0)

    def results(self):
        return []


def line(prompt, count):
    """A state that feeds token 10 + step, `count` times."""
    moves = [Move([0], [10 + step]) for step in range(count)]
    return Scripted(prompt, [*moves, Move([], [])])


def run(batch, steps=100):
    """The states that are done, in order. Fails where some are not after so many steps."""
    done = []
    for _ in range(steps):
        done += batch.step()
        if not batch.waiting and not batch.active:
            return done
    pytest.fail(f"{batch.active} states have begun and {batch.waiting} wait after {steps} steps")


def test_states_do_not_see_each_other():
    batch = Batch(Remembering(3))
    states = [line([1, 2], 3), line([3], 1), line([4, 5, 6], 2)]
    for state in states:
        batch.add(state)
    assert {id(state) for state in run(batch)} == {id(state) for state in states}
    assert states[0].seen == [[[1, 2]], [[1, 2, 10]], [[1, 2, 10, 11]], [[1, 2, 10, 11, 12]]]
    assert states[1].seen == [[[3]], [[3, 10]]]
    assert states[2].seen[-1] == [[4, 5, 6, 10, 11]]


def test_a_state_begins_as_soon_as_one_leaves():
    decoder = Remembering(2)
    batch = Batch(decoder)
    for count in (5, 2, 2):
        batch.add(line([1], count))
    batch.step()
    assert (batch.active, batch.waiting) == (2, 1)
    run(batch)
    assert decoder.widths == [2, 2, 2, 2, 1]


def test_a_state_that_is_done_at_once():
    batch = Batch(Remembering(1))
    states = [line([1], 0), line([2], 0)]
    for state in states:
        batch.add(state)
    assert run(batch) == states


def test_rows_fork_and_change_places():
    moves = [Move([0, 0, 0], [7, 8, 9]), Move([2, 0, 0], [4, 5, 6]), Move([1, 1], [1, 2]),
             Move([], [])]
    state, other = Scripted([3], moves, width=3), line([1], 3)
    batch = Batch(Remembering(4))
    batch.add(state)
    batch.add(other)
    run(batch)
    assert state.seen == [
        [[3]], [[3, 7], [3, 8], [3, 9]], [[3, 9, 4], [3, 7, 5], [3, 7, 6]],
        [[3, 7, 5, 1], [3, 7, 5, 2]],
    ]
    assert other.seen[-1] == [[1, 10, 11, 12]]


def test_a_wide_state_is_not_passed_by():
    batch = Batch(Remembering(2))
    first, narrow = line([1], 3), line([3], 1)
    wide = Scripted([2], [Move([], [])], width=2)
    for state in (first, wide, narrow):
        batch.add(state)
    assert run(batch) == [first, wide, narrow]


def test_a_cancelled_state_gives_its_room_to_others():
    batch = Batch(Remembering(1))
    first, second, third = line([1], 50), line([2], 1), line([3], 1)
    for state in (first, second, third):
        batch.add(state)
    batch.step()
    batch.cancel(first)
    batch.cancel(second)
    batch.cancel(second)
    assert (batch.active, batch.waiting) == (0, 1)
    assert run(batch) == [third]
    assert third.seen == [[[3]], [[3, 10]]]


@pytest.mark.parametrize("begun", [0, 1, 2, 3])
def test_all_rows_of_a_cancelled_state_are_free_again(begun):
    """Whether it waits, continues all of its three rows, or has given two of them up."""
    batch = Batch(Remembering(3))
    moves = [Move([0], [7]), Move([0, 0, 0], [1, 2, 3]), Move([2], [4]), Move([0], [5])]
    wide, other = Scripted([1], moves, width=3), Scripted([2], [Move([], [])], width=3)
    batch.add(wide)
    for _ in range(begun):
        assert batch.step() == []
    batch.add(other)
    assert (batch.active, batch.waiting) == ((1, 1) if begun else (0, 2))
    batch.cancel(wide)
    assert (batch.active, batch.waiting) == (0, 1)
    assert batch.step() == [other]
    assert other.seen == [[[2]]] and len(wide.seen) == (begun + 1 if begun else 0)


def test_a_cancelled_state_leaves_the_others_their_rows():
    """Its row goes to the next state, and to no one else."""
    batch = Batch(Remembering(2))
    first, second, third = line([1], 3), line([2], 3), line([3], 3)
    for state in (first, second, third):
        batch.add(state)
    batch.step()
    batch.cancel(first)
    assert run(batch) == [second, third]
    assert second.seen[-1] == [[2, 10, 11, 12]] and third.seen[-1] == [[3, 10, 11, 12]]


def test_to_cancel_is_no_more_work_where_more_wait():
    def calls(count: int) -> int:
        batch = Batch(Remembering(1))
        states = [line([1], 1) for _ in range(count)]
        for state in states:
            batch.add(state)
        made = []
        sys.setprofile(lambda frame, event, argument: made.append(event))
        try:
            for state in states[-100:]:
                batch.cancel(state)
        finally:
            sys.setprofile(None)
        assert batch.waiting == count - 100
        return len(made)

    assert calls(1000) == calls(100)


def test_a_state_that_fails_is_dropped_and_the_others_go_on():
    batch = Batch(Remembering(2))
    bad, good = Scripted([1], [Move([0], [2])]), line([1], 2)
    batch.add(bad)
    batch.add(good)
    with pytest.raises(IndexError):
        batch.step()
    assert batch.active == 1
    assert run(batch) == [good]
    assert good.seen[-1] == [[1, 10, 11]]


def test_more_sequences_than_rows_are_refused():
    with pytest.raises(ValueError, match="3 sequences of one prompt do not fit into a batch of 2"):
        Batch(Remembering(2)).add(Scripted([1], [], width=3))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_no_numbers_end_their_prompt_only(bad):
    class Damaged(Remembering):
        def step(self, rows, tokens):
            logits = super().step(rows, tokens)
            logits[[self.held[row][0] == 7 for row in rows], 3] = bad
            return logits

    batch, damaged, other = Batch(Damaged(2)), line([7], 3), line([8], 3)
    batch.add(damaged)
    batch.add(other)
    with pytest.raises(ValueError, match="weights are damaged"):
        run(batch)
    assert run(batch) == [other]
    assert len(damaged.seen) == 1
