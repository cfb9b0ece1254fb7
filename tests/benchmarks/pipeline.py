"""The whole job: `walkaround scan` from JPEG to verdict rows, beside a naive loop, Ray Data, and the machine's floor.

Every run is a process of its own, reads the same photos, looks at the same views and ends in rows of SQLite. Rates
over short runs lie (queues fill while a model loads), so each run is also judged by its second half alone.
"""

import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core.model.artefact import Artefact, open_artefact, write_card
from core.model.card import InputSpec
from core.model.pooling import Pooling
from core.settings import SHIPPED_MODEL
from tests.benchmarks.environment import bench_python
from tests.benchmarks.measured import BUILD, ROOT, Measured, Table, spread
from tests.benchmarks.memory import MemoryWatch
from tests.benchmarks.photographs import photo_sets

PHOTOS_EACH = 10
_ROUNDS = 3  # of the naive loop and of the floor, between the whole runs


@dataclass(frozen=True, slots=True)
class Variant:
    """What is run: the shipped model's five views or one, and the network's arithmetic."""

    one_view: bool
    precision: str

    @property
    def suffix(self) -> str:
        return ("_one_view" if self.one_view else "") + ("_bfloat16" if self.precision == "bfloat16" else "")


@dataclass(frozen=True, slots=True)
class Run:
    """One whole run: photos a second, all told and in its second half, and resident MB by quarter of its photos."""

    photos: int
    seconds: float
    second_half: float
    memory: Sequence[float] = ()

    @property
    def rate(self) -> float:
        return self.photos / self.seconds


def shipped(small: bool) -> Measured:
    """Five views, float32: what a user gets."""
    return _measure(Variant(one_view=False, precision="float32"), small)


def shipped_bfloat16(small: bool) -> Measured:
    """Five views, bfloat16."""
    return _measure(Variant(one_view=False, precision="bfloat16"), small)


def one_view(small: bool) -> Measured:
    """The whole photo alone, float32."""
    return _measure(Variant(one_view=True, precision="float32"), small)


def one_view_bfloat16(small: bool) -> Measured:
    """The whole photo alone, bfloat16."""
    return _measure(Variant(one_view=True, precision="bfloat16"), small)


def memory(small: bool) -> Measured:
    """Resident memory over 2,000 photos: one view in bfloat16, for that is the quickest."""
    variant = Variant(one_view=True, precision="bfloat16")
    run = scan(photo_sets(4 if small else 200, PHOTOS_EACH), model_for(variant), variant.precision)
    growth = run.memory[-1] / run.memory[1]
    return Measured(
        ratios={"memory_last_quarter_vs_second": spread([growth])},
        tables=[_memory_table(run)],
        notes=[f"{run.photos:,} photos. The first quarter holds the start; a ratio of 1 is flat."],
    )


