"""The walls of the sandbox: limits on files, network, other processes, memory and time.

There are two kinds, the better one first. "namespaces": own mount, pid, network and ipc namespaces,
with a root file system that holds Python's library and is read-only. Root becomes the user nobody;
another user gets the necessary rights from a user namespace. "landlock": for machines that refuse
namespaces, as most containers do; Landlock makes the same directories the only readable ones. Both
kinds add the list of system calls in calls.py, which by itself forbids network and new processes.
"""

import contextlib
import ctypes
import os
import resource

from . import kernel

NAMESPACES = "mount, pid, network and ipc namespaces, a root without a place to write"
LANDLOCK = "Landlock rules without a place to write"
ALWAYS = ("a list of allowed system calls", "no new privileges", "resource limits")

_NEW_ROOT = "/proc"  # exists on every Linux, and the sandbox does not need it
_NOBODY = 65534
_CLONE = {"NEWNS": 0x20000, "NEWUTS": 0x4000000, "NEWIPC": 0x8000000, "NEWUSER": 0x10000000,
          "NEWPID": 0x20000000, "NEWNET": 0x40000000}
_MS = {"NOSUID": 2, "NODEV": 4, "BIND": 0x1000, "REC": 0x4000, "PRIVATE": 0x40000}
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")


def readable() -> list[str]:
    """The directories that Python's own modules and their C libraries come from."""
    python = os.path.dirname(os.path.dirname(os.__file__))  # lib of its prefix
    kept: list[str] = []
    for place in sorted({python, *_LIBRARIES}):
        inside = any(place == other or place.startswith(f"{other}/") for other in kept)
        if os.path.isdir(place) and not inside:
            kept.append(place)
    return kept


def leave_namespaces() -> None:
    """Move this process to new namespaces; the pid namespace begins with its next child."""
    flags = sum(_CLONE[name] for name in ("NEWNS", "NEWUTS", "NEWIPC", "NEWPID", "NEWNET"))
    if os.geteuid() == 0:
        kernel.unshare(flags)
        return
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(flags | _CLONE["NEWUSER"])
    for name, text in (("setgroups", "deny"), ("uid_map", f"{_NOBODY} {user} 1"),
                       ("gid_map", f"{_NOBODY} {group} 1")):
        with _named(f"/proc/self/{name}"), open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def enter_view() -> None:
    """Replace the root file system by a read-only one that contains `readable()` only."""
    places = readable()
    kernel.mount("none", "/", None, _MS["REC"] | _MS["PRIVATE"])
    kernel.mount("none", _NEW_ROOT, "tmpfs", _MS["NOSUID"] | _MS["NODEV"], "size=1m,mode=0755")
    for place in places:
        with _named(place):
            os.makedirs(_NEW_ROOT + place)
        kernel.mount(place, _NEW_ROOT + place, None, _MS["BIND"] | _MS["REC"])
    os.chdir(_NEW_ROOT)
    kernel.syscall("pivot_root", b".", b".")
    kernel.detach(".")  # the old root, which lies over the new one
    os.chdir("/")
    _make_read_only("/")


def become_nobody() -> None:
    """If root, become the user nobody."""
    with _named("setresuid"):
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def confine_files() -> None:
    """Landlock: allow reading in `readable()` and no other access to files.

    It does not cover stat, readlink and access, so a program can still see whether a file exists,
    its size and its times.
    """
    ask_version = 1
    version = kernel.syscall("landlock_create_ruleset", None, 0, ask_version)
    kinds = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)  # number of access rights, by version
    read_file, read_dir = 1 << 2, 1 << 3
    handled = ctypes.c_uint64((1 << kinds) - 1)
    ruleset = kernel.syscall("landlock_create_ruleset", ctypes.byref(handled), 8, 0)
    for place in readable():
        directory = os.open(place, os.O_PATH | os.O_DIRECTORY)
        rule = (read_file | read_dir).to_bytes(8, "little") + directory.to_bytes(4, "little")
        path_beneath = 1
        kernel.syscall("landlock_add_rule", ruleset, path_beneath, rule, 0)
        os.close(directory)
    kernel.syscall("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)


def limit(seconds: float, memory: int) -> None:
    """Set resource limits: CPU time, address space (memory, bytes), no growing files, no core."""
    processor = int(seconds) + 2  # above the wall-clock limit, which the judge enforces
    for what, most in (
        (resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, processor), (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, 64), (resource.RLIMIT_MEMLOCK, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def _make_read_only(path: str) -> None:
    """Make a mount and all mounts below it read-only; a plain remount changes only one."""
    at_fdcwd, at_recursive = -100, 0x8000
    read_only, nosuid, nodev = 1, 2, 4
    attributes = (ctypes.c_uint64 * 4)(read_only | nosuid | nodev)
    kernel.syscall("mount_setattr", at_fdcwd, path.encode(), at_recursive,
                   ctypes.byref(attributes), ctypes.sizeof(attributes))


@contextlib.contextmanager
def _named(what: str):
    try:
        yield
    except OSError as error:
        raise kernel.Missing(f"{what}: {error.strerror}") from error
