"""Prometheus metrics: what a process counts, and the backlog as the database has it at each scrape."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from core.domain import PhotoStatus
from core.errors import WalkaroundError
from db.models import Queue
from db.transactions import Finish

if TYPE_CHECKING:
    from core.model.device import ComputeDevice
    from db.queries import BacklogFigures

# Names are in the base unit and in the plural of what is counted, as Prometheus asks.


def _counter(name: str, meaning: str, **labels: Iterable[str]) -> Counter:
    """A counter with all its labels' values at 0 from the start: a series that is born at 1 shows no increase."""
    counter = Counter(name, meaning, list(labels))
    for values in product(*labels.values()):
        counter.labels(*values)
    return counter


def _histogram(name: str, meaning: str, buckets: Sequence[float]) -> Histogram:
    histogram = Histogram(name, meaning, ["queue"], buckets=buckets)
    for queue in Queue:
        histogram.labels(queue=queue.value)
    return histogram


EVENT_MESSAGES = _counter(
    "walkaround_event_messages",
    "Messages with S3 events, by where from and what became of them.",
    source=("sqs", "webhook"),
    outcome=("ignored", "rejected", "ingested", "postponed", "failed"),
)
SETS_FINISHED = _counter("walkaround_sets_finished", "Sets scored, by what became of the result.", outcome=Finish)
FAILURES = _counter(
    "walkaround_failures",
    "Steps that failed, by cause: `outage` passes, `operator` waits for one to mend it, `refused` and `bug` stay.",
    cause=("outage", "operator", "refused", "bug"),
)
PHOTOS_SCORED = _counter("walkaround_photos_scored", "Photos of scored sets, by their status.", status=PhotoStatus)
PUBLISH_FAILURES = Counter("walkaround_publish_failures", "Times that the broker was found away, full or read-only.")
RETURN_SECONDS = _histogram(
    "walkaround_return_seconds",
    "From the upload of a return's newest photo to its verdict, by queue.",
    buckets=(10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400),
)
VERDICT_SECONDS = _histogram(
    "walkaround_verdict_seconds",
    "From claiming a set to its verdict, by queue.",
    buckets=(0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800),
)

DEVICE_INFO = Gauge(
    "walkaround_device_info",
    "1, with labels that name the device that computes scores in this process and how it computes.",
    ["kind", "name", "precision", "runtime", "threads"],
)
DEVICE_FAILURES = Counter(
    "walkaround_device_failures", "Sets given back because the device failed; after three batches the worker ends."
)


def show_device(device: "ComputeDevice") -> None:
    """Name the device of this process in its metrics."""
    DEVICE_INFO.clear()
    DEVICE_INFO.labels(**{name: str(value) for name, value in asdict(device).items()}).set(1)


class BacklogCollector(Collector):
    """What waits, asked of the database at each scrape: every worker tells the same."""

    def __init__(self, read: Callable[[], "BacklogFigures"]) -> None:
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """While the database is away, that alone: an old number would look like a new one."""
        up = GaugeMetricFamily("walkaround_database_up", "1 while the database answers, else 0.")
        try:
            figures = self._read()
        except WalkaroundError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        sets = GaugeMetricFamily(
            "walkaround_backlog_sets",
            "Sets that wait for a verdict by the active model, by queue and state of their work.",
            labels=["queue", "state"],
        )
        for labels, count in figures.sets.items():
            sets.add_metric(labels, count)
        yield sets
        now = datetime.now(UTC)
        oldest = GaugeMetricFamily(
            "walkaround_backlog_oldest_seconds", "Age of the oldest set that waits, by queue.", labels=["queue"]
        )
        for queue, since in figures.oldest.items():
            oldest.add_metric([queue], (now - since).total_seconds() if since else 0.0)
        yield oldest
        yield GaugeMetricFamily(
            "walkaround_shadow_sets",
            "Sets that a candidate has still to score beside the active model.",
            value=figures.shadow,
        )
        yield GaugeMetricFamily(
            "walkaround_open_overdue_sets",
            "Sets still open whose quiet period or deadline has come.",
            value=figures.overdue,
        )

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Registering must not ask the database."""
        return iter(())
