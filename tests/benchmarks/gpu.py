"""A GPU at its own pace and in the whole job: `python -m tests.benchmarks.gpu`. Where there is none, the same on a CPU.

With TensorFlow beside the GPU it is our own pass, compiled by XLA. Where KERAS_BACKEND names another backend it is the
same network as Keras runs it there. Either way the result says what ran, on what.
"""

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core.domain import Pixels
from core.model.artefact import Artefact, open_artefact
from core.settings import SHIPPED_MODEL
from tests.benchmarks.gpu_passes import Pass, ceiling, open_passes, reference
from tests.benchmarks.measured import Measured, Table, seconds, spread
from tests.benchmarks.photographs import photo_sets
from tests.benchmarks.whole_run import Variant, scan

GFLOP_AT_224 = 7.71  # two for each of the 3.856 G multiply-adds of ResNet50's convolutions at 224 x 224
# Dense peak, TFLOP/s, from the makers' data sheets: bfloat16 and float16 tensor cores.
PEAKS = {"H200": 989.0, "H100 PCIe": 756.0, "H100": 989.0, "A100": 312.0, "L40S": 362.0, "L4": 121.0, "A10": 125.0}
PEAKS |= {"T4": 65.0, "V100": 125.0}


def measure(small: bool) -> Measured:
    """Views a second by batch and precision, beside the ceiling; agreement with the CPU; the device's busy share."""
    artefact = open_artefact(SHIPPED_MODEL)
    card = name_of_gpu()
    rounds, batches = (1, (2, 4)) if small else (5, (1, 8, 32, 128, 256, 512) if card else (1, 8, 32))
    passes = open_passes(artefact)
    rows = [[one.name, *_rates(one, artefact, batches, rounds)] for one in passes]
    ceilings = [ceiling(one.precision, 1024 if small else 8192 if card else 2048) for one in passes]
    fastest = {row[0]: max(rate.median for rate in row[1:]) for row in rows}
    flop = artefact.card.input.plan.cost / artefact.card.input.plan.count * GFLOP_AT_224 * 1e9
    shares = [
        [
            one.name,
            f"{highest / 1e12:.2f}",
            _percent(fastest[one.name] * flop / highest),
        ]
        for one, highest in zip(passes, ceilings, strict=True)
    ]
    where = card or "the CPU, for there is no GPU here"
    tables = [
        Table(["views a second", *(f"batches of {size}" for size in batches)], rows, title=f"On {where}"),
        Table(["", "matrix product here, TFLOP/s", "of which the fastest pass reaches"], shares),
        Table(["probability of a view, beside float32 on the CPU", "mean", "largest"], _agreement(passes, artefact)),
    ]
    notes = [f"Ran on {where}, by {passes[0].made_by}."]
    if peak := next((value for known, value in PEAKS.items() if known in card), None):
        notes.append(f"The maker's dense peak in 16 bits is {peak:,.0f} TFLOP/s.")
    if passes[0].ours:
        tables.append(_whole_job(small, card))
    return Measured(tables=tables, notes=notes, figures={"device": where, "made_by": passes[0].made_by})


def name_of_gpu() -> str:
    """What `nvidia-smi` calls the first GPU; empty where there is none."""
    return _nvidia_smi("name").strip().partition("\n")[0]


def _rates(one: Pass, artefact: Artefact, batches: Sequence[int], rounds: int) -> list[Any]:
    size = artefact.card.input.size
    found = []
    for batch in batches:
        views = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
        one.run(views)  # compiles for this shape
        repeats = 1 if seconds(lambda views=views: one.run(views)) > 0.5 else 20  # type: ignore[misc]
        times = [seconds(_repeated(one, views, repeats)) / repeats for _ in range(rounds)]
        found.append(spread([batch / taken for taken in times]))
    return found


def _repeated(one: Pass, views: Pixels, repeats: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(repeats):
            one.run(views)

    return run


def _agreement(passes: Sequence[Pass], artefact: Artefact) -> list[list[object]]:
    size = artefact.card.input.size
    coarse = np.random.default_rng(1).integers(0, 256, (16, 14, 14, 3), dtype=np.uint8)
    views = coarse.repeat(size // 14, axis=1).repeat(size // 14, axis=2)
    wanted = reference(artefact, views)
    apart = [(one.name, np.abs(one.run(views) - wanted)) for one in passes]
    return [[name, f"{gaps.mean():.2g}", f"{gaps.max():.2g}"] for name, gaps in apart]


def _whole_job(small: bool, card: str) -> Table:
    """`walkaround scan` of made photos, the device's utilisation sampled while it runs."""
    photos = photo_sets(4 if small else 60 if card else 6, 2 if small else 10)
    with BusyWatch() as watch:
        run = scan(photos, SHIPPED_MODEL, Variant())
    busy = spread(watch.samples) if watch.samples else None
    return Table(
        ["whole job, float32", "photos a second, second half", "device busy, %"], [["", run.second_half, busy]]
    )


class BusyWatch:
    """Samples the GPU's utilisation in per cent until it is left; no samples where there is no GPU."""

    def __init__(self, every_s: float = 0.5) -> None:
        self.samples: list[float] = []
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "BusyWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._every_s):
            self.samples += [float(line) for line in _nvidia_smi("utilization.gpu").splitlines()[:1]]


def _nvidia_smi(field: str) -> str:
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader,nounits"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    from tests.benchmarks.__main__ import main

    main(["gpu", *sys.argv[1:]])
