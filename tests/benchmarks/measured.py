"""What a benchmark hands back, and how it takes its times."""

import gc
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "bench"


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several measurements, and their range."""

    median: float
    low: float
    high: float
    rounds: int

    def __str__(self) -> str:
        digits = 2 if abs(self.median) < 10 else 1 if abs(self.median) < 100 else 0
        if self.rounds == 1:
            return f"{self.median:,.{digits}f}"
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows as the document shows them; cells are text, numbers or `Spread`s."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """One part's findings; `ratios` go by name into build/bench.json, `figures` hold whatever JSON can."""

    ratios: Mapping[str, Spread] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)


def spread(values: Sequence[float]) -> Spread:
    """Median and range of at least one value."""
    return Spread(statistics.median(values), min(values), max(values), len(values))


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> Spread:
    """How many times faster ours was, round by round: 2 means half the time."""
    return spread([slow / fast for slow, fast in zip(theirs, ours, strict=True)])


def interleaved(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run in each round, taken in turn, after one run of each that does not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            taken = seconds(run)
            if number:
                times[name].append(taken)
    return times


def seconds(run: Callable[[], object]) -> float:
    """Wall-clock seconds of one run, the garbage of earlier ones swept first."""
    gc.collect()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def machine() -> str:
    """The processor, and how many of its cores are ours."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ":?")
    return (
        f"{model.partition(':')[2].strip()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    )


def revision() -> str:
    """The commit that is measured, with a plus where files differ from it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"
