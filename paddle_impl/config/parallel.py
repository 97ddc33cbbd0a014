"""Flags of how a run is divided over processes, and of recomputation to save memory."""

from dataclasses import dataclass

from paddle_impl.config.options import Options, flag, not_built, require, require_at_least_one


@dataclass(frozen=True, kw_only=True)
class ParallelOptions(Options):
    dp_degree: int = flag(1, "data parallel processes besides sharding (1: all that are left)")
    use_sharding: bool = flag(False, "shard over all data parallel processes, as --sharding_degree")
    sharding_degree: int = flag(1, "processes over which the optimizer's state is sharded")
    sharding_stage: int = flag(
        1, "what is sharded: 1 optimizer state, 2 gradients too, 3 the blocks' weights too",
        choices=(1, 2, 3),
    )
    mp_degree: int = flag(1, "tensor parallel processes: each holds a share of every matrix")
    pp_degree: int = flag(1, "pipeline stages (only 1 is built)")
    use_recompute: bool = flag(False, "recompute each block in the backward pass: less memory")

    def __post_init__(self):
        require_at_least_one(self, "dp_degree", "sharding_degree", "mp_degree")
        if self.pp_degree != 1:
            raise not_built(f"--pp_degree {self.pp_degree}", "only --pp_degree 1 works")
        require(self.sharding_stage == 1 or self.use_sharding or self.sharding_degree > 1,
                f"--sharding_stage {self.sharding_stage} means nothing without --sharding_degree")

    def sharding_processes(self, world_size: int) -> int:
        """--sharding_degree; with --use_sharding alone, all data parallel processes."""
        if self.use_sharding and self.sharding_degree == 1:
            return max(1, world_size // self.mp_degree)
        return self.sharding_degree
