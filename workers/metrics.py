"""Prometheus metrics: what a process counts, and the backlog as the database has it at each scrape."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from core.errors import WalkaroundError

if TYPE_CHECKING:
    from core.model.device import ComputeDevice
    from db.queries import Backlog

# Metrics. Names are in the base unit and in the plural of what is counted, as Prometheus asks.
EVENT_MESSAGES = Counter(
    "walkaround_event_messages",
    "Messages with S3 events, by where from and what became of them.",
    ["source", "outcome"],
)
SETS_FINISHED = Counter("walkaround_sets_finished", "Sets scored, by what became of the result.", ["outcome"])
FAILURES = Counter(
    "walkaround_failures",
    "Steps that failed, by cause: `outage` passes, `operator` waits for one to mend it, `refused` and `bug` stay.",
    ["cause"],
)
PHOTOS_SCORED = Counter("walkaround_photos_scored", "Photos of scored sets, by their status.", ["status"])
VERDICT_SECONDS = Histogram(
    "walkaround_verdict_seconds",
    "From claiming a set to its verdict.",
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
    """Sets that wait for a verdict, asked of the database at each scrape: every worker tells the same."""

    def __init__(self, read: Callable[[], "Backlog"]) -> None:
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Nothing while the database is away: an old number would look like a new one."""
        try:
            backlog = self._read()
        except WalkaroundError:
            return
        sets = GaugeMetricFamily(
            "walkaround_backlog_sets", "Sets that wait for a verdict, by the state of their work.", labels=["state"]
        )
        for state in ("pending", "leased", "dead"):
            sets.add_metric([state], getattr(backlog, state))
        age = (datetime.now(UTC) - backlog.oldest).total_seconds() if backlog.oldest else 0.0
        yield sets
        yield GaugeMetricFamily(
            "walkaround_backlog_oldest_seconds", "Age of the oldest set that waits for a verdict.", value=age
        )
        yield GaugeMetricFamily(
            "walkaround_shadow_sets",
            "Sets that a candidate has still to score beside the active model.",
            value=backlog.shadow,
        )

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Registering must not ask the database."""
        return iter(())