def second_half_rate(times: Sequence[float]) -> float:
    """Photos a second from the moment half of them were done; `times` are the seconds at which each was.

    Photos of one set are done at one moment; those of the moment that begins the half do not count.
    """
    ordered = sorted(times)
    start, end = ordered[(len(ordered) - 1) // 2], ordered[-1]
    if end == start:
        raise ValueError("all photos of the second half were done at one moment: too few to tell a rate")
    return sum(moment > start for moment in ordered) / (end - start)


def _measure(variant: Variant, small: bool) -> Measured:
    sets, some = (4, 4) if small else (120, 40)
    photos = photo_sets(sets, PHOTOS_EACH)
    paths = sorted(photos.rglob("*.jpg"))
    model = model_for(variant)
    ray = bench_python("ray[data]")
    naive: list[float] = []
    floors: list[dict[str, float]] = []

    def between() -> None:
        naive.append(_peer(variant, model, paths[:some], "naive")["rate"])
        floors.append(_peer(variant, model, paths[:some], "floor"))

    between()
    ours = scan(photos, model, variant.precision)
    between()
    theirs_with_ours = _ray(ray, variant, model, paths, "ours")
    between()
    theirs = _ray(ray, variant, model, paths if small else paths[:600], "documented")
    return _measured(variant, naive, floors, ours, theirs, theirs_with_ours)


def _measured(
    variant: Variant, naive: Sequence[float], floors: Sequence[dict[str, float]], ours: Run, theirs: Run, given: Run
) -> Measured:
    floor = [found["rate"] for found in floors]
    ratios = {
        "pipeline_vs_naive": spread([ours.second_half / rate for rate in naive]),
        "pipeline_vs_ray": spread([ours.second_half / theirs.second_half]),
        "pipeline_vs_ray_with_ours": spread([ours.rate / given.rate]),
        "pipeline_vs_floor": spread([ours.second_half / rate for rate in floor]),
    }
    rows: list[list[object]] = [
        [f"`walkaround scan`, {ours.photos:,} photos", ours.rate, ours.second_half],
        [f"naive loop, {_ROUNDS} times between the others", None, spread(naive)],
        [f"Ray Data as documented, {theirs.photos:,} photos", theirs.rate, theirs.second_half],
        [f"Ray Data given our decode and engine, {given.photos:,} photos", given.rate, given.second_half],
        ["floor: 1 / (decode + model)", None, spread(floor)],
    ]
    views = "one view" if variant.one_view else "the shipped five views"
    decode, model = (1000 * statistics.median(found[name] for found in floors) for name in ("decode", "model"))
    growth = ours.memory[-1] / ours.memory[1] - 1
    return Measured(
        ratios={name + variant.suffix: found for name, found in ratios.items()},
        tables=[
            Table(["photos/s", "whole run with start-up", "second half"], rows, f"{views}, {variant.precision}"),
            _memory_table(ours),
        ],
        notes=[
            f"The floor is of {decode:.1f} ms to decode (two threads on two photos at once, divided by two; views, "
            f"quality, perceptual hash) and {model:.1f} ms for the model (32 views a batch, all cores), taken between "
            f"the runs. From the second quarter to the last, resident memory changed by {100 * growth:+.0f} %."
        ],
        figures={"decode_s": decode / 1000, "model_s": model / 1000, "photos_per_second": ours.second_half},
    )


def _memory_table(run: Run) -> Table:
    return Table(
        ["resident MB, all processes", *(f"quarter {number}" for number in range(1, 5))],
        [["highest while the photos were done", *(round(value) for value in run.memory)]],
    )


def model_for(variant: Variant) -> Path:
    """The shipped model, or a copy whose card asks for the whole photo alone: for measuring only."""
    if not variant.one_view:
        return SHIPPED_MODEL
    folder = BUILD / "model-one-view"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SHIPPED_MODEL, folder)
    artefact = open_artefact(folder)
    card = artefact.card.model_copy(update={"input": InputSpec(size=artefact.card.input.size), "pooling": Pooling()})
    return write_card(Artefact(folder, card), card).folder


def scan(photos: Path, model: Path, precision: str, command: Sequence[str] = ()) -> Run:
    """`walkaround scan` into a database of its own; `command` is put before it, as a profiler's."""
    out = BUILD / "scan"
    shutil.rmtree(out, ignore_errors=True)
    environment = os.environ | {"WALKAROUND_PRECISION": precision}
    arguments = ["scan", str(photos), "--out", str(out), "--model", str(model), "--no-html", "--json"]
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, sys.executable, "-m", "workers.cli", *arguments],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with MemoryWatch(process.pid) as memory:
        code = process.wait()
    seconds = time.perf_counter() - start
    if code:
        raise RuntimeError(f"`walkaround scan` ended with {code}; {out / 'worker.log'} may say why")
    times = _done_at(out / "walkaround.sqlite")
    return Run(len(times), seconds, second_half_rate(times), memory.quarters(times))


def _done_at(database: Path) -> list[float]:
    """When each photo's prediction was written, in seconds since 1970."""
    with sqlite3.connect(database) as connection:
        found = connection.execute("SELECT created_at FROM prediction").fetchall()
        (verdicts,) = connection.execute("SELECT count(*) FROM verdict").fetchone()
    if not verdicts:
        raise RuntimeError("the scan wrote no verdict")
    return [datetime.fromisoformat(text).timestamp() for (text,) in found]


def _peer(variant: Variant, model: Path, paths: Sequence[Path], name: str) -> dict[str, Any]:
    return _answer(
        [sys.executable, "-m", "tests.benchmarks.pipeline_peers", name, str(model), variant.precision], paths
    )


def _ray(python: Path, variant: Variant, model: Path, paths: Sequence[Path], name: str) -> Run:
    command = [str(python), "-m", "tests.benchmarks.ray_pipeline", name, str(model), variant.precision]
    start = time.perf_counter()
    times = _answer(command, paths)["times"]
    return Run(len(times), time.perf_counter() - start, second_half_rate(times))


def _answer(command: Sequence[str], paths: Sequence[Path]) -> dict[str, Any]:
    """The last line that the command printed, as JSON; it gets the photos' paths on its standard input."""
    found = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"},
        input="\n".join(map(str, paths)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return answer
