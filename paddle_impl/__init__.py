"""GPT on PaddlePaddle. Importing this package imports nothing else, so that `--help` is instant.

What a notebook or a script needs can be imported from here, and is loaded at that moment:

    from paddle_impl import load, pretrain
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddle_impl.config.decoding import Decoding
    from paddle_impl.config.model import ModelConfig
    from paddle_impl.config.pretrain import PretrainConfig
    from paddle_impl.notebook import load, pretrain

__all__ = ["Decoding", "ModelConfig", "PretrainConfig", "load", "pretrain"]

# Where each name is defined. Loading these modules does not import Paddle.
_MODULES = {
    "Decoding": "config.decoding",
    "ModelConfig": "config.model",
    "PretrainConfig": "config.pretrain",
    "load": "notebook",
    "pretrain": "notebook",
}


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has "
                             f"{', '.join(__all__)}, and modules such as {__name__}.model")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
