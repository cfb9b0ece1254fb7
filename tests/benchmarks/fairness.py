"""How long fresh returns wait while everything is scored again: real workers, PostgreSQL, Valkey, the shipped model.

A return of ten photos of 12 megapixels arrives every few seconds; its latency is from its intake to its verdict, by the
database's rows. First the system is idle but for them; then every set of a backlog is due on the `rescore` queue, which
a worker of its own serves at the lowest priority; then one worker serves both queues, as it would without that worker.
"""

import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path

from PIL import Image
from sqlalchemy import text

from core.model.artefact import open_artefact
from core.settings import SHIPPED_MODEL, Settings, load_settings
from db import repositories
from tests.benchmarks.measured import BUILD, Measured, Table, spread
from tests.benchmarks.photographs import photographs
from tests.databases import new_database, running_postgresql
from tests.integration.deployment import Deployment, deployment, wait_until
from workers import pipeline
from workers.app import held, make_app
from workers.context import Context

RESULT = BUILD / "fairness.json"
PHOTOS = 10
LOWEST_PRIORITY = 19
_OPTIONS = "-h '' -c fsync=off -c shared_buffers=128MB"
_LATENCIES = """
SELECT EXTRACT(EPOCH FROM v.created_at - s.first_seen_at) FROM verdict v JOIN photo_set s ON s.id = v.set_id
WHERE s.set_key LIKE :under
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How many fresh sets arrive, how often, and how many wait to be scored again."""

    arrivals: int
    every_s: float
    backlog: int


def measure(small: bool) -> Measured:
    """See `tests.benchmarks`."""
    size = Size(4, 3.0, 12) if small else Size(25, 6.0, 200)
    photos = list(photographs(2))
    reduced = [_reduced(data) for data in photos]
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, running_postgresql(_OPTIONS) as server:
        for name, run in {"idle": _idle, "own worker": _own_worker, "shared worker": _shared_worker}.items():
            database = new_database(server, name.replace(" ", "_"))
            place = Path(folder) / name.replace(" ", "-")
            with _system(place, next(database)) as (system, context):
                if name != "idle":
                    _open_backlog(context, place, size.backlog, reduced)
                run(system)
                found[name] = _arrivals(context, place, size, photos, busy=name != "idle")
    return _measured(found, size)


