"""The grid of processes, and sums of several tensors in one call."""

import numpy as np
import paddle
import pytest

from paddle_impl.parallel import ranks
from paddle_impl.parallel.ranks import ALONE, Group, Ranks, grid


def groups(rank, *shape):
    made = grid(rank, *shape)
    return {name: getattr(made, name).members for name in ("data", "sharding", "model")}


def test_eight_processes_two_of_each():
    """Neighbours share a model; 0 and 2 the optimizer; 4 repeats 0's share of both."""
    assert groups(0, 8, 2, 2) == {"data": (0, 2, 4, 6), "sharding": (0, 2), "model": (0, 1)}
    assert groups(3, 8, 2, 2) == {"data": (1, 3, 5, 7), "sharding": (1, 3), "model": (2, 3)}
    assert groups(6, 8, 2, 2) == {"data": (0, 2, 4, 6), "sharding": (4, 6), "model": (6, 7)}
    assert grid(6, 8, 2, 2).data.rank == 3 and grid(6, 8, 2, 2).sharding.rank == 1


def test_without_degrees_all_read_own_samples():
    assert groups(1, 3) == {"data": (0, 1, 2), "sharding": (1,), "model": (1,)}


def test_every_process_makes_every_group_in_the_same_order():
    """Or new_group() waits for ever. Groups of one and of all need none."""
    made = []
    for rank in range(4):
        made.append([])
        grid(rank, 4, 2, 2, connect=lambda members, own=made[-1]: own.append(members))
    assert made[0] == made[1] == made[2] == made[3]
    assert sorted(made[0]) == [(0, 1), (0, 2), (1, 3), (2, 3)]
    alone = []
    grid(0, 4, 4, 1, connect=alone.append)
    assert alone == []


def test_a_number_of_processes_that_does_not_divide(monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "6")
    with pytest.raises(ValueError, match="--sharding_degree 2 x --mp_degree 2 needs a multiple of"):
        ranks.join(2, 2)


def test_sums_travel_together_and_arrive_apart(monkeypatch):
    """Small tensors of one type in one call, large ones in their own, shapes and types kept."""
    sent = []

    def double(tensor, group=None):
        sent.append(tensor.size)
        tensor.set_value(tensor * 2)

    monkeypatch.setattr(paddle.distributed, "all_reduce", double)
    monkeypatch.setattr(ranks, "_BUCKET", 64)
    shapes = [("float32", (2, 3)), ("float32", (4,)), ("float64", (2,)), ("float64", (30,)),
              ("float64", (1,))]
    arrays = [np.arange(np.prod(shape), dtype=dtype).reshape(shape) for dtype, shape in shapes]
    tensors = [paddle.to_tensor(array) for array in arrays]
    Group(0, (0, 1)).all_reduce_(tensors)
    assert sent == [10, 2, 30, 1]
    for tensor, array in zip(tensors, arrays, strict=True):
        assert tensor.numpy().dtype == array.dtype
        np.testing.assert_array_equal(tensor.numpy(), 2 * array)


def test_alone_nothing_is_sent(monkeypatch):
    monkeypatch.setattr(paddle.distributed, "all_reduce", None)
    tensor = paddle.ones([2])
    ALONE.all_reduce_([tensor])
    ALONE.all_reduce_max_(tensor)
    ALONE.broadcast_(tensor, 0)
    assert ALONE.gather(tensor) == [tensor]
    assert ALONE.total(1.5, 2.0) == [1.5, 2.0]
    Ranks().barrier()
    assert Ranks().is_main and not Ranks(world=Group(1, (0, 1))).is_main


def test_a_total_of_nothing_calls_nobody(monkeypatch):
    """gloo refuses an empty tensor; an objective without metrics has nothing to add up."""
    monkeypatch.setattr(paddle.distributed, "all_reduce", lambda *_, **__: pytest.fail("called"))
    assert Group(0, (0, 1)).total() == []
