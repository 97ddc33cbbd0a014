"""The decode step in C++, which on a CPU is faster than Paddle's own operators.

`paddle_impl.kernels._decode` is built from decode.cpp and decode/*.h when the package is installed.
"""
