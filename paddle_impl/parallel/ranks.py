"""The processes of a job: their ranks, their groups, and collective calls within a group.

Several processes are started by `python -m paddle.distributed.launch`, which sets
PADDLE_TRAINER_ID and other variables; one process needs no launcher. gloo (CPU) and NCCL (GPU)
offer every collective call used here.

The processes form a grid, data x sharding x model, in which the model index changes fastest. A
process is in one group of each kind:

    model     processes that read the same samples; each holds a share of every split tensor
              (tensor parallelism)
    sharding  processes that read different samples and together hold one optimizer state
    data      all processes that read different samples, the sharding group among them
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import paddle

from paddle_impl.config.options import require
from paddle_impl.config.parallel import ParallelOptions
from paddle_impl.process.launch import PeerFailed, peer_failed

_BUCKET = 1 << 25  # bytes summed in one call: small tensors cost a round trip each
_barriers = itertools.count()  # numbered alike in every process, to name them in the store


@dataclass(frozen=True)
class Group:
    """A group of processes. All members make each collective call; in a group of one it is a no-op.

    rank: the index of this process in `members`. members: ranks in the whole job. handle: Paddle's
    group; None is the group of all processes.
    """

    rank: int = 0
    members: tuple[int, ...] = (0,)
    handle: Any = None

    @property
    def size(self) -> int:
        return len(self.members)

    def all_reduce_(self, tensors: Sequence[paddle.Tensor]) -> None:
        """Replace each tensor by its sum over the group, the same bits in every process."""
        if self.size == 1:
            return
        for bucket in _buckets(tensors):
            if len(bucket) == 1:
                paddle.distributed.all_reduce(bucket[0], group=self.handle)
                continue
            flat = paddle.concat([tensor.reshape([-1]) for tensor in bucket])
            paddle.distributed.all_reduce(flat, group=self.handle)
            parts = flat.split([tensor.size for tensor in bucket])
            for tensor, part in zip(bucket, parts, strict=True):
                paddle.assign(part.reshape(tensor.shape), tensor)

    def all_reduce_max_(self, tensor: paddle.Tensor) -> None:
        """Replace the tensor by its elementwise maximum over the group."""
        if self.size > 1:
            paddle.distributed.all_reduce(
                tensor, op=paddle.distributed.ReduceOp.MAX, group=self.handle
            )

    def broadcast_(self, tensor: paddle.Tensor, source: int) -> None:
        """Replace the tensor by that of the group's rank `source`."""
        if self.size > 1:
            paddle.distributed.broadcast(tensor, src=self.members[source], group=self.handle)

    def gather(self, tensor: paddle.Tensor) -> list[paddle.Tensor]:
        """The tensors of all members, in the order of their ranks. All must have one shape."""
        if self.size == 1:
            return [tensor]
        gathered: list[paddle.Tensor] = []
        paddle.distributed.all_gather(gathered, tensor, group=self.handle)
        return gathered

    def total(self, *numbers: float) -> list[float]:
        """Each number summed over the group, in float64. Without numbers it is not collective."""
        if self.size == 1 or not numbers:  # gloo refuses an empty tensor
            return list(numbers)
        tensor = paddle.to_tensor(np.asarray(numbers, dtype=np.float64))
        self.all_reduce_([tensor])
        return [float(value) for value in tensor.numpy()]


ALONE = Group()


