"""The backlog as Prometheus sees it."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import product

from prometheus_client import CollectorRegistry, generate_latest

from core.errors import DatabaseUnavailable
from core.model.device import ComputeDevice
from db.queries import BacklogFigures
from workers.metrics import BacklogCollector, show_device


def figures(pending: int = 0, oldest: datetime | None = None) -> BacklogFigures:
    queues, states = ("classify", "rescore"), ("pending", "leased", "dead")
    sets = dict.fromkeys(product(queues, states), 0) | {("classify", "pending"): pending}
    return BacklogFigures(sets, {"classify": oldest, "rescore": None}, shadow=7, overdue=4)


def test_the_backlog_is_asked_at_each_scrape_queue_by_queue() -> None:
    found = [figures(3, datetime.now(UTC) - timedelta(hours=1)), figures()]
    registry = CollectorRegistry()
    registry.register(BacklogCollector(lambda: found.pop(0)))

    text = generate_latest(registry).decode()
    assert 'walkaround_backlog_sets{queue="classify",state="pending"} 3.0' in text
    assert 'walkaround_backlog_sets{queue="rescore",state="dead"} 0.0' in text
    assert 'walkaround_backlog_oldest_seconds{queue="classify"} 36' in text
    assert 'walkaround_backlog_oldest_seconds{queue="rescore"} 0.0' in text
    assert "walkaround_shadow_sets 7.0" in text
    assert "walkaround_open_overdue_sets 4.0" in text
    assert "walkaround_database_up 1.0" in text
    assert 'walkaround_backlog_oldest_seconds{queue="classify"} 0.0' in generate_latest(registry).decode()


def test_while_the_database_is_away_that_is_all_there_is_to_tell() -> None:
    def away() -> BacklogFigures:
        raise DatabaseUnavailable("no answer")

    registry = CollectorRegistry()
    registry.register(BacklogCollector(away))
    samples = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    assert samples == ["walkaround_database_up 0.0"]


COUNTERS = """
from prometheus_client import generate_latest
from workers import metrics
print(generate_latest().decode())
"""


def test_every_series_is_at_zero_from_the_start() -> None:
    """In a process that has counted nothing: what is born at 1 never shows as an increase."""
    told = subprocess.run([sys.executable, "-c", COUNTERS], capture_output=True, text=True, check=True).stdout
    for series in (
        'walkaround_event_messages_total{outcome="failed",source="sqs"}',
        'walkaround_event_messages_total{outcome="rejected",source="webhook"}',
        'walkaround_sets_finished_total{outcome="fenced"}',
        'walkaround_failures_total{cause="operator"}',
        'walkaround_failures_total{cause="bug"}',
        'walkaround_photos_scored_total{status="quarantined"}',
        'walkaround_return_seconds_count{queue="classify"}',
        'walkaround_return_seconds_count{queue="rescore"}',
        'walkaround_verdict_seconds_count{queue="rescore"}',
        "walkaround_publish_failures_total",
        "walkaround_device_failures_total",
    ):
        assert f"{series} 0.0" in told, series


def test_the_device_is_named_in_the_metrics() -> None:
    show_device(ComputeDevice("gpu", "NVIDIA H100", "float32", "tensorflow", 16))
    show_device(ComputeDevice("cpu", "AMD EPYC", "int8", "openvino", 4))
    lines = [line for line in generate_latest().decode().splitlines() if line.startswith("walkaround_device_info")]
    assert lines == [
        'walkaround_device_info{kind="cpu",name="AMD EPYC",precision="int8",runtime="openvino",threads="4"} 1.0'
    ]
