"""What Paddle's own operators do too slowly on a CPU, in C++: the decode step.

`paddle_impl.kernels._decode` is built from decode.cpp and decode/*.h when the package is installed.
"""
