"""A training command with its memory measured: one process of memory.py's runs.

    python memory_side.py RESULTS STEPS flags of run_pretrain.py or, from --task on, run_finetune.py

This calls the command, with Trainer.step wrapped. Each process writes the sizes of its weights
and moments, and its peak memory in steps 2 to STEPS, to RESULTS/RANK.json. It ends before step
STEPS + 1 without a checkpoint, so that the memory for writing one is not counted.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from data_common import own_peak_mib  # noqa: E402
from own_memory import forget_peak  # noqa: E402

from paddle_impl.process import runtime


def main(results: Path, steps: int, flags: list[str]) -> None:
    runtime.import_paddle("cpu")
    import run_finetune
    import run_pretrain
    from paddle_impl.training.trainer import Trainer

    seen = {"libraries_mib": own_peak_mib()}
    step = Trainer.step

    def watched(self, number, *rest):
        if number == 2:  # step 1 has made the moments
            seen["since"] = "step 1" if forget_peak() else "the start"
        if number == steps + 1:
            seen["peak_mib"] = own_peak_mib()
            seen["weights_mib"] = size_mib(self.model.parameters())
            seen["state_mib"] = size_mib(self.optimizer.rule.tensors().values())
            (results / f"{self.ranks.rank}.json").write_text(json.dumps(seen))
            self.ranks.world.total(0.0)  # wait: a process that ends early breaks the others
            os._exit(0)
        return step(self, number, *rest)

    Trainer.step = watched
    (run_finetune if flags[0] == "--task" else run_pretrain).main(flags)


def size_mib(tensors) -> float:
    return sum(tensor.size * tensor.element_size() for tensor in tensors) / 2**20


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
