"""Explains database errors to people: one sentence with the remedy, and whether trying again can help."""

import sqlite3

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from core.errors import DatabaseUnavailable, DatabaseUnusable, WalkaroundError

_UPGRADE = "its tables are missing or of another version; run `walkaround db upgrade`"

# Prefixes of SQLite's error names: what happened and what to do.
_SQLITE_UNUSABLE = {
    "SQLITE_FULL": "the disk is full; free some space and run again, nothing was half-written",
    "SQLITE_READONLY": "it is read-only; give this user write permission on the file and its folder",
    "SQLITE_CANTOPEN": "it cannot be opened; check that its folder exists and that this user may write there",
    "SQLITE_PERM": "this user may not open it; check the file's permissions",
    "SQLITE_NOTADB": "it is not an SQLite database; name another file",
    "SQLITE_CORRUPT": "its file is damaged; restore it from a backup",
    "SQLITE_IOERR": "its disk reports an error; check free space and the disk's health",
}
_SQLITE_UNAVAILABLE = {
    "SQLITE_BUSY": "another process kept it locked for too long; try again",
    "SQLITE_LOCKED": "another process kept it locked for too long; try again",
}

# Prefixes of PostgreSQL's SQLSTATE codes.
_POSTGRESQL_UNUSABLE = {
    "53100": "its disk is full; free some space on the database server",
    "25006": "it is read-only (a standby?); connect to the primary",
    "28": "it refused this user or password; check WALKAROUND_DATABASE_URL",
    "3D000": "there is no database of this name on the server; create it or correct WALKAROUND_DATABASE_URL",
    "42501": "this user lacks a permission; use the role that this command is meant for",
    "2BP01": "objects of your own stand on its views; drop them, upgrade, and make them again",
    "3F000": "its search_path names no schema that is there; make one, or name it: ?options=-csearch_path%3DSCHEMA",
    "42P01": _UPGRADE,
    "42703": _UPGRADE,
}
_POSTGRESQL_UNAVAILABLE = {
    "08": "the connection broke; try again",
    "53": "it is out of connections or memory; try again",
    "55P03": "another transaction kept a lock for too long; try again",
    "57": "it is stopping, or cut a statement short; try again",
    "40": "other transactions kept getting in the way; try again",
}
# A refused connection carries no code, only libpq's words.
_CONNECT_UNUSABLE = {
    "password authentication failed": _POSTGRESQL_UNUSABLE["28"],
    "no password supplied": _POSTGRESQL_UNUSABLE["28"],
    "no pg_hba.conf entry": "it refuses connections from this machine; see the server's pg_hba.conf",
    "database ": _POSTGRESQL_UNUSABLE["3D000"],
    "role ": _POSTGRESQL_UNUSABLE["28"],
    "no such database": _POSTGRESQL_UNUSABLE["3D000"],  # PgBouncer's words, and the next
    "no such user": _POSTGRESQL_UNUSABLE["28"],
}
_CONNECT_UNAVAILABLE = {
    "too many": _POSTGRESQL_UNAVAILABLE["53"],
    "sorry, too many": _POSTGRESQL_UNAVAILABLE["53"],
    "remaining connection slots": _POSTGRESQL_UNAVAILABLE["53"],
    "no more connections": _POSTGRESQL_UNAVAILABLE["53"],  # PgBouncer
}
_TLS = "TLS to it failed ({}); check sslmode and sslrootcert in WALKAROUND_DATABASE_URL"
_UNREACHABLE = "it does not answer; check that the server runs and that WALKAROUND_DATABASE_URL names it"


def is_conflict(error: BaseException) -> bool:
    """Whether PostgreSQL undid the transaction only because of another one: the same again can succeed at once."""
    return isinstance(error, DBAPIError) and _sqlstate(error) in ("40001", "40P01")


def explain_failure(error: SQLAlchemyError, url: URL) -> WalkaroundError | None:
    """The error in our own words, without the password; None where it is a mistake of the program."""
    name = f"database {shown(url)}"
    if isinstance(error, PoolExhausted):
        return DatabaseUnavailable(f"{name}: all connections of this process are in use; try again")
    if not isinstance(error, DBAPIError):
        return None
    if isinstance(error.orig, sqlite3.Error):
        return _explain_sqlite(error.orig, name)
    return _explain_postgresql(error, name)


def shown(url: URL) -> str:
    """A database's address for people: without the password, and without the parameters, which can hold one too."""
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    return url.set(query={}).render_as_string(hide_password=True)


def _sqlstate(error: DBAPIError) -> str:
    """PostgreSQL's code; read off the error as it is, so that who keeps rows in SQLite never loads psycopg."""
    return getattr(error.orig, "sqlstate", None) or ""


def _match(table: dict[str, str], code: str) -> str | None:
    return next((words for prefix, words in table.items() if code.startswith(prefix)), None)


def _explain_sqlite(error: sqlite3.Error, name: str) -> WalkaroundError | None:
    code = getattr(error, "sqlite_errorname", "")
    if words := _match(_SQLITE_UNUSABLE, code):
        return DatabaseUnusable(f"{name}: {words}")
    if words := _match(_SQLITE_UNAVAILABLE, code):
        return DatabaseUnavailable(f"{name}: {words}")
    if str(error).startswith(("no such table", "no such column")):
        return DatabaseUnusable(f"{name}: {_UPGRADE}")
    return None


def _explain_postgresql(error: DBAPIError, name: str) -> WalkaroundError | None:
    code = _sqlstate(error)
    if words := _match(_POSTGRESQL_UNUSABLE, code):
        return DatabaseUnusable(f"{name}: {words}")
    if words := _match(_POSTGRESQL_UNAVAILABLE, code):
        return DatabaseUnavailable(f"{name}: {words}")
    if code or not isinstance(error, OperationalError):
        broken = error.connection_invalidated
        return DatabaseUnavailable(f"{name}: {_POSTGRESQL_UNAVAILABLE['08']}") if broken else None
    return _explain_connecting(str(error.orig), name)


def _explain_connecting(words: str, name: str) -> WalkaroundError:
    """What libpq, or by it the server, says of a connection that could not be made. It holds no password."""
    fatal = words.partition("FATAL:")[2].strip().partition("\n")[0]
    if remedy := _match(_CONNECT_UNUSABLE, fatal):
        return DatabaseUnusable(f"{name}: {remedy}")
    if remedy := _match(_CONNECT_UNAVAILABLE, fatal):
        return DatabaseUnavailable(f"{name}: {remedy}")
    if fatal:
        return DatabaseUnavailable(f"{name}: it answers: {fatal}")
    tls = next((line for line in words.splitlines() if "SSL" in line or "certificate" in line), "")
    if tls:
        return DatabaseUnusable(f"{name}: {_TLS.format(tls.rpartition('failed: ')[2].strip())}")
    return DatabaseUnavailable(f"{name}: {_UNREACHABLE}")
