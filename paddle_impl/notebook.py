"""Load, generate and train from Python: `from paddle_impl import load, pretrain`.

Paddle reads its settings of threads and kernels once, when it is imported. The functions here make
these settings for their device and import Paddle then, so this module does not import it itself.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.process import runtime, stopping

if TYPE_CHECKING:
    from paddle_impl.text.generator import TextGenerator


def load(directory: str | os.PathLike, *, device: str = "cpu", **options) -> TextGenerator:
    """Load the model and the tokenizer of a checkpoint directory, ready to generate text.

    device: cpu, gpu or xpu. options: vocab_file and merge_file, where the directory has no
    tokenizer; adapter, a directory whose LoRA adapter is put into the weights; decoder and rows,
    see generate.generate_iter. ValueError where the directory holds no model or no tokenizer, and
    for a device that this build of Paddle lacks.
    """
    _import_paddle(device)
    from paddle_impl.text.generator import TextGenerator

    return TextGenerator.load(os.fspath(directory), **options)


def pretrain(*, model_type: str = "gpt", device: str = "cpu", **flags) -> Path:
    """Train as run_pretrain.py does; returns the directory of the last checkpoint.

    flags: those of run_pretrain.py by their names, `max_steps=100` for `--max_steps 100`. One
    interrupt (Ctrl-C) finishes the step, saves a checkpoint and returns it. ValueError for an
    unknown name or a wrong value; FloatingPointError where a loss or a gradient is not finite;
    OSError where the last checkpoint cannot be written.
    """
    config = PretrainConfig.from_python(model_type=model_type, device=device, **flags)
    _import_paddle(device)
    stopping.undo_paddles_handler()
    from paddle_impl.checkpoint import checkpoints
    from paddle_impl.pretraining import pretraining_run
    from paddle_impl.training import output_lock

    output_dir = Path(config.checkpoint.output_dir)
    try:
        pretraining_run(config).train()
    finally:  # this process goes on
        output_lock.release(output_dir)
    found = checkpoints(output_dir)
    return found[max(found)]


def _import_paddle(device: str) -> None:
    if runtime.imported_by_others():
        warnings.warn(
            "Paddle was imported before paddle_impl could set its threads and kernels, and may "
            "run several times slower on a CPU: restart, and call load or pretrain of "
            "paddle_impl before `import paddle`", stacklevel=3)
    runtime.import_paddle(device)
