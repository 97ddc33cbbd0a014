"""hyperparams.json: the flags of a run, as a file that its command takes in order to repeat it."""

import contextlib
import json
from pathlib import Path

from data_tools.files import whole_file
from data_tools.json_fields import read_object
from paddle_impl.config.architecture import ArchitectureOptions

FILE = "hyperparams.json"
# The flags that say what a run starts from. Those of its first launch stay when it is resumed.
_START = {"model_type", "model_name_or_path", "init_from", "allow_other_tokenizer",
          *(flag.name for flag in ArchitectureOptions.flags())}


def write(output_dir: Path, flags: dict, resumed: bool) -> list[str]:
    """Write the flags of this launch, whole or not at all, unless the file holds them already.

    flags: every flag's value, as --print_config writes them. `resume` is written as false, so that
    the file starts the run anew, in another output_dir. resumed: whether the run continues a
    checkpoint; what it started from is then what an earlier launch has written. Returns warnings: a
    resumed run goes on where the disk is full; a new one gets the OSError.
    """
    path = output_dir / FILE
    told = flags | {"resume": False}
    if resumed:
        with contextlib.suppress(ValueError):  # no file, or a damaged one
            told |= {name: value for name, value in read_object(path).items() if name in _START}
    content = json.dumps(told, indent=2).encode() + b"\n"
    if path.is_file() and path.read_bytes() == content:
        return []
    try:
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        if not resumed:
            raise
        return [f"{path} is of an earlier launch, it cannot be written ({error.strerror})"]
    return []