@dataclass(frozen=True)
class Ranks:
    """This process's groups in the grid."""

    world: Group = ALONE
    data: Group = ALONE
    sharding: Group = ALONE
    model: Group = ALONE

    @property
    def rank(self) -> int:
        return self.world.rank

    @property
    def world_size(self) -> int:
        return self.world.size

    @property
    def is_main(self) -> bool:
        """True in the one process that writes files and prints."""
        return self.world.rank == 0

    def barrier(self) -> None:
        """Wait until all processes have called this, for as long as it takes.

        It polls Paddle's store, because a collective call of gloo fails after 30 seconds, and
        building an index or writing a checkpoint may take longer. PeerFailed if another process
        has reported an error; if one died without a report, the launcher ends the waiting ones.
        """
        store = paddle.distributed.collective._default_store
        if self.world_size == 1 or store is None:
            self.world.total(0.0)
            return
        name = f"barrier/{next(_barriers)}"
        store.add(name, 1)
        while store.add(name, 0) < self.world_size:
            if peer_failed(store):
                raise PeerFailed("it reported that it ends with an error")
            time.sleep(0.01)


def process_count() -> int:
    """The number of processes of the job, from the launcher's PADDLE_TRAINERS_NUM."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1") or 1)


def join(sharding: int = 1, model: int = 1) -> Ranks:
    """Connect to the other processes of the job and return this process's groups.

    sharding, model: sizes of these groups. ValueError if the number of processes is not a multiple
    of their product.
    """
    size = process_count()
    if size % (sharding * model):
        raise ValueError(
            f"--sharding_degree {sharding} x --mp_degree {model} needs a multiple of "
            f"{sharding * model} processes, {size} launched"
        )
    if size == 1:
        return Ranks()
    if paddle.get_device() == "cpu":
        # Launched with --gpus on a machine without any, Paddle otherwise makes no process group.
        os.environ["PADDLE_DISTRI_BACKEND"] = "gloo"
    paddle.distributed.init_parallel_env()
    return grid(paddle.distributed.get_rank(), size, sharding, model, _connect)


def join_grid(options: ParallelOptions) -> Ranks:
    """`join` with the sizes that the flags name. ValueError if the processes do not fill the grid.
    """
    world = process_count()
    sharding = options.sharding_processes(world)
    ranks = join(sharding, options.mp_degree)
    left = ranks.data.size // sharding
    require(options.dp_degree in (1, left),
            f"--dp_degree {options.dp_degree} differs from the {left} that {world} processes "
            f"leave beside --sharding_degree {sharding} and --mp_degree {options.mp_degree}")
    return ranks


def grid(
    rank: int, size: int, sharding: int = 1, model: int = 1,
    connect: Callable[[tuple[int, ...]], Any] = lambda members: None,
) -> Ranks:
    """The groups of process `rank` of `size`. connect(members) returns Paddle's group of them.

    Paddle requires that every process calls `connect` for every group, in the same order.
    """
    numbers = np.arange(size).reshape(-1, sharding, model)
    rows = {
        "model": numbers.reshape(-1, model),
        "sharding": numbers.transpose(0, 2, 1).reshape(-1, sharding),
        "data": numbers.reshape(-1, model).T,
    }
    everyone = Group(rank, tuple(range(size)))
    own: dict[str, Group] = {"world": everyone}
    made: dict[tuple[int, ...], Any] = {everyone.members: None}
    for name, groups in rows.items():
        for members in map(tuple, groups.tolist()):
            if len(members) > 1 and members not in made:
                made[members] = connect(members)
            if rank in members:
                own[name] = Group(members.index(rank), members, made.get(members))
    return Ranks(**own)


def _connect(members: tuple[int, ...]) -> Any:
    group = paddle.distributed.new_group(list(members))
    # A collective call completes this group's connections before the next group is made: two gloo
    # groups that connect at the same time mix up their addresses.
    paddle.distributed.all_reduce(paddle.zeros([1]))
    return group


def _buckets(tensors: Sequence[paddle.Tensor]) -> Iterator[list[paddle.Tensor]]:
    """Consecutive tensors of one type, up to _BUCKET bytes together; a larger one alone."""
    bucket: list[paddle.Tensor] = []
    filled = 0
    for tensor in tensors:
        size = tensor.size * tensor.element_size()
        if bucket and (filled + size > _BUCKET or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, filled = [], 0
        bucket.append(tensor)
        filled += size
    if bucket:
        yield bucket
