"""Mixed precision: which computations use which type, and loss scaling.

    level O1  operations compute in the lower type; weights and gradients stay float32
    level O2  weights have the lower type too, except LayerNorm's; the optimizer keeps float32
              master weights and collects gradients in float32 (see sharding.py)

Paddle has no half precision kernels for a CPU, and no GPU was available, so neither level has been
run in half precision. Tests use float32 as the lower type of float64 instead.
Source: Micikevicius et al. 2018.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import paddle
from paddle import nn

from paddle_impl.objectives import Objective

HALF = (paddle.float16, paddle.bfloat16)

# PaddleNLP's lists, added to Paddle's own.
_WHITE = {"layer_norm", "softmax", "gelu"}
_BLACK = {"reduce_sum", "softmax_with_cross_entropy", "c_softmax_with_cross_entropy",
          "c_embedding"}


@dataclass(frozen=True)
class Precision:
    """level: None (no mixed precision), "O1" or "O2". dtype: the lower type; float32 without level.
    """

    level: str | None = None
    dtype: str = "float32"

    @property
    def has_masters(self) -> bool:
        return self.level == "O2"

    def check_device(self, device: str) -> None:
        """ValueError if the device lacks the type: Paddle's auto_cast would compute in float32."""
        if self.level is None:
            return
        if device.startswith("cpu"):
            raise ValueError(
                f"mixed precision in {self.dtype} on --device {device}: Paddle has no half "
                "precision kernels for a CPU; leave --use_amp out"
            )
        supported = {"float16": paddle.amp.is_float16_supported,
                     "bfloat16": paddle.amp.is_bfloat16_supported}[self.dtype]
        if not supported(device):
            raise ValueError(f"--dtype {self.dtype}: --device {device} lacks it; name the other of "
                             "float16 and bfloat16, or leave --use_amp out")

    def autocast(self):
        """The context in which to compute the forward pass and the loss."""
        if self.level is None:
            return contextlib.nullcontext()
        return paddle.amp.auto_cast(
            enable=True, custom_white_list=_WHITE, custom_black_list=_BLACK,
            level=self.level, dtype=self.dtype,
        )

    def within(self, objective: Objective) -> Objective:
        """The objective, its loss computed within `autocast`."""
        def loss(model, batch):
            with self.autocast():
                return objective.loss(model, batch)

        return objective._replace(loss=loss)

    def lowered(self, model: nn.Layer) -> list[nn.Layer]:
        """The layers whose weights have the lower type: all but LayerNorms."""
        if not self.has_masters:
            return []
        return [layer for layer in model.sublayers(include_self=True)
                if layer.parameters(include_sublayers=False)
                and not isinstance(layer, nn.LayerNorm)]

    def cast(self, model: nn.Layer) -> None:
        """Cast the weights to the lower type in place. Copy master weights before."""
        for layer in self.lowered(model):
            layer.to(dtype=self.dtype)

    def scaler(self, scale: float) -> "LossScaler":
        """The loss scaler for the lower type. bfloat16 has the range of float32 and needs none."""
        needed = self.level is not None and self.dtype == "float16"
        return LossScaler(scale) if needed else LossScaler.off()


FULL = Precision()


class LossScaler:
    """Loss scaling as torch.amp.GradScaler's: halved at an overflow, doubled after good steps.

    The trainer calls scaled, unscale_, overflows (if a step is not finite) and update, in this
    order. Paddle's GradScaler is not used: with numpy >= 2.4 it fails at its first overflow, and
    with bfloat16 it turns itself off and lets infinite gradients through.

    scale: factor of the loss, rounded to float32 as torch's. growth_interval: good steps in a row
    after which it doubles.
    """

    def __init__(self, scale: float = 2.0**15, growth_interval: int = 2000, active: bool = True):
        self.scale = float(np.float32(scale))
        self.growth_interval, self.active = growth_interval, active
        self.good_steps = 0

    @classmethod
    def off(cls) -> "LossScaler":
        """A scaler that does not scale."""
        return cls(1.0, active=False)

    def scaled(self, loss: paddle.Tensor) -> paddle.Tensor:
        """The loss to call backward() on."""
        return loss * self.scale if self.active else loss

    @paddle.no_grad()
    def unscale_(self, gradients: Iterable[paddle.Tensor]) -> None:
        """Divide the gradients by the scale, in place.

        Infinite and NaN entries stay so, and make the global norm infinite or NaN.
        """
        if not self.active:
            return
        inverse = float(np.float32(1.0 / self.scale))
        for gradient in gradients:
            # In half precision the division would flush small gradients to 0 again.
            assert gradient.dtype not in HALF, "a half precision gradient cannot be unscaled"
            gradient.scale_(inverse)

    def overflows(self) -> bool:
        """Whether infinite gradients of a finite loss may come from the scale, and a lower one may
        help.
        """
        return self.active and self.scale >= 1.0

    def update(self, finite: bool) -> None:
        """Set the scale for the next step. finite: whether all gradients of this step were."""
        if not self.active:
            return
        if not finite:
            self.scale, self.good_steps = float(np.float32(self.scale * 0.5)), 0
            return
        self.good_steps += 1
        if self.good_steps == self.growth_interval:
            self.good_steps = 0
            if self.scale * 2.0 <= float(np.finfo(np.float32).max):
                self.scale *= 2.0

    def state(self) -> dict[str, float]:
        """The state for a checkpoint, as JSON values."""
        return {"loss_scale": self.scale, "good_steps": self.good_steps}

    def restore(self, state: dict[str, float]) -> None:
        """Continue from `state()`; a scaler that is off ignores it."""
        if self.active:
            self.scale, self.good_steps = float(state["loss_scale"]), int(state["good_steps"])