def _reduced(photo: bytes) -> bytes:
    """A quarter of the pixels: the backlog must fit on a disk."""
    target = io.BytesIO()
    with Image.open(io.BytesIO(photo)) as image:
        image.resize((image.width // 2, image.height // 2)).save(target, "JPEG", quality=90)
    return target.getvalue()


def _idle(system: Deployment) -> None:
    _start(system, "fresh", "classify")


def _own_worker(system: Deployment) -> None:
    _start(system, "fresh", "classify")
    _start(system, "again", "rescore", LOWEST_PRIORITY)


def _shared_worker(system: Deployment) -> None:
    _start(system, "both", "classify,rescore")


def _start(system: Deployment, name: str, queues: str, nice: int = 0) -> None:
    command = ["nice", "-n", str(nice), sys.executable, "-m", "workers.cli", "worker", "--queues", queues]
    with (system.folder / f"{name}.log").open("wb") as log:
        system.processes[name] = subprocess.Popen(
            command, env=system.environment, stdout=log, stderr=log, start_new_session=True
        )


@contextmanager
def _system(folder: Path, url: str) -> Iterator[tuple[Deployment, Context]]:
    """A broker, settings for a store of photos in a folder, the shipped model made active."""
    photos = folder / "photos"
    photos.mkdir(parents=True)
    with deployment(folder, url, store=photos, quiet_period=0) as system:
        values = {name.removeprefix("WALKAROUND_").lower(): value for name, value in system.environment.items()}
        settings = load_settings(**{name: value for name, value in values.items() if name in Settings.model_fields})
        context = held(make_app(settings)).context
        card = open_artefact(SHIPPED_MODEL).card
        model_id = repositories.register_model(context.sessions, card.identity, card.policy)
        repositories.activate_first_model(context.sessions, model_id)
        yield system, context


def _make_set(folder: Path, fleet: str, number: int, photos: list[bytes]) -> str:
    """A set of ten photos, each of a content of its own: bytes behind a JPEG's end say nothing to a decoder."""
    key = f"returns/{fleet}/V{number:05d}/2026-11-20-0900/"
    (folder / "photos" / key).mkdir(parents=True)
    for index in range(PHOTOS):
        data = photos[index % len(photos)] + f"{fleet} {number} {index}".encode()
        (folder / "photos" / key / f"{index:02d}.jpg").write_bytes(data)
    return key


def _open_backlog(context: Context, folder: Path, sets: int, photos: list[bytes]) -> None:
    """Sets that wait on the queue for what is scored again, rung for."""
    for number in range(sets):
        _make_set(folder, "again", number, photos)
    pipeline.scan(replace(context, ring=lambda *_: None))
    with context.sessions.begin() as session:
        session.execute(text("UPDATE work SET queue = 'rescore', last_published = NULL"))
    for work, queue in repositories.due_work(context.sessions, sets, timedelta(0)):
        context.ring(work, queue)


def _arrivals(context: Context, folder: Path, size: Size, photos: list[bytes], *, busy: bool) -> list[float]:
    """Seconds from intake to verdict of each fresh set, the first of which starts the workers and does not count."""
    for number in range(size.arrivals + 1):
        started = time.monotonic()
        key = _make_set(folder, "fresh" if number else "first", number, photos)
        pipeline.ingest(context, pipeline.set_of(context, key))
        if number == 0:
            wait_until(lambda: _verdicts(context, "first") == 1, 300, lambda: "no worker answers")
            if busy:
                wait_until(lambda: _verdicts(context, "again") > 0, 300, lambda: "nothing is scored again")
        else:
            time.sleep(max(0.0, size.every_s - (time.monotonic() - started)))
    wait_until(lambda: _verdicts(context, "fresh") == size.arrivals, 300, lambda: "fresh sets without a verdict")
    if busy and _verdicts(context, "again") >= size.backlog:
        raise RuntimeError("the backlog ended before the fresh sets did: nothing was measured beside it")
    with context.sessions() as session:
        return [float(seconds) for seconds in session.scalars(text(_LATENCIES), {"under": "returns/fresh/%"})]


def _verdicts(context: Context, fleet: str) -> int:
    query = text("SELECT count(*) FROM verdict v JOIN photo_set s ON s.id = v.set_id WHERE s.set_key LIKE :under")
    with context.sessions() as session:
        return session.scalar(query, {"under": f"returns/{fleet}/%"}) or 0


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _measured(found: dict[str, list[float]], size: Size) -> Measured:
    names = {
        "idle": "nothing else to do",
        "own worker": "everything scored again, by a worker of its own at the lowest priority",
        "shared worker": "everything scored again, by the worker that serves both queues",
    }
    shown = {name: (_percentile(found[name], 0.5), _percentile(found[name], 0.95)) for name in names}
    idle = shown["idle"][1]
    rows = [(words, len(found[name]), *shown[name], shown[name][1] / idle) for name, words in names.items()]
    return Measured(
        ratios={f"fairness_p95_{name.replace(' ', '_')}": spread([shown[name][1] / idle]) for name in list(names)[1:]},
        tables=[Table(("a fresh return while", "returns", "p50, s", "p95, s", "p95 beside idle"), rows)],
        notes=[
            f"Returns of {PHOTOS} photos of 12 megapixels, one every {size.every_s:.0f} s, from intake to verdict; the "
            "shipped model, all processes on the same cores."
        ],
        figures={"seconds": found},
    )


if __name__ == "__main__":
    result = measure("--small" in sys.argv)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(RESULT.read_text())
