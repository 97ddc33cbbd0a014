"""The one thing pyproject.toml cannot say: the C++ index helper needs pybind11's headers."""

from pybind11.setup_helpers import Pybind11Extension, build_ext
from setuptools import setup

setup(
    ext_modules=[
        Pybind11Extension(
            f"data_tools.index_helper.{name}",
            [f"data_tools/index_helper/{name}.cpp"],
            cxx_std=17,
        )
        for name in ("_core", "_samples")
    ],
    cmdclass={"build_ext": build_ext},
)
