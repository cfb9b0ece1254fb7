"""The migrations make what the code expects, on both databases, and leave what they should alone."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from core.errors import DatabaseUnusable
from db.models import INSERT_ONLY, Base
from db.session import check_version, known_versions, migration_config, upgrade
from db.views import VIEWS

MakeEngine = Callable[..., Engine]


@pytest.fixture
def engine(empty_database_url: str, make_test_engine: MakeEngine) -> Engine:
    return make_test_engine(empty_database_url)


def test_upgrade_makes_exactly_the_models_tables(engine: Engine) -> None:
    upgrade(engine)
    assert set(inspect(engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    with engine.begin() as connection:
        command.check(migration_config(connection))  # raises if a migration would still be needed


def test_every_view_can_be_read_and_says_what_a_row_is(engine: Engine) -> None:
    upgrade(engine)
    assert set(inspect(engine).get_view_names()) == set(VIEWS)
    with engine.connect() as connection:
        for view in VIEWS:
            assert connection.execute(text(f"SELECT * FROM {view}")).all() == []


def test_upgrading_again_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    before = _schema(engine)
    upgrade(engine)
    assert _schema(engine) == before
    check_version(engine)


def _schema(engine: Engine) -> object:
    query = {
        "sqlite": "SELECT type, name, sql FROM sqlite_master ORDER BY type, name",
        "postgresql": "SELECT relkind::text, relname::text, relacl::text FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace ORDER BY 1, 2",
    }
    with engine.connect() as connection:
        return connection.execute(text(query[engine.dialect.name])).all()


def test_an_empty_database_is_named_with_the_remedy(engine: Engine) -> None:
    with pytest.raises(DatabaseUnusable, match=r"is empty .* run `walkaround db upgrade`"):
        check_version(engine)


def test_a_newer_database_is_refused_and_left_as_it_is(engine: Engine) -> None:
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = _schema(engine)
    for step in (check_version, upgrade):
        with pytest.raises(DatabaseUnusable, match=r"9999.*newer; update Walkaround"):
            step(engine)
    assert _schema(engine) == before


def test_a_failing_migration_leaves_nothing_behind(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE review (ours INTEGER)"))  # in the way of a table made late
    with pytest.raises(Exception, match="review"):
        upgrade(engine)
    assert inspect(engine).get_table_names() == ["review"]


def test_versions_are_read_from_file_names_as_alembic_reads_them(engine: Engine) -> None:
    with engine.begin() as connection:
        scripts = ScriptDirectory.from_config(migration_config(connection))
    assert known_versions()[-1] == scripts.get_current_head()
    assert len(known_versions()) == len(list(scripts.walk_revisions()))


def test_several_processes_may_upgrade_at_once(empty_database_url: str, make_test_engine: MakeEngine) -> None:
    program = "import sys; from db.session import *; upgrade(make_engine(sys.argv[1]))"
    running = [
        subprocess.Popen([sys.executable, "-c", program, empty_database_url], stderr=subprocess.PIPE) for _ in range(2)
    ]
    errors = [process.communicate(timeout=120)[1].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    check_version(make_test_engine(empty_database_url))


def test_history_tables_have_their_guards_in_an_installed_sqlite_file(sqlite_url: str) -> None:
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        triggers = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    assert triggers == {f"{table}_refuses_{change}" for table in INSERT_ONLY for change in ("update", "delete")}
