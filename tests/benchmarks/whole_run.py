"""One whole run of `walkaround scan`, in a process and a database of its own, and the models it is run with."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from core.domain import BASE_SIZE
from core.model.artefact import load_network, open_artefact, save_artefact
from core.model.card import Description, InputSpec
from core.model.network import build_network
from core.model.pooling import Pooling
from core.model.precision import Precision
from core.settings import SHIPPED_MODEL
from tests.benchmarks.int8_model import make_int8
from tests.benchmarks.measured import BUILD, ROOT
from tests.benchmarks.memory import ProcessWatch

PROFILER = "py-spy itself"  # whose command line holds the others
# Of a scan, by a word of their command lines.
PROCESSES = {
    PROFILER: "py-spy record",
    "decoding": "core.photos.sandbox.child",
    "the worker: network, hashing, SQL": "cli.main worker",
    "intake, audit, verdicts printed": "cli.main scan",
    "the broker": "valkey-server",
}


@dataclass(frozen=True, slots=True)
class Variant:
    """What is run: the shipped model or one that looks at 224 pixels, and its arithmetic."""

    at_224: bool = False
    precision: Precision = "float32"

    @property
    def suffix(self) -> str:
        parts = ["at_224"] if self.at_224 else []
        parts += [self.precision] if self.precision != "float32" else []
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
    environment = os.environ | {"WALKAROUND_PRECISION": variant.precision}
    arguments = ["scan", str(photos), "--out", str(out), "--model", str(model), "--no-html", "--json"]
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, sys.executable, "-m", "cli.main", *arguments],
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


def second_half_rate(times: Sequence[float]) -> float:
    """Photos a second from the moment half of them were done; `times` are the seconds at which each was.

    Photos of one set are done at one moment; those of the moment that begins the half do not count.
    """
    ordered = sorted(times)
    start, end = ordered[(len(ordered) - 1) // 2], ordered[-1]
    if end == start:
        raise ValueError("all photos of the second half were done at one moment: too few to tell a rate")
    return sum(moment > start for moment in ordered) / (end - start)
