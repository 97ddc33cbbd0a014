"""Mixed precision: what is computed in which type, and the scale of the loss.

    level O1  operations compute in the lower type, weights and gradients stay float32
    level O2  weights are of the lower type too, LayerNorm's excepted; the optimizer keeps float32
              masters of them and collects gradients in float32 (see sharding.py)

Paddle has no half precision kernels for a CPU, so neither level has been run in half precision
where this was written; what does not depend on the type is tested with float32 below float64.
Source: Micikevicius et al. 2018.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import paddle
from paddle import nn

HALF = (paddle.float16, paddle.bfloat16)

# PaddleNLP's lists, added to Paddle's own.
_WHITE = {"layer_norm", "softmax", "gelu"}
_BLACK = {"reduce_sum", "softmax_with_cross_entropy", "c_softmax_with_cross_entropy",
          "c_embedding"}


@dataclass(frozen=True)
class Precision:
    """level: None, "O1" or "O2"; dtype: the lower type, float32 where there is no level."""

    level: str | None = None
    dtype: str = "float32"

    @property
    def has_masters(self) -> bool:
        return self.level == "O2"

    def check_device(self, device: str) -> None:
        """ValueError where Paddle would compute in float32 without a word: auto_cast only warns."""
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
        """The context of a forward pass."""
        if self.level is None:
            return contextlib.nullcontext()
        return paddle.amp.auto_cast(
            enable=True, custom_white_list=_WHITE, custom_black_list=_BLACK,
            level=self.level, dtype=self.dtype,
        )

    def lowered(self, model: nn.Layer) -> list[nn.Layer]:
        """The layers whose weights are of the lower type: all with weights but LayerNorm."""
        if not self.has_masters:
            return []
        return [layer for layer in model.sublayers(include_self=True)
                if layer.parameters(include_sublayers=False)
                and not isinstance(layer, nn.LayerNorm)]

    def cast(self, model: nn.Layer) -> None:
        """Cast the weights down in place. What their values were is lost: make masters first."""
        for layer in self.lowered(model):
            layer.to(dtype=self.dtype)

    def scaler(self, scale: float) -> "LossScaler":
        """The scaler that the lower type needs: bfloat16 has float32's range, and needs none."""
        needed = self.level is not None and self.dtype == "float16"
        return LossScaler(scale) if needed else LossScaler.off()


FULL = Precision()


class LossScaler:
    """torch.amp.GradScaler's rule: half the scale at an overflow, twice it after good steps.

    The trainer's calls, in their order: scaled, unscale_, overflows (of a bad step), update. Not
    Paddle's GradScaler, which dies at its first overflow with numpy >= 2.4 and, with bfloat16,
    switches itself off and lets infinite gradients through.

    scale: what the loss is multiplied by, kept in float32 as torch's. growth_interval: good steps
    in a row before it doubles.
    """

    def __init__(self, scale: float = 2.0**15, growth_interval: int = 2000, active: bool = True):
        self.scale = float(np.float32(scale))
        self.growth_interval, self.active = growth_interval, active
        self.good_steps = 0

    @classmethod
    def off(cls) -> "LossScaler":
        """One that changes nothing."""
        return cls(1.0, active=False)

    def scaled(self, loss: paddle.Tensor) -> paddle.Tensor:
        """The loss to call backward() on."""
        return loss * self.scale if self.active else loss

    @paddle.no_grad()
    def unscale_(self, gradients: Iterable[paddle.Tensor]) -> None:
        """Divide the gradients by the scale, in place.

        What was infinite or NaN stays so, and makes the norm of all gradients infinite or NaN.
        """
        if not self.active:
            return
        inverse = float(np.float32(1.0 / self.scale))
        for gradient in gradients:
            # Small gradients would be lost here: it is for them that the loss was scaled.
            assert gradient.dtype not in HALF, "a half precision gradient cannot be unscaled"
            gradient.scale_(inverse)

    def overflows(self) -> bool:
        """Whether infinite gradients of a finite loss are the scale's doing."""
        return self.active and self.scale >= 1.0

    def update(self, finite: bool) -> None:
        """Count the step; a new scale for the next. finite: whether all gradients were."""
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
        """What a checkpoint keeps, as JSON holds it."""
        return {"loss_scale": self.scale, "good_steps": self.good_steps}

    def restore(self, state: dict[str, float]) -> None:
        """Go on from `state()`; a scaler that is off stays so."""
        if self.active:
            self.scale, self.good_steps = float(state["loss_scale"]), int(state["good_steps"])
