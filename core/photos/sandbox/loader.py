"""Decodes photos in separate processes, so that a hostile file costs a process and not the worker."""

import queue
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from core.domain import LoadedPhoto, ViewPlan
from core.errors import DecoderUnavailable, PhotoRefused
from core.photos.sandbox.layers import Layer
from core.photos.sandbox.process import DecodeLimits, DecodeProcess, ProcessLost
from core.settings import Settings

_DECODER = "core.photos.decode:load_photo"


class ProcessPhotoLoader:
    """A `PhotoLoader` over a fixed number of decoding processes, shared by any number of threads.

    A process that dies, hangs or runs out of memory is replaced; its photo is tried once more, alone in the fresh
    process, and then refused. `timeout_s` is CPU time; a process that is silent for three times as long counts as
    hanging. `decoder` names the function that decodes, as `module:function`.
    """

    def __init__(
        self,
        processes: int,
        memory_limit_bytes: int,
        timeout_s: float,
        decoder: str = _DECODER,
    ) -> None:
        self._decoder = decoder
        self._limits = DecodeLimits(memory_limit_bytes, timeout_s)
        self._closing = Lock()
        self._is_closed = False
        # A process dies with the thread that started it, so one thread starts them all and lasts until close().
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="decode-starter")
        self._running: set[DecodeProcess] = set()
        self._idle: queue.SimpleQueue[DecodeProcess] = queue.SimpleQueue()
        for _ in range(processes):
            self._idle.put(self._start())

    @property
    def pids(self) -> list[int]:
        """The ids of the running processes."""
        return sorted(process.pid for process in list(self._running))

    def load(self, data: bytes, plan: ViewPlan) -> LoadedPhoto:
        """Decode one photo. Raises `PhotoRefused`, `DecoderUnavailable`. Safe to call from many threads."""
        process = self._idle.get()
        try:
            if not process.is_alive:
                process = self._replace(process)
            try:
                return process.load(data, plan)
            except ProcessLost:
                process = self._replace(process)
                return process.load(data, plan)
        except ProcessLost as lost:
            raise PhotoRefused(lost.reason, lost.detail) from lost
        finally:
            self._idle.put(process)

    def close(self) -> None:
        """End all processes; photos still being decoded fail with `DecoderUnavailable`."""
        with self._closing:
            self._is_closed = True
        for process in list(self._running):
            process.kill()
        self._starter.shutdown()

    def _replace(self, process: DecodeProcess) -> DecodeProcess:
        process.kill()
        fresh = self._start()
        self._running.discard(process)
        return fresh

    def _start(self) -> DecodeProcess:
        with self._closing:
            if self._is_closed:
                raise DecoderUnavailable("the decoding processes were ended; the photo will be read again")
            try:
                process = self._starter.submit(DecodeProcess, self._decoder, self._limits).result()
            except OSError as error:
                raise DecoderUnavailable(f"no decoding process can be started ({error}); is memory short?") from error
            self._running.add(process)
            return process


def make_loader(settings: Settings) -> ProcessPhotoLoader:
    """Start the processes that decode."""
    limits = _limits(settings)
    return ProcessPhotoLoader(settings.decode_processes, limits.memory_bytes, limits.timeout_s)


def offered_layers(settings: Settings) -> frozenset[Layer]:
    """The layers that confine a decoder on this host, as one that is started for this reports. `DecoderUnavailable`."""
    process = DecodeProcess(_DECODER, _limits(settings))
    try:
        return process.layers
    finally:
        process.kill()


def _limits(settings: Settings) -> DecodeLimits:
    return DecodeLimits(memory_bytes=settings.decode_memory_mb * 2**20, timeout_s=settings.decode_timeout)
