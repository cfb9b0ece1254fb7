"""A deployment under measurement: PostgreSQL, Valkey, photos in a folder, and what a process of ours has in hand."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery import Celery
from kombu import pools
from sqlalchemy import Connection, text

from core.settings import PREFIX, load_settings
from db.session import engine_of
from tests.databases import PostgreSQLServer, new_database, running_postgresql
from tests.integration.deployment import Deployment, deployment, wait_until
from workers.app import make_app, resources
from workers.context import Context

PHOTOS = 10  # in a set
_POSTGRESQL = "-h '' -c max_connections=120 -c shared_buffers=256MB"  # what makes it durable stays as it comes
_START_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Deployed:
    """The processes by name, this process's application and connection beside theirs, and the folder of photos."""

    system: Deployment
    app: Celery
    connection: Connection
    photos: Path

    @property
    def context(self) -> Context:
        """What a process of ours holds."""
        return resources(self.app).context

    def upload(self, fleet: str, number: int, photos: Sequence[bytes] = (b"",)) -> str:
        """A return of ten photos, each a content of its own: bytes behind a JPEG's end say nothing to a decoder."""
        key = f"returns/{fleet}/V{number:05d}/2026-11-20-0900/"
        folder = self.photos / key
        folder.mkdir(parents=True)
        for index in range(PHOTOS):
            data = photos[(number * PHOTOS + index) % len(photos)] + f"{fleet} {number} {index}".encode()
            (folder / f"{index:02d}.jpg").write_bytes(data)
        return key

    def wait_for_workers(self) -> None:
        """Until every process has loaded its model and takes work."""
        processes = len(self.system.processes)
        wait_until(lambda: len(self.app.control.ping(timeout=2.0) or []) == processes, _START_SECONDS, self._last_words)

    def wait_for_verdicts(self, fleet: str, sets: int, seconds: float) -> None:
        """Until so many of the fleet's sets have one."""
        wait_until(lambda: self.verdicts(fleet) >= sets, seconds, self._last_words)

    def verdicts(self, fleet: str) -> int:
        """How many of the fleet's sets have one."""
        query = "SELECT count(*) FROM verdict v JOIN photo_set s ON s.id = v.set_id WHERE s.set_key LIKE :under"
        [(count,)] = self.ask(query, under=f"returns/{fleet}/%")
        return int(count)

    def ask(self, query: str, **values: object) -> list[Any]:
        """Rows. The server counts no transaction for it: one connection, which no pool tries first, and a rollback."""
        rows = list(self.connection.execute(text(query), values))
        self.connection.rollback()
        return rows

    def _last_words(self) -> str:
        return "; ".join(f"{name}: {self.system.log(name)[-300:]}" for name in self.system.processes)


@contextmanager
def durable_postgresql() -> Iterator[PostgreSQLServer]:
    """A server on the disk, as safe as in production."""
    with running_postgresql(_POSTGRESQL, within=tempfile.gettempdir()) as server:
        yield server


@contextmanager
def deployed(server: PostgreSQLServer, database: str, **settings: object) -> Iterator[Deployed]:
    """A new database of this name, a broker and a store of their own; all of it is gone after the block."""
    with (
        tempfile.TemporaryDirectory(prefix="wbench-") as folder,
        contextmanager(new_database)(server, database) as url,
    ):
        photos = Path(folder) / "photos"
        photos.mkdir()
        with deployment(Path(folder) / "system", url, store=photos, quiet_period=0, **settings) as system:
            given = {
                name.removeprefix(PREFIX).lower(): value
                for name, value in system.environment.items()
                if name.startswith(PREFIX)
            }
            app = make_app(load_settings(**given))
            with engine_of(resources(app).context.sessions).connect() as connection:
                yield Deployed(system, app, connection, photos)
            # The next broker may have this one's port and be reached through dead connections: a message that is
            # lost is not repeated here, for no beat is running.
            pools.reset()


def cpu_seconds(process: int) -> float:
    """CPU of a process and its descendants so far, of those it has buried too."""
    place = Path(f"/proc/{process}")
    try:
        after_name = (place / "stat").read_text().rpartition(")")[2].split()
        children = [child for task in place.glob("task/*/children") for child in task.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # ended since it was listed
        return 0.0
    ticks = sum(int(field) for field in after_name[11:15])  # user and system, its own and of children that ended
    return ticks / os.sysconf("SC_CLK_TCK") + sum(cpu_seconds(int(child)) for child in children)
