"""This project's step: the trainer itself, on Paddle as it comes or as the entry points set it."""

import os

import numpy as np

from paddle_impl.process import runtime


class Steps:
    """plain: Paddle as it comes. threads: with OMP_NUM_THREADS. ours: by runtime.import_paddle.
    lora: the same with an adapter, which alone is trained.
    """

    def __init__(self, kind: str, folder: str, tokens: np.ndarray, recipe: dict, device: str):
        os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # float32 is float32, on both sides
        if kind == "threads":
            os.environ["OMP_NUM_THREADS"] = str(runtime.core_count())
        if kind in ("ours", "lora"):
            self.paddle = runtime.import_paddle(device)
        else:
            import paddle

            self.paddle = paddle
            paddle.set_device(device)
        self.framework = f"Paddle {self.paddle.__version__}"
        self.device = device
        self.trainer = self._trainer(folder, recipe, adapter=kind == "lora")
        self.rate = recipe["learning_rate"]
        self.batch = {"input_ids": tokens[:, :-1], "labels": tokens[:, 1:]}
        self.steps = 0

    def _trainer(self, folder: str, recipe: dict, adapter: bool):
        from pathlib import Path

        from paddle_impl import checkpoint, lora
        from paddle_impl.objectives import CAUSAL_LM
        from paddle_impl.optim.adamw import build_optimizer
        from paddle_impl.parallel.ranks import Ranks
        from paddle_impl.training.trainer import Trainer

        own = Path(folder)
        model = lora.load_adapted(own, own / "adapter") if adapter else checkpoint.load_model(own)
        model.train()
        optimizer = build_optimizer(model, learning_rate=recipe["learning_rate"],
                                    weight_decay=recipe["weight_decay"])
        return Trainer(model, optimizer, CAUSAL_LM, loader=None, cadence=None,
                       grad_clip=recipe["grad_clip"], seed=0, ranks=Ranks(), log=None,
                       evaluate=None, save=None)

    def step(self) -> tuple[float, float]:
        """(loss, gradient norm before clipping), both of before the update."""
        self.steps += 1
        loss, norm, _ = self.trainer.step(self.steps, [self.batch], self.rate)
        self.wait()
        return loss, norm

    def product(self, rows: int, inner: int, columns: int):
        """A float32 matrix product of that shape, to be called."""
        left, right = self.paddle.rand([rows, inner]), self.paddle.rand([inner, columns])

        def once():
            self.paddle.matmul(left, right)
            self.wait()

        return once

    def wait(self) -> None:
        if self.device == "gpu":
            self.paddle.device.cuda.synchronize()

    def gpu_peak_mib(self) -> float:
        return self.paddle.device.cuda.max_memory_allocated() / 2**20

    def threads(self) -> int:
        return int(os.environ.get("OMP_NUM_THREADS", "1"))
