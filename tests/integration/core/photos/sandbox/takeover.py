"""A decoder that a hostile photo took over: what can it still do? Run by test_layers.py under `bare_container.py`.

As a program it starts such a decoder and prints the layers that hold, what the decoder could do, and the memory of the
process that started it. With the argument `visible` it opens its memory first, to show what the other layers do alone.
"""

import ctypes
import json
import os
import resource
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from core.domain import LoadedPhoto, ViewPlan
from core.errors import PhotoRefused, Refusal
from core.photos.sandbox.layers import memory_is_hidden
from core.photos.sandbox.process import DecodeLimits, DecodeProcess

SECRET = b"the-database-password!!"
_PTRACE_ATTACH, _PR_SET_DUMPABLE = 16, 4


class _Span(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def attack(pid: int, address: int) -> list[str]:
    """Try everything on the process `pid`, whose secret lies at `address`; what succeeded."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(b"OVERWRITTEN-BY-CHILD")
    ours, theirs = _Span(ctypes.addressof(buffer), 20), _Span(address, 20)

    def call(function: Callable[..., int], *arguments: object) -> Callable[[], None]:
        def run() -> None:
            if function(*arguments) < 0:
                raise OSError(ctypes.get_errno(), "refused")

        return run

    def read(path: str) -> Callable[[], None]:
        def run() -> None:
            with Path(path).open("rb") as file:
                file.seek(address if path.endswith("mem") else 0)
                file.read(20)

        return run

    attempts: dict[str, Callable[[], object]] = {
        "write": call(libc.process_vm_writev, pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0),
        "read": call(libc.process_vm_readv, pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0),
        "ptrace": call(libc.ptrace, _PTRACE_ATTACH, pid, None, None),
        "signal": lambda: os.kill(pid, 0),
        "pidfd": lambda: os.pidfd_open(pid),
        "limits": lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE),
        "priority": lambda: os.setpriority(os.PRIO_PROCESS, pid, 5),
        "socket": socket.socket,
        "program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "passwd": read("/etc/passwd"),
        "folder": lambda: list(Path("/").iterdir()),
        **{name: read(f"/proc/{pid}/{name}") for name in ("mem", "environ", "maps")},
    }
    return [name for name, attempt in attempts.items() if _succeeds(attempt)]


def load(data: bytes, plan: ViewPlan) -> LoadedPhoto:
    """The decoder's place: attack the worker."""
    raise PhotoRefused(Refusal.CORRUPT, " ".join(attack(os.getppid(), int(data))))


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def main() -> None:
    secret = ctypes.create_string_buffer(SECRET)
    decoder = DecodeProcess(f"{__spec__.name}:load", DecodeLimits(1 << 30, 30))
    layers = sorted(decoder.layers)
    hidden = memory_is_hidden()
    if "visible" in sys.argv:
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    try:
        decoder.load(str(ctypes.addressof(secret)).encode(), ViewPlan())
    except PhotoRefused as refused:
        done, left = refused.detail.split(), secret.value.decode()
        sys.stdout.write(json.dumps({"layers": layers, "hidden": hidden, "done": done, "secret": left}))
    decoder.kill()


if __name__ == "__main__":
    main()
