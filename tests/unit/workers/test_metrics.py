"""The backlog as Prometheus sees it."""

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest

from core.errors import DatabaseUnavailable
from core.model.device import ComputeDevice
from db.queries import Backlog
from workers.metrics import BacklogCollector, show_device


def test_the_backlog_is_asked_at_each_scrape() -> None:
    backlogs = [Backlog(3, 2, 1, datetime.now(UTC) - timedelta(hours=1), shadow=7), Backlog(0, 0, 0, None)]
    registry = CollectorRegistry()
    registry.register(BacklogCollector(lambda: backlogs.pop(0)))

    text = generate_latest(registry).decode()
    assert 'walkaround_backlog_sets{state="pending"} 3.0' in text
    assert 'walkaround_backlog_sets{state="dead"} 1.0' in text
    assert "walkaround_backlog_oldest_seconds 36" in text
    assert "walkaround_shadow_sets 7.0" in text
    assert "walkaround_backlog_oldest_seconds 0.0" in generate_latest(registry).decode()


def test_no_old_backlog_is_told_while_the_database_is_away() -> None:
    def away() -> Backlog:
        raise DatabaseUnavailable("no answer")

    registry = CollectorRegistry()
    registry.register(BacklogCollector(away))
    assert generate_latest(registry) == b""


def test_the_device_is_named_in_the_metrics() -> None:
    show_device(ComputeDevice("gpu", "NVIDIA H100", "float32", "tensorflow", 16))
    show_device(ComputeDevice("cpu", "AMD EPYC", "int8", "openvino", 4))
    lines = [line for line in generate_latest().decode().splitlines() if line.startswith("walkaround_device_info")]
    assert lines == [
        'walkaround_device_info{kind="cpu",name="AMD EPYC",precision="int8",runtime="openvino",threads="4"} 1.0'
    ]
