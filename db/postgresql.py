"""Sessions on PostgreSQL that are ours, whatever the server, the database, the role or a pooler between has set."""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from core.errors import DatabaseUnusable

# A connection that is gone is noticed in seconds.
_CONNECT: Mapping[str, Any] = {
    "connect_timeout": 10,
    "application_name": "walkaround",
    "client_encoding": "utf8",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "prepare_threshold": None,  # behind a pooler the next transaction meets another server process
}

# No statement or lock of ours lasts for ever, and values are written and read in one way. None is the default of the
# database or the role: which schema is an administrator's choice, and not that of another client of the same pooler.
_SETTINGS: Mapping[str, str | None] = {
    "statement_timeout": "60s",
    "lock_timeout": "20s",
    "idle_in_transaction_session_timeout": "60s",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "search_path": None,
}


def postgresql_engine(address: URL, pool_size: int) -> Engine:
    """An engine whose every transaction begins with our settings; what the address itself says of them wins.

    They are set for the transaction, not for the connection: behind a pooler in transaction mode a connection keeps
    nothing, and most poolers refuse the start-up parameter `options`. Raises `DatabaseUnusable` for options that are
    no settings.
    """
    theirs = address.query
    settings = dict(_SETTINGS)
    if "options" in theirs:
        settings |= read_options(" ".join(_texts(theirs["options"])))
        address = address.difference_update_query(["options"])
    connect = {name: value for name, value in _CONNECT.items() if name not in theirs}
    if "prepare_threshold" in theirs:
        connect["prepare_threshold"] = _threshold(_texts(theirs["prepare_threshold"])[-1])
        address = address.difference_update_query(["prepare_threshold"])
    engine = create_engine(
        address.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        connect_args=connect,
    )
    statement = f"SELECT {', '.join(['set_config(%s, %s, true)'] * len(settings))}"
    values = tuple(part for setting in settings.items() for part in setting)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement, values)

    return engine


def read_options(words: str) -> dict[str, str | None]:
    """The settings in libpq's `options`: `-c name=value` or `--name=value`, a space in a value as backslash and space.

    Raises `DatabaseUnusable`.
    """
    pieces = re.findall(r"(?:\\.|\S)+", re.sub(r"(^|\s)-c\s+", r"\1-c", words))
    settings: dict[str, str | None] = {}
    for piece in pieces:
        option = re.fullmatch(r"(?:-c|--)([A-Za-z_][\w.-]*)=(.*)", piece, re.DOTALL)
        if option is None:
            raise DatabaseUnusable(
                "WALKAROUND_DATABASE_URL: its options are no settings; write them as options=-csearch_path%3Dfleet"
            )
        settings[option[1].replace("-", "_").lower()] = re.sub(r"\\(.)", r"\1", option[2])
    return settings


def require_utf8(connection: Connection) -> None:
    """Raise `DatabaseUnusable` where the database cannot hold every name."""
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        name = connection.engine.url.database
        raise DatabaseUnusable(
            f"database {name} is encoded in {encoding}, which cannot hold every name; make another, and name it in "
            "WALKAROUND_DATABASE_URL: CREATE DATABASE walkaround TEMPLATE template0 ENCODING 'UTF8'"
        )


def max_connections(engine: Engine) -> int | None:
    """How many connections all processes together may open, without those kept for the superuser; None for SQLite."""
    if engine.dialect.name != "postgresql":
        return None
    with engine.connect() as connection:
        allowed, kept = (
            int(connection.execute(text(f"SHOW {name}")).scalar_one())
            for name in ("max_connections", "superuser_reserved_connections")
        )
    return allowed - kept


def _texts(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _threshold(value: str) -> int | None:
    return int(value) if value.isdecimal() else None
