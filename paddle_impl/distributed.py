"""Processes of one job: who am I, and sums over all. One process needs no launcher.

Launched by `python -m paddle.distributed.launch`, which sets PADDLE_TRAINER_ID and friends.
"""

import os
from dataclasses import dataclass

import numpy as np
import paddle


@dataclass(frozen=True)
class Ranks:
    """This process's place among the data parallel ones."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """True in the one process that writes files and prints."""
        return self.rank == 0

    def sum_(self, tensors: list[paddle.Tensor]) -> None:
        """Replace each tensor by its sum over all processes."""
        if self.world_size > 1:
            for tensor in tensors:
                paddle.distributed.all_reduce(tensor)

    def total(self, *numbers: float) -> list[float]:
        """Each number summed over all processes, in float64."""
        if self.world_size == 1:
            return list(numbers)
        tensor = paddle.to_tensor(np.asarray(numbers, dtype=np.float64))
        self.sum_([tensor])
        return [float(value) for value in tensor.numpy()]

    def barrier(self) -> None:
        if self.world_size > 1:
            paddle.distributed.barrier()


def join() -> Ranks:
    """Meet the other processes of the job; a single process joins nothing."""
    if int(os.environ.get("PADDLE_TRAINERS_NUM", "1") or 1) == 1:
        return Ranks()
    if paddle.get_device() == "cpu":
        # Launched with --gpus on a machine without any, Paddle otherwise makes no process group.
        os.environ["PADDLE_DISTRI_BACKEND"] = "gloo"
    paddle.distributed.init_parallel_env()
    return Ranks(paddle.distributed.get_rank(), paddle.distributed.get_world_size())
