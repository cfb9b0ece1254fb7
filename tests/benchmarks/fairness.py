"""How long fresh returns wait while everything is scored again: real workers, PostgreSQL, Valkey, the shipped model.

A return of ten photos of 12 megapixels arrives every few seconds; its latency is from its intake to its verdict, by the
database's rows. First the system is idle but for them; then every set of a backlog is due on the `rescore` queue, which
is served by a worker of its own, by one at the lowest priority, or by the worker that serves the fresh ones too.
"""

import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from PIL import Image
from sqlalchemy import text

from tests.benchmarks.deployed import PHOTOS, Deployed, deployed, durable_postgresql
from tests.benchmarks.measured import Measured, Table, spread
from tests.benchmarks.photographs import photographs
from tests.databases import PostgreSQLServer
from tests.integration.deployment import WALKAROUND
from tests.photo_sets import SentMessages
from workers import pipeline
from workers.backlog import publish_due
from workers.bootstrap import activate_configured_model

AT_LOWEST_PRIORITY = ("nice", "-n", "19", *WALKAROUND)
# Workers by name: the queues they serve, and how they are started.
WAYS: dict[str, dict[str, tuple[str, Sequence[str]]]] = {
    "idle": {"fresh": ("classify", WALKAROUND)},
    "low_priority_worker": {"fresh": ("classify", WALKAROUND), "again": ("rescore", AT_LOWEST_PRIORITY)},
    "own_worker": {"fresh": ("classify", WALKAROUND), "again": ("rescore", WALKAROUND)},
    "shared_worker": {"both": ("classify,rescore", WALKAROUND)},
}
WORDS = {
    "idle": "nothing else to do",
    "low_priority_worker": "everything scored again, by a worker of its own under `nice -n 19`",
    "own_worker": "everything scored again, by a worker of its own at the same priority",
    "shared_worker": "everything scored again, by the worker that serves both queues",
}
_PATIENCE_S = 120.0
_LATENCIES = """
SELECT EXTRACT(EPOCH FROM v.created_at - s.first_seen_at) FROM verdict v JOIN photo_set s ON s.id = v.set_id
WHERE s.set_key LIKE 'returns/fresh/%'
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How many fresh sets arrive, how often, and how many wait to be scored again: more than can be while they do."""

    arrivals: int
    every_s: float
    backlog: int


def measure(small: bool) -> Measured:
    """See `tests.benchmarks`."""
    size = Size(4, 3.0, 60) if small else Size(20, 8.0, 150)
    photos = list(photographs(2))
    with durable_postgresql() as server:
        found = {name: list(_latencies(server, name, size, photos)) for name in WAYS}
    return _measured(found, size)


def _latencies(server: PostgreSQLServer, name: str, size: Size, photos: list[bytes]) -> Iterator[float]:
    """Seconds from intake to verdict of each fresh set."""
    with deployed(server, name) as site:
        activate_configured_model(site.context.settings, site.context.sessions)
        for worker, (queues, program) in WAYS[name].items():
            site.system.start(worker, "worker", "--queues", queues, program=program)
        site.wait_for_workers()
        _ingest(site, site.upload("first", 0, photos))
        site.wait_for_verdicts("first", 1, _PATIENCE_S)
        if name != "idle":
            _open_backlog(site, size.backlog, [_reduced(data) for data in photos])
        _arrive(site, size, photos)
        if name != "idle" and site.verdicts("again") >= size.backlog:
            raise RuntimeError("the backlog ended before the fresh sets did: nothing was measured beside it")
        yield from (float(seconds) for (seconds,) in site.ask(_LATENCIES))
        for worker in WAYS[name]:
            site.system.kill(worker)  # its backlog need not be finished


def _arrive(site: Deployed, size: Size, photos: list[bytes]) -> None:
    for number in range(size.arrivals):
        started = time.monotonic()
        _ingest(site, site.upload("fresh", number, photos))
        time.sleep(max(0.0, size.every_s - (time.monotonic() - started)))
    site.wait_for_verdicts("fresh", size.arrivals, _PATIENCE_S)


def _ingest(site: Deployed, key: str) -> None:
    pipeline.ingest(site.context, pipeline.set_of(site.context, key))


def _open_backlog(site: Deployed, sets: int, photos: list[bytes]) -> None:
    """Sets that wait on the queue for what is scored again, published; returns when the first has been."""
    for number in range(sets):
        site.upload("again", number, photos)
    pipeline.scan(replace(site.context, publish=SentMessages()))
    with site.context.sessions.begin() as session:
        session.execute(text("UPDATE work SET queue = 'rescore', last_published = NULL WHERE state = 'pending'"))
    publish_due(site.context)
    site.wait_for_verdicts("again", 1, _PATIENCE_S)


def _reduced(photo: bytes) -> bytes:
    """A quarter of the pixels: the backlog must fit on a disk."""
    target = io.BytesIO()
    with Image.open(io.BytesIO(photo)) as image:
        image.resize((image.width // 2, image.height // 2)).save(target, "JPEG", quality=90)
    return target.getvalue()


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _measured(found: dict[str, list[float]], size: Size) -> Measured:
    halves = {name: _percentile(values, 0.5) for name, values in found.items()}
    most = {name: _percentile(values, 0.95) for name, values in found.items()}
    beside_idle = {name: value / most["idle"] for name, value in most.items()}
    rows = [(WORDS[name], len(found[name]), halves[name], most[name], beside_idle[name]) for name in found]
    kept = [WORDS[name] for name, value in beside_idle.items() if name != "idle" and value <= 1.5]
    return Measured(
        ratios={f"fairness_p95_{name}": spread([beside_idle[name]]) for name in found if name != "idle"},
        tables=[Table(("a fresh return while", "returns", "p50, s", "p95, s", "p95 beside idle"), rows)],
        notes=[
            f"Returns of {PHOTOS} photos of 12 megapixels, one every {size.every_s:.0f} s, from intake to verdict; the "
            "shipped model, all processes on the same cores. In these ratios less is better. Within 1.5 of an idle "
            f"system's: {'; '.join(kept) or 'none'}."
        ],
        figures={"seconds": found},
    )
