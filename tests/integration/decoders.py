"""Decoders that misbehave as a photo's bytes tell them to; run inside real processes by test_photo_loader.py."""

import ctypes
import errno
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from core.domain import LoadedPhoto, ViewPlan
from core.errors import PhotoRefused, Refusal
from core.photos.decode import load_photo


def obey(data: bytes, plan: ViewPlan) -> LoadedPhoto:
    """Do what the first word of `data` says; a photo is decoded as ever."""
    word, _, rest = data.partition(b" ")
    if word in _TOLD:
        raise PhotoRefused(Refusal.CORRUPT, _TOLD[word]())
    match word:
        case b"hang":
            time.sleep(3600)
        case b"spin":
            while True:
                pass
        case b"die":
            os._exit(1)
        case b"crash":
            ctypes.string_at(0)
        case b"raise":
            raise RuntimeError("a fault of ours")
        case b"eat":
            raise PhotoRefused(Refusal.CORRUPT, str(len(bytearray(1 << 40))))
        case b"die-in":
            pid, _, photo = rest.partition(b" ")
            if os.getpid() == int(pid):
                os._exit(1)
            return load_photo(photo, plan)
        case b"write":
            Path(os.fsdecode(rest)).write_bytes(b"loot")
    return load_photo(data, plan)


def _attempt(deed: Callable[[], object]) -> str:
    """What the system says of it."""
    try:
        deed()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


# What a process tells of itself, in a refusal's detail.
_TOLD: dict[bytes, Callable[[], str]] = {
    b"modules": lambda: " ".join(name for name in sys.modules if "." not in name)[-2000:],
    b"environment": lambda: " ".join(os.environ),
    b"socket": lambda: _attempt(socket.socket),
    b"program": lambda: _attempt(lambda: os.execv("/bin/true", ["true"])),
    b"network": lambda: str(Path("/proc/self/ns/net").readlink()),
}


def lie(data: bytes, plan: ViewPlan) -> LoadedPhoto:
    """Write nonsense where the answer belongs, as a process taken over by its photo might."""
    connection = socket.socket(fileno=os.dup(int(sys.argv[1])))
    connection.sendall(data)
    return load_photo(data, plan)
