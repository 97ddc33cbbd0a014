"""The code inside the sandbox: a Python process started with -I -S and an empty environment.

Standard library only, without imports from the rest of the project. main.py starts the processes.
Linux on x86-64 and 64-bit ARM.
"""
