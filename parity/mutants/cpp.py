"""Mutants of compiled code: the mutated C++ source is compiled in a temporary folder and imported.

A module's source is its .cpp file and the headers in the folder of the same name, if there is one.
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

_BETWEEN = "\f"  # separates the files of a source


def is_compiled(module: ModuleType) -> bool:
    return not module.__file__.endswith(".py")


def source(module: ModuleType) -> str:
    """All files of the module's source, joined, so that code may occur in any of them."""
    return _BETWEEN.join(path.read_text(encoding="utf-8") for path in _paths(module))


def definitions(module: ModuleType) -> dict[str, Callable]:
    """The functions and classes that the module gives to Python."""
    return {name: value for name, value in vars(module).items()
            if inspect.isroutine(value) or inspect.isclass(value)}


@contextmanager
def built(text: str, original: ModuleType) -> Iterator[ModuleType]:
    """The module that `text`, a changed `source(original)`, compiles to; its files are removed
    after the block.

    Each module has a new full name, because pybind11 would return an earlier module of the same
    name. The part after the last dot names the initialising function, so it must stay.
    """
    name = original.__name__.rpartition(".")[2]
    first, *_ = paths = _paths(original)
    with tempfile.TemporaryDirectory() as directory:
        for path, own in zip(paths, text.split(_BETWEEN), strict=True):
            file = Path(directory) / path.relative_to(first.parent)
            file.parent.mkdir(exist_ok=True)
            file.write_text(own, encoding="utf-8")
        binary = (Path(directory) / name).with_suffix(sysconfig.get_config_var("EXT_SUFFIX"))
        _compile(Path(directory) / first.name, binary)
        spec = importlib.util.spec_from_file_location(f"{Path(directory).name}.{name}", binary)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def _paths(module: ModuleType) -> list[Path]:
    """The .cpp file, called as the module with or without its first underscore, and its headers."""
    binary = Path(module.__file__)
    name = module.__name__.rpartition(".")[2]
    first = next(path for path in (binary.with_name(f"{name}.cpp"),
                                   binary.with_name(f"{name.removeprefix('_')}.cpp"))
                 if path.is_file())
    return [first, *sorted(first.with_suffix("").glob("*.h"))]


def _compile(file: Path, binary: Path) -> None:
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        raise RuntimeError("mutants of C++ code need a C++ compiler, and there is no c++ here")
    try:
        import pybind11
    except ImportError as error:
        raise RuntimeError("mutants of C++ code need pybind11: pip install pybind11") from error
    include = [f"-I{pybind11.get_include()}", f"-I{sysconfig.get_path('include')}"]
    # Hidden: the tables of a template are else "unique" symbols, of which a process uses those of
    # the first module that it has loaded, so that a mutant would compute with an earlier one's.
    done = subprocess.run(
        [compiler, "-O0", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread", "-std=c++17",
         *include, str(file), "-o", str(binary)],
        capture_output=True, text=True, check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the mutated C++ source does not compile:\n{done.stderr[-2000:]}")
