"""The layers that keep a process that decodes away from everything but its photo. Linux only.

Each layer holds alone. Which of them a host offers depends on its kernel, its container profile and its packages, so
each function says whether its layer holds; a layer that the host offers and that fails is an error.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from errno import EPERM
from pathlib import Path


class Layer(StrEnum):
    """What keeps code that a hostile photo runs inside its decoder from everything else."""

    MEMORY = "memory"  # no process of the same user may look into the worker's memory, or into a decoder's
    SECCOMP = "seccomp"  # the kernel refuses sockets, programs, signals, and calls that reach into other processes
    LANDLOCK = "landlock"  # the kernel refuses every file but the code that the decoder runs
    NETWORK = "network namespace"  # a network of its own, without any device


_PR_SET_DUMPABLE, _PR_GET_DUMPABLE = 4, 3
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_CAPABILITIES_VERSION_3 = 0x20080522

# What decoding never needs. `sendto` and `recvfrom` stay, for the socket to the parent.
_REFUSED_CALLS = (
    *("socket", "connect", "bind", "listen", "accept", "accept4", "io_uring_setup"),
    *("execve", "execveat", "unshare", "setns", "mount", "chroot", "pivot_root", "bpf", "perf_event_open"),
    # another process's memory and open files
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_open", "pidfd_getfd"),
    # another process's life and its share of the machine
    *("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"),
    *("setpriority", "ioprio_set", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler"),
    # what processes of one user share without a file
    *("shmget", "shmat", "msgget", "semget", "mq_open", "add_key", "request_key", "keyctl"),
)

_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_LANDLOCK_ASK_VERSION = 1
_LANDLOCK_RULE_PATH_BENEATH = 1
_LANDLOCK_READ = 0b1100  # LANDLOCK_ACCESS_FS_READ_FILE and LANDLOCK_ACCESS_FS_READ_DIR
# How many kinds of access to files version 1, 2, ... of Landlock can refuse (linux/landlock.h).
_LANDLOCK_FILE_KINDS = (13, 14, 15, 15, 16)


def hide_memory() -> None:
    """Let no process of this user read or write this process's memory, environment or open files.

    It also makes no core dump, and only root can attach a debugger or a profiler to it. Raises `OSError`.
    """
    if sys.platform == "linux":
        _checked(_libc().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))


def memory_is_hidden() -> bool:
    """Whether `hide_memory` holds for this process."""
    return sys.platform == "linux" and int(_libc().prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)) == 0


def leave_network() -> bool:
    """Move to a network without devices. False where the system refuses new namespaces, as many containers do."""
    return int(_libc().unshare(_CLONE_NEWUSER | _CLONE_NEWNET)) == 0


def drop_rights() -> None:
    """Give up every capability, and gain none by running a program. Raises `OSError`."""
    header = struct.pack("=Ii", _CAPABILITIES_VERSION_3, 0)
    _checked(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(_libc().capset(header, bytes(24)))


def refuse_files(readable: Iterable[Path]) -> bool:
    """Refuse every file but those beneath the folders `readable`, which may be read, by Landlock.

    Refuses TCP too from version 4 on, and signals and abstract sockets of other processes from version 6 on. False
    where the kernel has no Landlock. Raises `OSError` where it has and refuses. Holds for the calling thread and those
    it starts.
    """
    version = _libc().syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_ASK_VERSION)
    if version < 1:
        return False
    kinds = _LANDLOCK_FILE_KINDS[min(version, len(_LANDLOCK_FILE_KINDS)) - 1]
    attributes = struct.pack("=QQQ", (1 << kinds) - 1, 0b11, 0b11)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    ruleset = _checked(
        _libc().syscall(_LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))
    )
    for folder in readable:
        with _opened(folder) as descriptor:
            rule = struct.pack("=Qi", _LANDLOCK_READ, descriptor)
            _checked(_libc().syscall(_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_RULE_PATH_BENEATH, rule, ctypes.c_uint(0)))
    _checked(_libc().syscall(_LANDLOCK_RESTRICT_SELF, ruleset, ctypes.c_uint(0)))
    os.close(ruleset)
    return True


def refuse_system_calls() -> bool:
    """Refuse `_REFUSED_CALLS` and other processes' limits, by libseccomp. False where the system has no libseccomp.

    Debian and its images have it, for apt needs it. Raises `OSError` where the filter cannot be loaded.
    """
    try:
        import pyseccomp  # noqa: PLC0415  its import looks for libseccomp, also with a compiler, which wants a folder
    except (RuntimeError, FileNotFoundError):
        return False
    refuse = pyseccomp.ERRNO(EPERM)
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    rules.set_attr(pyseccomp.Attr.CTL_TSYNC, 1)
    for name in _REFUSED_CALLS:
        rules.add_rule(refuse, name)
    rules.add_rule(refuse, "prlimit64", pyseccomp.Arg(0, pyseccomp.NE, 0))  # 0 is the process itself
    rules.load()
    return True


def code_folders() -> set[Path]:
    """The folders of the modules loaded so far: what an import inside a function may still want to read."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {Path(file).parent for file in files if file}


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
