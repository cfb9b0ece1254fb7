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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from core.domain import BASE_SIZE
from core.model.artefact import load_network, open_artefact, save_artefact
from core.model.card import Description, InputSpec
from core.model.network import build_network
from core.model.pooling import Pooling
from core.model.precision import Precision, Runtime
from core.settings import SHIPPED_MODEL
from tests.benchmarks.environment import bench_python
from tests.benchmarks.int8_model import make_int8
from tests.benchmarks.measured import BUILD, ROOT, Measured, Table, spread
from tests.benchmarks.memory import ProcessWatch
from tests.benchmarks.photographs import photo_sets

PHOTOS_EACH = 10
PROFILER = "py-spy itself"  # whose command line holds the others
# Of a scan, by a word of their command lines.
PROCESSES = {
    PROFILER: "py-spy record",
    "decoding": "core.photos.decode_child",
    "the worker: network, hashing, SQL": "workers.cli worker",
    "intake, audit, verdicts printed": "workers.cli scan",
    "the broker": "valkey-server",
}
_ROUNDS = 3  # of the naive loop and of the floor, between the whole runs


@dataclass(frozen=True, slots=True)
class Variant:
    """What is run: the shipped model or one that looks at 224 pixels, its arithmetic, and what computes it."""

    at_224: bool = False
    precision: Precision = "float32"
    runtime: Runtime = "tensorflow"

    @property
    def engine(self) -> str:
        return self.precision if self.runtime == "tensorflow" else f"{self.precision} on OpenVINO"

    @property
    def suffix(self) -> str:
        parts = ["at_224"] if self.at_224 else []
        parts += [self.precision] if self.precision != "float32" else []
        parts += [self.runtime] if self.runtime != "tensorflow" else []
        return "".join(f"_{part}" for part in parts)


@dataclass(frozen=True, slots=True)
class Run:
    """One whole run: photos a second, all told and in its second half, resident MB by quarter of its photos, and CPU
    seconds by kind of process."""

    photos: int
    seconds: float
    second_half: float
    memory: Sequence[float] = ()
    cpu: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.photos / self.seconds


def shipped(small: bool) -> Measured:
    """The shipped model, float32: what a user gets."""
    return _measure(Variant(), small)


def shipped_openvino(small: bool) -> Measured:
    """The shipped model, float32 on OpenVINO."""
    return _measure(Variant(runtime="openvino"), small)


def shipped_bfloat16(small: bool) -> Measured:
    """The shipped model, bfloat16."""
    return _measure(Variant(precision="bfloat16"), small)


def at_224(small: bool) -> Measured:
    """The whole photo at 224 pixels, float32."""
    return _measure(Variant(at_224=True), small)


def at_224_openvino(small: bool) -> Measured:
    """The whole photo at 224 pixels, float32 on OpenVINO."""
    return _measure(Variant(at_224=True, runtime="openvino"), small)


def at_224_bfloat16(small: bool) -> Measured:
    """The whole photo at 224 pixels, bfloat16."""
    return _measure(Variant(at_224=True, precision="bfloat16"), small)


def shipped_int8(small: bool) -> Measured:
    """The shipped model in int8 on OpenVINO."""
    return _measure(Variant(precision="int8"), small)


def at_224_int8(small: bool) -> Measured:
    """The whole photo at 224 pixels, in int8 on OpenVINO."""
    return _measure(Variant(at_224=True, precision="int8"), small)


