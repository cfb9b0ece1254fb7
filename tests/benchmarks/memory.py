"""Resident memory and CPU time of a process and all its descendants, watched from outside."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

EVERY_S = 0.5


class ProcessWatch:
    """Samples (seconds since 1970, MB) while it is entered, and what each process has used of the CPU so far."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = Event()
        self._thread = Thread(target=self._watch, name="memory", daemon=True)
        self.samples: list[tuple[float, float]] = []
        self._cpu: dict[int, tuple[str, float]] = {}

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

    def cpu_seconds(self, roles: Mapping[str, str]) -> dict[str, float]:
        """CPU seconds by role: the first whose word stands in a process's command line; of others nothing is told."""
        found = dict.fromkeys(roles, 0.0)
        for command, seconds in self._cpu.values():
            role = next((role for role, word in roles.items() if word in command), None)
            if role:
                found[role] += seconds
        return found

    def _watch(self) -> None:
        while True:
            family = list(_family(self._pid))
            self.samples.append((time.time(), sum(map(_resident_mb, family))))
            self._cpu |= {pid: used for pid in family if (used := _command_and_cpu(pid))}
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


def _command_and_cpu(pid: int) -> tuple[str, float] | None:
    """Its command line, and the seconds that it has used itself; None once it has ended, waited for or not."""
    place = Path(f"/proc/{pid}")
    try:
        command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        after_name = (place / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if not command:  # a zombie has lost it: what was seen of it before says more
        return None
    return command, (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
