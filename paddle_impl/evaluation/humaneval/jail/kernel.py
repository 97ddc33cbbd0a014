"""Linux system calls that Python's os module lacks, through the C library."""

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
# system call numbers: (x86-64, 64-bit ARM)
_NUMBERS = {
    "pivot_root": (155, 41), "capset": (126, 91), "mount_setattr": (442, 442),
    "landlock_create_ruleset": (444, 444), "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}
_MACHINES = ("x86_64", "aarch64")

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2


class Missing(Exception):
    """The kernel refuses a call that a wall needs; the text names the call and the reason."""


def column() -> int:
    """The index of this machine in (x86-64, 64-bit ARM); Missing on any other."""
    machine = os.uname().machine
    if machine not in _MACHINES:
        raise Missing(f"no system call numbers for a {machine}")
    return _MACHINES.index(machine)


def syscall(name: str, *arguments) -> int:
    """The system call's result; Missing where it fails."""
    return _checked(name, _LIBC.syscall(_NUMBERS[name][column()], *map(_argument, arguments)))


def unshare(flags: int) -> None:
    _checked("unshare", _LIBC.unshare(flags))


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    _checked(f"mount {target}", _LIBC.mount(
        source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags),
        data.encode(),
    ))


def detach(target: str) -> None:
    mnt_detach = 2
    _checked("umount2", _LIBC.umount2(target.encode(), mnt_detach))


def gain_nothing() -> None:
    """Set no_new_privs: this process can never gain rights. seccomp and Landlock require it."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def hide_memory() -> None:
    """Forbid other processes of the same user to read this one's memory or to trace it."""
    _prctl(_PR_SET_DUMPABLE, 0)


def die_with_parent() -> None:
    """Receive SIGKILL when the parent thread ends. Call it again after a change of user, which
    clears the setting.
    """
    sigkill = 9
    _prctl(_PR_SET_PDEATHSIG, sigkill)


def drop_capabilities() -> None:
    version_3 = 0x20080522
    header = (ctypes.c_uint32 * 2)(version_3, 0)
    syscall("capset", header, (ctypes.c_uint32 * 6)())


def filter_calls(instructions: bytes) -> None:
    """Install a seccomp program: struct sock_filter[], 8 bytes each."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    program = Program(len(instructions) // 8, instructions)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))


def _prctl(option: int, value: int, pointer=None) -> None:
    zero = ctypes.c_ulong(0)
    _checked(f"prctl {option}", _LIBC.prctl(
        option, ctypes.c_ulong(value), zero if pointer is None else pointer, zero, zero
    ))


def _argument(value):
    """An int as a C long, as the kernel reads it; ctypes would pass 32 bits by default."""
    return ctypes.c_long(value) if isinstance(value, int) else value


def _checked(name: str, result: int) -> int:
    if result == -1:
        raise Missing(f"{name}: {os.strerror(ctypes.get_errno())}")
    return result