def memory(small: bool) -> Measured:
    """Resident memory over 2,000 photos: at 224 pixels, for that is quick."""
    variant = Variant(at_224=True)
    run = scan(photo_sets(4 if small else 200, PHOTOS_EACH), model_for(variant), variant)
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
    # At 448 pixels half as many photos take twice as long.
    sets, some = (4, 4) if small else (120, 40) if variant.at_224 else (60, 20)
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
    ours = scan(photos, model, variant)
    between()
    theirs_with_ours = _ray(ray, variant, model, paths, "ours")
    between()
    # Ray as documented runs Keras whatever ours computes with: once is enough.
    once = variant.engine == "float32"
    theirs = _ray(ray, variant, model, paths if small else paths[: len(paths) // 2], "documented") if once else None
    return _measured(variant, naive, floors, ours, theirs, theirs_with_ours)


def _measured(
    variant: Variant,
    naive: Sequence[float],
    floors: Sequence[dict[str, float]],
    ours: Run,
    theirs: Run | None,
    given: Run,
) -> Measured:
    floor = [found["rate"] for found in floors]
    ratios = {
        "pipeline_vs_naive": spread([ours.second_half / rate for rate in naive]),
        **({"pipeline_vs_ray": spread([ours.second_half / theirs.second_half])} if theirs else {}),
        **({"pipeline_vs_ray_whole_run": spread([ours.rate / theirs.rate])} if theirs else {}),
        "pipeline_vs_ray_with_ours": spread([ours.rate / given.rate]),
        "pipeline_vs_floor": spread([ours.second_half / rate for rate in floor]),
    }
    rows: list[list[object]] = [
        [f"`walkaround scan`, {ours.photos:,} photos", ours.rate, ours.second_half],
        [f"naive loop, {_ROUNDS} times between the others", None, spread(naive)],
        *([[f"Ray Data as documented, {theirs.photos:,} photos", theirs.rate, theirs.second_half]] if theirs else []),
        [f"Ray Data given our decode and engine, {given.photos:,} photos", given.rate, given.second_half],
        ["floor: 1 / (decode + model)", None, spread(floor)],
    ]
    model_name = "a model at 224 pixels" if variant.at_224 else "the shipped model"
    decode, model = (1000 * statistics.median(found[name] for found in floors) for name in ("decode", "model"))
    growth = ours.memory[-1] / ours.memory[1] - 1
    return Measured(
        ratios={name + variant.suffix: found for name, found in ratios.items()},
        tables=[
            Table(["photos/s", "whole run with start-up", "second half"], rows, f"{model_name}, {variant.engine}"),
            _memory_table(ours),
        ],
        notes=[
            f"The floor is of {decode:.1f} ms to decode (two threads on two photos at once, divided by two; views, "
            f"quality, perceptual hash) and {model:.1f} ms for the model (as many pixels a batch as 32 views of 224; "
            "all cores), taken between the runs. From the second quarter to the last, resident memory changed by "
            f"{100 * growth:+.0f} %. Ray's stages run far ahead of one another: its second half profits from what was "
            "decoded in the first, so that its whole run says more."
        ],
        figures={"decode_s": decode / 1000, "model_s": model / 1000, "photos_per_second": ours.second_half},
    )


def _memory_table(run: Run) -> Table:
    return Table(
        ["resident MB, all processes", *(f"quarter {number}" for number in range(1, 5))],
        [["highest while the photos were done", *(round(value) for value in run.memory)]],
    )


def model_for(variant: Variant) -> Path:
    """The shipped model, or its weights in a network for 224 pixels (for measuring only), with int8 where asked for."""
    model = _at_224() if variant.at_224 else SHIPPED_MODEL
    return make_int8(model) if variant.precision == "int8" else model


def _at_224() -> Path:
    folder = BUILD / "model-at-224"
    shutil.rmtree(folder, ignore_errors=True)
    shipped = open_artefact(SHIPPED_MODEL)
    network = build_network(BASE_SIZE)
    network.set_weights(load_network(shipped).get_weights())
    card = shipped.card.model_copy(update={"input": InputSpec(size=BASE_SIZE), "pooling": Pooling()})
    described = Description(**card.model_dump(include=set(Description.model_fields)))
    return save_artefact(network, described, folder).folder


def scan(photos: Path, model: Path, variant: Variant, command: Sequence[str] = ()) -> Run:
    """`walkaround scan` into a database of its own; `command` is put before it, as a profiler's."""
    out = BUILD / "scan"
    shutil.rmtree(out, ignore_errors=True)
    environment = os.environ | {"WALKAROUND_PRECISION": variant.precision, "WALKAROUND_RUNTIME": variant.runtime}
    arguments = ["scan", str(photos), "--out", str(out), "--model", str(model), "--no-html", "--json"]
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, sys.executable, "-m", "workers.cli", *arguments],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with ProcessWatch(process.pid) as watch:
        code = process.wait()
    seconds = time.perf_counter() - start
    if code:
        raise RuntimeError(f"`walkaround scan` ended with {code}; {out / 'worker.log'} may say why")
    times = _done_at(out / "walkaround.sqlite")
    return Run(len(times), seconds, second_half_rate(times), watch.quarters(times), watch.cpu_seconds(PROCESSES))


def _done_at(database: Path) -> list[float]:
    """When each photo's prediction was written, in seconds since 1970."""
    with sqlite3.connect(database) as connection:
        found = connection.execute("SELECT created_at FROM prediction").fetchall()
        (verdicts,) = connection.execute("SELECT count(*) FROM verdict").fetchone()
    if not verdicts:
        raise RuntimeError("the scan wrote no verdict")
    return [datetime.fromisoformat(text).timestamp() for (text,) in found]


def _peer(variant: Variant, model: Path, paths: Sequence[Path], name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.pipeline_peers", name, str(model)]
    return _answer([*command, variant.precision, variant.runtime], paths)


def _ray(python: Path, variant: Variant, model: Path, paths: Sequence[Path], name: str) -> Run:
    command = [str(python), "-m", "tests.benchmarks.ray_pipeline", name, str(model)]
    start = time.perf_counter()
    times = _answer([*command, variant.precision, variant.runtime], paths)["times"]
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
