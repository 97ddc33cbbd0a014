"""Flags of the training data: documents, order, and the sizes of samples and batches."""

from dataclasses import dataclass

from paddle_impl.config.options import (
    Options,
    flag,
    require,
    require_at_least_one,
    split_shares,
)


@dataclass(frozen=True, kw_only=True)
class DataOptions(Options):
    input_dir: str | None = flag(
        help="directory with X_ids.npy + X_idx.npz, or one X_ids.npy; or a blend: '0.3 A 0.7 B'"
    )
    split: str = flag("949,50,1", "shares of train, valid and test documents, in document order")
    max_seq_len: int | None = flag(1024, "tokens in a training sample")
    packing: str = flag(
        "windows", "windows over all documents joined end to end; or blocks of each document, its "
        "short tail kept (padded, no loss on padding) or dropped",
        choices=("windows", "keep", "drop"),
    )
    data_order: str = flag(
        "paddlenlp", "order of windows: documents in file order, or shuffled too as Megatron-LM's",
        choices=("paddlenlp", "megatron"),
    )
    micro_batch_size: int = flag(8, "samples in one forward pass of one process")
    global_batch_size: int | None = flag(
        None, "samples in one optimizer step over all processes (default: micro batch x processes)"
    )

    def __post_init__(self):
        split_shares(self.split)
        require_at_least_one(self, "max_seq_len", "micro_batch_size", "global_batch_size")
        require(self.packing == "windows" or self.data_order == "paddlenlp",
                f"--data_order {self.data_order} orders windows; with --packing {self.packing} "
                "blocks are shuffled, leave it out")
        require(self.packing == "windows" or self.max_seq_len >= 2,
                f"--packing {self.packing} takes its labels from inside of a block: --max_seq_len "
                f"must be at least 2, got {self.max_seq_len}")

    def accumulation_steps(self, data_processes: int) -> int:
        """Micro batches of one process in an optimizer step.

        data_processes: processes that read different samples, which include the sharding ones.
        ValueError if the global batch size is not a multiple of theirs.
        """
        per_pass = self.micro_batch_size * data_processes
        total = self.global_batch_size or per_pass
        require(total % per_pass == 0,
                f"--global_batch_size {total} is not a multiple of --micro_batch_size "
                f"{self.micro_batch_size} x {data_processes} data parallel processes")
        return total // per_pass
