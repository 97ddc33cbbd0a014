"""The one thing pyproject.toml cannot say: the C++ extensions need pybind11's headers."""

from glob import glob

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
    ] + [
        Pybind11Extension(
            "paddle_impl.kernels._decode",
            ["paddle_impl/kernels/decode.cpp"],
            depends=glob("paddle_impl/kernels/decode/*.h"),
            cxx_std=17,
            # Which instructions are used is chosen when it runs: no -march here.
            extra_compile_args=["-O3", "-pthread"],
            extra_link_args=["-pthread"],
        )
    ],
    cmdclass={"build_ext": build_ext},
)
