"""The process that decodes: answers on a socket with pixels or a refusal, and can do little else.

Messages are length-prefixed frames of JSON and raw bytes, never pickles: the parent must not execute what a
hostile photo may have put into this process. The photo itself is in memory that both have open: sending four
megabytes through a socket's small buffer takes about 7 ms of CPU instead of 3.
"""

import ctypes
import importlib
import json
import math
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict

from core.domain import LoadedPhoto, ViewPlan
from core.errors import PhotoRefused, Refusal
from core.photos.sandbox.layers import (
    Layer,
    code_folders,
    drop_rights,
    hide_memory,
    leave_network,
    refuse_files,
    refuse_system_calls,
)

_LENGTH = struct.Struct(">I")
_ORDINARY_PHOTO_BYTES = 128 << 20
_PR_SET_PDEATHSIG = 1


def send_frames(connection: socket.socket, *frames: bytes) -> None:
    """Send frames, each after its length in four bytes. Raises `OSError`."""
    for frame in frames:
        connection.sendall(_LENGTH.pack(len(frame)))
        connection.sendall(frame)


def receive_frame(connection: socket.socket, max_bytes: int) -> bytes:
    """Receive one frame. Raises `EOFError` if the other side is gone, `ValueError` if it sends too much."""
    (length,) = _LENGTH.unpack(_receive(connection, _LENGTH.size))
    if length > max_bytes:
        raise ValueError(f"a frame of {length} bytes")
    return bytes(_receive(connection, length))


def _receive(connection: socket.socket, length: int) -> bytearray:
    buffer = bytearray(length)
    rest = memoryview(buffer)
    while rest:
        received = connection.recv_into(rest)
        if not received:
            raise EOFError
        rest = rest[received:]
    return buffer


def main(arguments: list[str]) -> None:
    """Serve until the parent closes the socket; the first frame names the layers that hold (see `layers`).

    `arguments`: the descriptors of the socket and of the memory for photos, the parent's id, the decoder, the memory
    limit in bytes, the CPU limit in seconds.
    """
    socket_descriptor, photo_descriptor, parent, decoder, memory_bytes, cpu_s = arguments
    in_own_network = leave_network()  # first: a new namespace may cancel what the next line asks for
    _end_with(int(parent))
    module, _, function = decoder.partition(":")
    load: Callable[[bytes, ViewPlan], LoadedPhoto] = getattr(importlib.import_module(module), function)
    layers = _confine() | ({Layer.NETWORK} if in_own_network else set())
    _limit(int(memory_bytes))
    with socket.socket(fileno=int(socket_descriptor)) as connection:
        send_frames(connection, _as_json({"layers": sorted(layers)}))
        while True:
            try:
                request = json.loads(receive_frame(connection, 1 << 16))
            except EOFError:
                return
            _limit_cpu(float(cpu_s))
            data = os.pread(int(photo_descriptor), request["bytes"], 0)
            send_frames(connection, *_answer(load, data, ViewPlan(**request["plan"])))


def _answer(load: Callable[[bytes, ViewPlan], LoadedPhoto], data: bytes, plan: ViewPlan) -> tuple[bytes, bytes]:
    try:
        photo = load(data, plan)
    except PhotoRefused as refused:
        return _as_json({"refusal": refused.reason, "detail": refused.detail}), b""
    except MemoryError:
        return _as_json({"refusal": Refusal.DECODER_MEMORY, "detail": ""}), b""
    described = {
        "width": photo.width,
        "height": photo.height,
        "format": photo.format,
        "taken_at": photo.taken_at.isoformat() if photo.taken_at else None,
        "quality": asdict(photo.quality),
        "phash": photo.phash,
    }
    return _as_json(described), photo.views.tobytes()


def _as_json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document).encode()


def _end_with(parent: int) -> None:
    """Ask the kernel to end this process when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked for the signal
        sys.exit(1)


def _confine() -> set[Layer]:
    """Give up, for good, all that decoding does not need; the layers that hold."""
    if sys.platform != "linux":
        return set()
    hide_memory()
    drop_rights()
    calls_are_refused = refuse_system_calls()  # first: it looks for its library
    files_are_refused = refuse_files(code_folders())
    return {
        Layer.MEMORY,
        *([Layer.LANDLOCK] if files_are_refused else []),
        *([Layer.SECCOMP] if calls_are_refused else []),
    }


def _limit(memory_bytes: int) -> None:
    """No more memory than this, no files written, none opened beyond a few, no core dumps.

    Exits if the limit leaves no room for an ordinary photo, which is better than refusing every photo.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    memory_bytes = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        bytearray(_ORDINARY_PHOTO_BYTES)
    except MemoryError:
        sys.exit(f"{memory_bytes:,} bytes of memory are not enough to decode photos")


def _limit_cpu(seconds: float) -> None:
    """SIGXCPU ends the process when the next photo takes longer, even if the parent does not watch the clock."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(
        resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime + seconds), resource.RLIM_INFINITY)
    )


if __name__ == "__main__":
    main(sys.argv[1:])
