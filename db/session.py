"""Engines, sessions and transactions. No globals: a process makes its engine after it has started."""

import functools
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, Row, Select, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from core.addresses import check_database
from core.errors import DatabaseUnusable
from db.failures import explain_failure, is_conflict
from db.postgresql import postgresql_engine, require_utf8

if TYPE_CHECKING:
    from alembic.config import Config

Sessions = sessionmaker[Session]
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_log = logging.getLogger(__name__)

_ATTEMPTS = 6  # of a transaction that keeps meeting deadlocks
_FIRST_PAUSE_S = 0.02
_BUSY_TIMEOUT_S = 30
_SNAPSHOT = "walkaround_snapshot"
_STREAMED_AT_ONCE = 500  # rows
_OLDEST_SQLITE = (3, 38)  # the first with ->>, which the views use
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 7_201_963  # any number that no other user of the server's advisory locks has


def make_engine(url: str, *, pool_size: int = 5) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql+psycopg://...`; nothing is opened yet.

    Raises `DatabaseUnusable` for an address that is neither.
    """
    try:
        check_database(url)
    except ValueError as error:
        raise DatabaseUnusable(f"WALKAROUND_DATABASE_URL: {error}") from None
    address = make_url(url)
    if address.drivername == "sqlite":
        return _sqlite_engine(url, pool_size)
    return postgresql_engine(address, pool_size)


def _sqlite_engine(url: str, pool_size: int) -> Engine:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise DatabaseUnusable(f"SQLite {sqlite3.sqlite_version} is too old; 3.38 or later is needed")
    engine = create_engine(url, pool_size=pool_size, connect_args={"timeout": _BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: object) -> None:
        # The driver would begin transactions by its own rules, too late for a consistent read; `_begin` does it.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that turns to writing fails at once if another wrote meanwhile; an immediate one waits.
        reading = connection.get_execution_options().get(_SNAPSHOT, False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def make_sessions(engine: Engine) -> Sessions:
    """Sessions on `engine`; what a transaction has read stays readable after its commit."""
    return sessionmaker(engine, expire_on_commit=False)


def engine_of(sessions: Sessions) -> Engine:
    """The engine that `sessions` was made for."""
    engine = sessions.kw["bind"]
    assert isinstance(engine, Engine)
    return engine


@contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        ours = explain_failure(error, engine.url)
        if ours is None:
            raise
        raise ours from error


def transaction(step: Callable[Concatenate[Session, P], R]) -> Callable[Concatenate[Sessions, P], R]:
    """Make `step(session, ...)` a function of `sessions` that runs in one transaction of its own.

    Deadlocks and serialisation failures are tried again a few times.
    Raises `DatabaseUnavailable` and `DatabaseUnusable`.
    """

    def log_conflict(state: RetryCallState) -> None:
        _log.info("transaction %s met another one (attempt %d)", step.__name__, state.attempt_number)

    @functools.wraps(step)
    def run(sessions: Sessions, /, *args: P.args, **kwargs: P.kwargs) -> R:
        def once() -> R:
            with sessions.begin() as session:
                return step(session, *args, **kwargs)

        with _explained(engine_of(sessions)):
            return Retrying(
                retry=retry_if_exception(is_conflict),
                stop=stop_after_attempt(_ATTEMPTS),
                wait=wait_random_exponential(multiplier=_FIRST_PAUSE_S),
                before_sleep=log_conflict,
                reraise=True,
            )(once)

    return run


def snapshot(step: Callable[Concatenate[Session, P], R]) -> Callable[Concatenate[Sessions, P], R]:
    """Make `step(session, ...)` a function of `sessions` that reads one consistent state and blocks no writer."""

    @functools.wraps(step)
    def run(sessions: Sessions, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with _consistent_read(sessions) as session:
            return step(session, *args, **kwargs)

    return run


@dataclass(frozen=True, slots=True)
class StreamedRows(Generic[T]):
    """The rows of a query, each made into a T. Every iteration reads one consistent state, a page of rows at a time.

    The transaction lasts until the last row is taken. On PostgreSQL a reader may pause for at most ten minutes.
    """

    sessions: Sessions
    query: Select[Any]
    make: Callable[[Row[Any]], T]

    def __iter__(self) -> Iterator[T]:
        with _consistent_read(self.sessions) as session:
            if session.get_bind().dialect.name == "postgresql":
                session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10min'"))
            for row in session.execute(self.query, execution_options={"yield_per": _STREAMED_AT_ONCE}):
                yield self.make(row)


@contextmanager
def _consistent_read(sessions: Sessions) -> Iterator[Session]:
    engine = engine_of(sessions)
    options: dict[str, Any] = {_SNAPSHOT: True}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with _explained(engine), sessions() as session:
        session.connection(execution_options=options)
        yield session


def upgrade(engine: Engine) -> None:
    """Bring the tables and views to this code's version, all or nothing; several processes may do so at once.

    Raises `DatabaseUnusable` where the database is newer than the code.
    """
    from alembic import command  # noqa: PLC0415  (half a second that only upgrades need)

    with _explained(engine), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            require_utf8(connection)
            connection.execute(text("SET LOCAL statement_timeout = '10min'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        _version(connection)
        command.upgrade(migration_config(connection), "head")


def check_version(engine: Engine) -> None:
    """Raise `DatabaseUnusable`, with the remedy, unless the tables are exactly of this code's version.

    An SQLite file that is not there is not made: only `upgrade` does that.
    """
    found = None
    if not _is_missing_file(engine.url):
        with _explained(engine), engine.connect() as connection:
            found = _version(connection.execution_options(**{_SNAPSHOT: True}))
    wanted = known_versions()[-1]
    if found != wanted:
        state = f"of version {found}" if found else "empty"
        raise DatabaseUnusable(
            f"database {engine.url.database} is {state} and this program needs version {wanted}; "
            "run `walkaround db upgrade`"
        )


def _is_missing_file(url: URL) -> bool:
    plain = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:") and "uri" not in url.query
    return plain and not Path(str(url.database)).exists()


def known_versions() -> list[str]:
    """The database versions that this code knows, oldest first: the numbers that the migrations' files start with."""
    return sorted(file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def migration_config(connection: Connection) -> "Config":
    """Alembic's configuration for the database behind `connection`; no file, so an installed package has it too."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _version(connection: Connection) -> str | None:
    """The database's version, None where it is empty. Raises `DatabaseUnusable` where the code does not know it."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if found is not None and found not in known_versions():
        raise DatabaseUnusable(
            f"database {connection.engine.url.database} has version {found}, which this program does not know: "
            "it is newer; update Walkaround to the version that made it"
        )
    return found
