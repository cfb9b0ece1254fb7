"""Whatever can be wrong with a database ends in one clear sentence, and nothing is half-written."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.errors import DatabaseUnavailable, DatabaseUnusable
from db import queries
from db.session import Sessions, check_version, make_engine, make_sessions, transaction, upgrade
from tests.databases import PostgreSQLServer
from tests.photo_sets import BUCKET, arrive, register, set_ref, stored

MakeEngine = Callable[..., Engine]


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/name", "sqlite+aiosqlite:///x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="sqlite:///"):
        make_engine(url)


def test_a_folder_that_is_not_there(tmp_path: Path, make_test_engine: MakeEngine) -> None:
    with pytest.raises(DatabaseUnusable, match=r"absent/x.sqlite: it cannot be opened; check that its folder exists"):
        upgrade(make_test_engine(f"sqlite:///{tmp_path}/absent/x.sqlite"))


def test_a_file_that_is_no_database(tmp_path: Path, make_test_engine: MakeEngine) -> None:
    (tmp_path / "photo.sqlite").write_bytes(b"\xff\xd8\xff" * 1000)
    with pytest.raises(DatabaseUnusable, match="it is not an SQLite database"):
        check_version(make_test_engine(f"sqlite:///{tmp_path}/photo.sqlite"))


def test_a_database_that_was_never_upgraded(tmp_path: Path, make_test_engine: MakeEngine) -> None:
    sessions = make_sessions(make_test_engine(f"sqlite:///{tmp_path}/new.sqlite"))
    with pytest.raises(DatabaseUnusable, match="run `walkaround db upgrade`"):
        queries.backlog(sessions)


def test_a_read_only_file(sqlite_url: str, make_test_engine: MakeEngine) -> None:
    file = sqlite_url.removeprefix("sqlite:///")
    sessions = make_sessions(make_test_engine(f"sqlite:///file:{file}?mode=ro&uri=true"))
    with pytest.raises(DatabaseUnusable, match="it is read-only; give this user write permission"):
        arrive(sessions, set_ref(), stored(set_ref(), "a"))
    assert queries.backlog(sessions).pending == 0, "reading goes on"


def test_a_full_disk_leaves_nothing_half_written(sqlite_url: str, make_test_engine: MakeEngine) -> None:
    engine = make_test_engine(sqlite_url)
    sessions = make_sessions(engine)
    register(sessions)
    engine.dispose()

    @event.listens_for(engine, "connect")
    def _fill(connection: sqlite3.Connection, _: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    many = stored(set_ref(), *(f"photo-{number}" for number in range(500)))
    with pytest.raises(DatabaseUnusable, match="the disk is full; free some space"):
        arrive(sessions, set_ref(), many)
    assert list(queries.set_rows(sessions, BUCKET, "")) == []


def test_a_locked_file_can_be_tried_again(sqlite_url: str, make_test_engine: MakeEngine) -> None:
    engine = make_test_engine(sqlite_url)

    @event.listens_for(engine, "connect")
    def _impatient(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA busy_timeout = 1")

    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    sessions = make_sessions(engine)
    with pytest.raises(DatabaseUnavailable, match="kept it locked for too long; try again"):
        arrive(sessions, set_ref(), stored(set_ref(), "a"))
    assert queries.backlog(sessions).pending == 0, "readers do not wait for a writer"
    holder.execute("ROLLBACK")
    holder.close()
    assert arrive(sessions, set_ref(), stored(set_ref(), "a")).generation == 1


def test_a_server_that_is_not_there(tmp_path: Path, make_test_engine: MakeEngine) -> None:
    engine = make_test_engine(f"postgresql://worker:s3cret@/walkaround?host={tmp_path}")
    with pytest.raises(DatabaseUnavailable, match="it does not answer; check that the server runs") as caught:
        check_version(engine)
    assert "s3cret" not in str(caught.value)


def test_a_database_that_is_not_there(postgresql_server: PostgreSQLServer, make_test_engine: MakeEngine) -> None:
    with pytest.raises(DatabaseUnusable, match="there is no database of this name"):
        check_version(make_test_engine(postgresql_server.url("absent")))


def test_a_user_who_is_not_there(postgresql_server: PostgreSQLServer, make_test_engine: MakeEngine) -> None:
    with pytest.raises(DatabaseUnusable, match="it refused this user or password"):
        check_version(make_test_engine(postgresql_server.url("postgres", user="nobody_known")))


def test_a_connection_cut_in_mid_transaction_is_no_harm(postgresql_url: str, make_test_engine: MakeEngine) -> None:
    sessions = make_sessions(make_test_engine(postgresql_url))
    cut = text("SELECT pg_terminate_backend(pg_backend_pid())")

    @transaction
    def begin_and_be_cut(session: Session) -> None:
        session.execute(text("INSERT INTO vehicle (fleet, vehicle_ref) VALUES ('f', 'v')"))
        session.execute(cut)

    with pytest.raises(DatabaseUnavailable, match="try again"):
        begin_and_be_cut(sessions)
    with sessions() as session:
        assert session.execute(text("SELECT 1 FROM vehicle")).all() == []


def test_both_databases_check_their_references(sessions: Sessions) -> None:
    stray = text(
        "INSERT INTO verdict (set_id, generation, model_id, label, closed_by, reasons, input_sha256, sampled, "
        "device_seconds, created_at) VALUES (9, 1, 9, 'clear', 'marker', '{}', '', FALSE, 0, '2026-11-23T00:00:00Z')"
    )
    with sessions() as session, pytest.raises(IntegrityError, match="(?i)foreign key"):
        session.execute(stray)


def test_importing_the_writes_does_not_import_alembic() -> None:
    program = "import sys, db.transactions, db.queries; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
