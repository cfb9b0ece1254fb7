"""Metrics and health over real HTTP."""

import urllib.error
import urllib.request
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry, Counter

from core.errors import SettingsInvalid
from workers.health import Health, Progress
from workers.telemetry import serve_telemetry


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


LIMIT = timedelta(minutes=10)


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_and_health_over_http(clock: Clock) -> None:
    registry = CollectorRegistry()
    Counter("walkaround_something", "A counter.", registry=registry).inc(3)
    starting = Health(False, "it is starting")
    server = serve_telemetry(0, Progress(LIMIT, clock=clock), lambda: starting, host="127.0.0.1", registry=registry)
    try:
        port = server.server_port
        assert "walkaround_something_total 3.0" in get(port, "/metrics")[1]
        assert get(port, "/healthz") == (200, "work is being done\n")
        clock.now = 601
        assert get(port, "/healthz") == (503, "work is due, and nothing was done for 601 s\n")
        assert get(port, "/readyz") == (503, "it is starting\n")
        assert get(port, "/")[0] == 404
        with pytest.raises(SettingsInvalid, match="WALKAROUND_METRICS_PORT"):
            serve_telemetry(port, Progress(), host="127.0.0.1", registry=registry)
    finally:
        server.shutdown()
        server.server_close()
