"""Mixed precision: what is computed in which type, and the scale of the loss."""

import contextlib
from dataclasses import dataclass

import paddle


@dataclass(frozen=True)
class Precision:
    """level: None, "O1" or "O2"; dtype: the lower type."""

    level: str | None = None
    dtype: str = "float32"

    def autocast(self):
        return contextlib.nullcontext()


FULL = Precision()


class LossScaler:
    """The trainer's calls, in their order: scaled, unscale_, overflows (of a bad step), update."""

    def __init__(self, scale: float = 1.0, active: bool = False):
        self.scale, self.active = scale, active

    @classmethod
    def off(cls) -> "LossScaler":
        return cls()

    def scaled(self, loss: paddle.Tensor) -> paddle.Tensor:
        """The loss to call backward() on."""
        return loss * self.scale if self.active else loss

    def unscale_(self, gradients: list[paddle.Tensor]) -> None:
        """Divide the gradients by the scale, in place."""

    def overflows(self) -> bool:
        """Whether infinite gradients of a finite loss are the scale's doing."""
        return self.active and self.scale >= 1.0

    def update(self, finite: bool) -> None:
        """Count the step; a new scale for the next."""
