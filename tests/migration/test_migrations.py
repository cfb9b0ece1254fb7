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
from db.history import INSERT_ONLY
from db.models import Base
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


def test_photos_that_were_gone_count_again_and_their_sets_are_judged_again(engine: Engine) -> None:
    _upgrade_to(engine, "0005")
    _tell_version_5(engine)
    upgrade(engine)
    with engine.connect() as connection:
        photos = connection.execute(text("SELECT object_key, status, gone_reason, kept_model_id FROM photo ORDER BY 1"))
        sets = connection.execute(
            text("SELECT set_key, generation, content_generation, state, closed_by FROM photo_set ORDER BY 1")
        )
        assert [tuple(row) for row in photos] == [
            ("clear/a", "ok", None, None),
            ("empty/a", "ok", "vanished", 1),
            ("softened/a", "ok", None, None),
            ("softened/b", "ok", "vanished", 1),
            ("softened/c", "quarantined", "vanished", None),
            ("softened/d", "unusable", "vanished", None),
            ("softened/e", "seen", "vanished", None),
        ]
        assert [tuple(row) for row in sets] == [
            ("clear/", 1, 1, "complete", "marker"),
            ("empty/", 3, 2, "complete", "deadline"),
            ("softened/", 3, 2, "complete", "marker"),
        ]


def _upgrade_to(engine: Engine, version: str) -> None:
    """The tables of an older version; the views and rights of this one need newer tables."""
    with pytest.MonkeyPatch.context() as patch, engine.begin() as connection:
        patch.setattr("db.views.create_views", lambda _: None)
        patch.setattr("db.roles.grant_roles", lambda _: None)
        command.upgrade(migration_config(connection), version)


def _tell_version_5(engine: Engine) -> None:
    """A set that is whole, one that was softened by photos that went, one whose only photo went."""
    now = "2026-11-20T08:00:00.000000Z"
    sets = [("clear", 1, "complete", "'marker'"), ("softened", 2, "complete", "'marker'"), ("empty", 2, "open", "NULL")]
    photos = [
        *((1, "clear/a", "ok", None, "1"), (2, "softened/a", "ok", None, "1"), (2, "softened/b", "gone", None, "2")),
        *((2, "softened/c", "gone", "corrupt", "3"), (2, "softened/d", "gone", "dark", "4")),
        *((2, "softened/e", "gone", None, None), (3, "empty/a", "gone", None, "5")),
    ]
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO vehicle (id, fleet, vehicle_ref) VALUES (1, 'f', 'v')"))
        connection.execute(
            text(
                "INSERT INTO model_version (id, name, weights_sha256, preprocess_sha256, policy_sha256, policy, state, "
                "created_at) VALUES (1, 'm', 'a', 'b', 'c', '{}', 'active', :now)"
            ),
            {"now": now},
        )
        for number, (name, generation, state, closed_by) in enumerate(sets, start=1):
            connection.execute(
                text(
                    "INSERT INTO photo_set (id, vehicle_id, bucket, set_key, return_ref, generation, state, closed_by, "
                    "missing, first_seen_at, last_change_at, returned_at, uploaded_at) VALUES "
                    f"(:id, 1, 'b', :key, 'r', :generation, :state, {closed_by}, '[]', :now, :now, :now, :now)"
                ),
                {"id": number, "key": f"{name}/", "generation": generation, "state": state, "now": now},
            )
        for number, (set_id, key, status, reason, content) in enumerate(photos, start=1):
            quality = '{"sharpness": 1}' if reason == "dark" else None
            connection.execute(
                text(
                    "INSERT INTO photo (id, set_id, object_key, etag, size, uploaded_at, content_sha256, status, "
                    "reason, quality, absences, superseded) VALUES "
                    "(:id, :set_id, :key, 'e', 1, :now, :content, :status, :reason, :quality, 0, FALSE)"
                ),
                {"id": number, "set_id": set_id, "key": key, "now": now, "content": content, "status": status}
                | {"reason": reason, "quality": quality},
            )
            if content and reason is None:
                connection.execute(
                    text(
                        "INSERT INTO prediction (content_sha256, model_id, probability, logit, created_at) "
                        "VALUES (:content, 1, 0.5, 0.0, :now) ON CONFLICT DO NOTHING"
                    ),
                    {"content": content, "now": now},
                )


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
