"""The one thing pyproject.toml cannot say: the C++ index helper needs pybind11's headers."""

from pybind11.setup_helpers import Pybind11Extension, build_ext
from setuptools import setup

setup(
    ext_modules=[
        Pybind11Extension(
            f"data_tools.index_helper.{name}",
            [f"data_tools/index_helper/{name}.cpp"],
            cxx_std=17,
            # A product and a sum fused into one instruction would blend datasets otherwise.
            extra_compile_args=["-ffp-contract=off"],
        )
        for name in ("_core", "_samples")
    ],
    cmdclass={"build_ext": build_ext},
)
