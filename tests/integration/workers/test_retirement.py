"""A worker whose model nobody asks for any more ends by itself, but not before a roll-back could be made."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from core.errors import ModelUnusable
from db import queries
from db.session import Sessions
from db.transactions import activate_model
from tests.integration.deployment import deployment, wait_until
from tests.photo_sets import register
from workers.retirement import GRACE_S, RetirementWatch


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_retired_models_worker_ends_after_a_while(sessions: Sessions) -> None:
    first = register(sessions)
    active = queries.active_model(sessions)
    assert active is not None
    ended, clock = [], Clock()
    retirement = RetirementWatch(sessions, active.identity, lambda: ended.append(clock.now), clock)
    retirement.look()
    retirement.check()
    activate_model(sessions, register(sessions, "second"))
    with structlog.testing.capture_logs() as logs:
        retirement.look()
        clock.now += GRACE_S - 1
        retirement.look()
    assert [entry["event"] for entry in logs] == ["model_retired"]
    activate_model(sessions, first)  # rolled back in time
    retirement.look()
    activate_model(sessions, register(sessions, "second"))
    clock.now += 2
    retirement.look()
    assert ended == []
    clock.now += GRACE_S
    retirement.look()
    retirement.look()
    assert ended == [clock.now]
    with pytest.raises(ModelUnusable, match="first was retired"):
        retirement.check()


_WORKER = """
import sys
from tests.benchmarks.free_worker import free_scoring
from cli import main
from workers import bootstrap, retirement
retirement.LOOK_EVERY_S, retirement.GRACE_S, bootstrap.make_scoring = 0.1, 0.0, free_scoring
sys.argv[1:] = ["worker", "--queues", "classify"]
main.main()
"""


def test_a_real_worker_says_why_it_ends(tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "photos").mkdir()
    with deployment(tmp_path, sqlite_url, store=tmp_path / "photos") as system:
        worker = subprocess.Popen([sys.executable, "-c", _WORKER], env=system.environment, stderr=subprocess.PIPE)
        system.processes["worker"] = worker
        wait_until(lambda: queries.active_model(system.sessions) is not None, 60, lambda: "no model is active")
        activate_model(system.sessions, register(system.sessions, "second"))
        told = worker.communicate(timeout=150)[1].decode()
    assert worker.returncode == 1
    assert "model_retired" in told
    assert "was retired, and this worker ended; start it again with WALKAROUND_MODEL" in told
