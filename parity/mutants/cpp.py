"""Mutants of compiled code: the mutated C++ source is compiled in a temporary folder and imported.
"""

import importlib.util
import inspect
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


def is_compiled(module: ModuleType) -> bool:
    return not module.__file__.endswith(".py")


def source(module: ModuleType) -> str:
    return _path(module).read_text(encoding="utf-8")


def functions(module: ModuleType) -> dict[str, Callable]:
    return {name: value for name, value in vars(module).items() if inspect.isroutine(value)}


@contextmanager
def built(text: str, name: str) -> Iterator[ModuleType]:
    """The module that `text` compiles to; its file is removed after the block.

    Each module has a new full name, because pybind11 would return an earlier module of the same
    name. The part after the last dot names the initialising function, so it must stay `name`.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / f"{name}.cpp"
        file.write_text(text, encoding="utf-8")
        binary = file.with_suffix(sysconfig.get_config_var("EXT_SUFFIX"))
        _compile(file, binary)
        spec = importlib.util.spec_from_file_location(f"{Path(directory).name}.{name}", binary)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def _path(module: ModuleType) -> Path:
    return Path(module.__file__).with_name(module.__name__.rpartition(".")[2] + ".cpp")


def _compile(file: Path, binary: Path) -> None:
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        raise RuntimeError("mutants of C++ code need a C++ compiler, and there is no c++ here")
    try:
        import pybind11
    except ImportError as error:
        raise RuntimeError("mutants of C++ code need pybind11: pip install pybind11") from error
    include = [f"-I{pybind11.get_include()}", f"-I{sysconfig.get_path('include')}"]
    done = subprocess.run(
        [compiler, "-O0", "-shared", "-fPIC", "-std=c++17", *include, str(file), "-o", str(binary)],
        capture_output=True, text=True, check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the mutated C++ source does not compile:\n{done.stderr[-2000:]}")
