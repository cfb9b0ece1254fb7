"""Resident memory of a process and all its descendants, watched from outside."""

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

EVERY_S = 0.5


class MemoryWatch:
    """Samples (seconds since 1970, MB) while it is entered."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = Event()
        self._thread = Thread(target=self._watch, name="memory", daemon=True)
        self.samples: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def quarters(self, done_at: Sequence[float]) -> list[float]:
        """The highest MB while each quarter of the photos was done; `done_at` in seconds since 1970."""
        ordered = sorted(done_at)
        edges = [ordered[0], *(ordered[(len(ordered) - 1) * number // 4] for number in (1, 2, 3)), ordered[-1]]
        peaks = []
        for start, end in pairwise(edges):
            within = [size for moment, size in self.samples if start <= moment <= end]
            nearest = min(self.samples, key=lambda sample: abs(sample[0] - end))[1]
            peaks.append(max(within, default=nearest))
        return peaks

    def _watch(self) -> None:
        while True:
            self.samples.append((time.time(), sum(map(_resident_mb, _family(self._pid)))))
            if self._stop.wait(EVERY_S):
                return


def _family(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = children.read_text().split()
        except OSError:  # it has ended
            continue
        for child in found:
            yield from _family(int(child))


def _resident_mb(pid: int) -> float:
    """Pages shared with other processes are counted in proportion."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
