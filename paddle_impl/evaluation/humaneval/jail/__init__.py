"""What runs behind the walls: a Python of its own, started with -I -S and no environment.

Standard library only, and no import from the rest of the project: see main.py for the way of a
program. Linux on x86-64 and 64-bit ARM.
"""
