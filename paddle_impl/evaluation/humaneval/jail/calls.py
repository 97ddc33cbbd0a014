"""seccomp: allow the system calls that a running Python needs; every other fails with EPERM.

A file can be opened for reading only. Landlock alone does not ensure this before Linux 6.2: there
O_TRUNC empties a readable file opened with O_RDONLY, and any file opened with access mode 3, which
asks for neither reading nor writing.

Left out on purpose: clone and fork (nothing can outlive the program), exec, socket and its like
(no network, no Unix socket), kill and its like (the user's other processes: the tests of a task may
be hostile, too, and Landlock does not stop signals), fcntl (F_SETOWN sends signals),
ioctl, chmod, chown, utime, truncate and setxattr (Landlock does not cover them), prctl, prlimit,
ptrace, io_uring and whatever a later kernel brings.
"""

import errno
import os
import struct

from . import kernel

_AUDIT_ARCHITECTURES = (0xC000003E, 0xC00000B7)
_LOAD, _EQUAL, _ANY_OF, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM

# Numbers on (x86-64, 64-bit ARM); None: the machine has no such call
_ALLOWED = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "lseek": (8, 62), "pread64": (17, 67),
    "readv": (19, 65), "writev": (20, 66), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24),
    "pipe": (22, None), "pipe2": (293, 59), "close_range": (436, 436),
    "stat": (4, None), "lstat": (6, None),
    "fstat": (5, 80), "newfstatat": (262, 79), "statx": (332, 291), "access": (21, None),
    "faccessat": (269, 48), "faccessat2": (439, 439), "getdents64": (217, 61),
    "readlink": (89, None), "readlinkat": (267, 78), "getcwd": (79, 17),
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214),
    "mremap": (25, 216), "madvise": (28, 233), "futex": (202, 98), "sched_yield": (24, 124),
    "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72),
    "nanosleep": (35, 101), "clock_nanosleep": (230, 115), "pause": (34, None),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169),
    "time": (201, None), "times": (100, 153), "getrusage": (98, 165),
    "getitimer": (36, 102), "setitimer": (38, 103), "alarm": (37, None),
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174),
    "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177), "uname": (63, 160),
    "sysinfo": (99, 179), "sched_getaffinity": (204, 123), "getcpu": (309, 168),
    "getrandom": (318, 278), "umask": (95, 166), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "sigaltstack": (131, 132), "restart_syscall": (219, 128), "set_robust_list": (273, 99),
    "rseq": (334, 293), "exit": (60, 93), "exit_group": (231, 94),
}
# Calls that open a file: their numbers, and the index of the argument with the flags.
_OPENING = {"open": ((2, None), 1), "openat": ((257, 56), 2)}
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC  # flags that are refused


def allow() -> None:
    """Refuse every call outside the list from now on, with EPERM."""
    machine = kernel.column()
    numbers = sorted(pair[machine] for pair in _ALLOWED.values() if pair[machine] is not None)
    opening = [(pair[machine], flags) for pair, flags in _OPENING.values()
               if pair[machine] is not None]
    kernel.filter_calls(_program(_AUDIT_ARCHITECTURES[machine], numbers, opening))


def _program(architecture: int, numbers: list[int], opening: list[tuple[int, int]]) -> bytes:
    """The seccomp program. opening: (number, index of the argument with the flags) of each call.

    A call of another architecture kills the process, since its numbers mean other calls.
    """
    number_at, architecture_at, arguments_at = 0, 4, 16
    lines = [
        (_LOAD, 0, 0, architecture_at), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, number_at),
    ]
    for number, flags in opening:
        lines += [
            (_EQUAL, 0, 4, number), (_LOAD, 0, 0, arguments_at + 8 * flags),
            (_ANY_OF, 0, 1, _CHANGING), (_RETURN, 0, 0, _ERROR), (_RETURN, 0, 0, _ALLOW),
        ]
    lines += [
        *((_EQUAL, len(numbers) - i, 0, number) for i, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ERROR), (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
