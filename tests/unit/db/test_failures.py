"""A database's error becomes one sentence with its remedy, and never shows the password."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from core.errors import DatabaseUnavailable, DatabaseUnusable, WalkaroundError
from db.failures import explain_failure, is_conflict

URL = make_url("postgresql+psycopg://worker:s3cret@db.fleet/walkaround")
REFUSED = 'connection failed: connection to server at "10.0.0.1", port 5432 failed: FATAL:  '


def refused(words: str) -> psycopg.OperationalError:
    return psycopg.OperationalError(REFUSED + words)


def wrapped(error: psycopg.Error) -> DBAPIError:
    return OperationalError("SELECT 1", {}, error)


@pytest.mark.parametrize(
    ("error", "kind", "remedy"),
    [
        (refused('password authentication failed for user "worker"'), DatabaseUnusable, "user or password"),
        (refused('database "walkaround" does not exist'), DatabaseUnusable, "create it"),
        (refused('role "worker" does not exist'), DatabaseUnusable, "user or password"),
        (refused('no pg_hba.conf entry for host "10.0.0.2"'), DatabaseUnusable, "pg_hba"),
        (refused("the database system is starting up"), DatabaseUnavailable, "it answers: the database system is st"),
        (refused("unsupported startup parameter: options"), DatabaseUnavailable, "unsupported startup parameter: opt"),
        (refused("sorry, too many clients already"), DatabaseUnavailable, "out of connections"),
        (refused("too many connections for role \"worker\""), DatabaseUnavailable, "out of connections"),
        (refused("remaining connection slots are reserved for"), DatabaseUnavailable, "out of connections"),
        (refused("no more connections allowed (max_client_conn)"), DatabaseUnavailable, "out of connections"),
        (refused("no such database: walkaround"), DatabaseUnusable, "create it"),
        (psycopg.OperationalError("failed: SSL error: certificate verify failed"), DatabaseUnusable, "verify failed"),
        (errors.InvalidSchemaName(), DatabaseUnusable, "options=-csearch_path"),
        (psycopg.OperationalError("connection failed: Connection refused"), DatabaseUnavailable, "does not answer"),
        (psycopg.OperationalError("[Errno -2] Name or service not known"), DatabaseUnavailable, "does not answer"),
        (errors.DiskFull(), DatabaseUnusable, "free some space"),
        (errors.ReadOnlySqlTransaction(), DatabaseUnusable, "primary"),
        (errors.InsufficientPrivilege(), DatabaseUnusable, "role"),
        (errors.UndefinedTable(), DatabaseUnusable, "walkaround db upgrade"),
        (errors.TooManyConnections(), DatabaseUnavailable, "out of connections"),
        (errors.LockNotAvailable(), DatabaseUnavailable, "lock"),
        (errors.QueryCanceled(), DatabaseUnavailable, "cut a statement short"),
        (errors.AdminShutdown(), DatabaseUnavailable, "stopping"),
        (errors.DeadlockDetected(), DatabaseUnavailable, "getting in the way"),
    ],
)  # fmt: skip
def test_each_trouble_has_its_words(error: psycopg.Error, kind: type[WalkaroundError], remedy: str) -> None:
    said = explain_failure(wrapped(error), URL)
    assert type(said) is kind
    assert remedy in str(said)
    assert "db.fleet/walkaround" in str(said)
    assert "s3cret" not in str(said)


def test_a_broken_connection_can_be_tried_again() -> None:
    lost = OperationalError(
        "SELECT 1", {}, psycopg.OperationalError("consuming input failed"), connection_invalidated=True
    )
    assert isinstance(explain_failure(lost, URL), DatabaseUnavailable)


def test_a_busy_pool_can_be_tried_again() -> None:
    assert isinstance(explain_failure(PoolExhausted("QueuePool limit"), URL), DatabaseUnavailable)


def test_a_mistake_of_the_program_stays_what_it_is() -> None:
    assert explain_failure(ProgrammingError("SELEC", {}, errors.SyntaxError()), URL) is None


@pytest.mark.parametrize(
    ("error", "conflict"),
    [(errors.DeadlockDetected(), True), (errors.SerializationFailure(), True), (errors.DiskFull(), False)],
)
def test_only_conflicts_are_tried_again_at_once(error: psycopg.Error, conflict: bool) -> None:
    assert is_conflict(wrapped(error)) is conflict


def test_a_secret_among_the_parameters_is_not_shown() -> None:
    url = make_url("postgresql+psycopg://worker@db.fleet/walkaround?password=TopSecret&sslpassword=TopSecret")
    explained = explain_failure(wrapped(errors.DiskFull()), url)
    assert "db.fleet/walkaround: its disk is full" in str(explained)
    assert "TopSecret" not in str(explained)
