"""Each role may do its work and no more; refused by PostgreSQL itself."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from core.domain import Label
from core.errors import DatabaseUnusable
from db import queries
from db.history import INSERT_ONLY
from db.models import Base
from db.queries.tables import ReportFilter, report_table
from db.roles import ROLES, SESSION_DEFAULTS
from db.session import Sessions, check_version, engine_of, make_sessions, upgrade
from db.transactions import Finish, add_review, claim_store
from db.views import VIEWS
from reports import json_pieces, read_report
from tests.databases import PostgreSQLServer
from tests.photo_sets import BUCKET, NOW, arrive, judge, register, set_ref, stored

REPORTING = Path(__file__).parents[3] / "docs" / "reporting.md"
SessionsAs = Callable[[str], Sessions]


@pytest.fixture
def sessions_as(
    postgresql_server: PostgreSQLServer, postgresql_url: str, make_test_engine: Callable[..., Engine]
) -> SessionsAs:
    """Sessions on one database as a member of a role."""
    database = make_url(postgresql_url).database or ""

    def make(role: str) -> Sessions:
        login = f"member_of_{role}"
        postgresql_server.run(
            f"DO $$ BEGIN CREATE ROLE {login} LOGIN IN ROLE {role}; EXCEPTION WHEN duplicate_object THEN END $$"
        )
        return make_sessions(make_test_engine(postgresql_server.url(database, user=login)))

    return make


def allowed(sessions: Sessions, *statements: str) -> list[str]:
    """The statements that are not refused for lack of a permission, whatever else they may be refused for."""
    done = []
    for statement in statements:
        try:
            with sessions.begin() as session:
                session.execute(text(statement))
        except DBAPIError as error:
            if not isinstance(error.orig, InsufficientPrivilege | ReadOnlySqlTransaction):
                done.append(statement)
        else:
            done.append(statement)
    return done


def test_the_roles_together_do_the_whole_job(sessions_as: SessionsAs) -> None:
    worker, ingest = sessions_as("walkaround_worker"), sessions_as("walkaround_ingest")
    register(worker)
    work = arrive(ingest, set_ref(), stored(set_ref(), "a")).opened[0]
    assert judge(worker, work) is Finish.VERDICT
    (verdict,) = queries.current_verdicts(sessions_as("walkaround_reviewer"))
    add_review(
        sessions_as("walkaround_reviewer"),
        idempotency_key="k",
        set_id=verdict.set_id,
        seen_verdict_id=verdict.verdict_id,
        seen_generation=1,
        label=Label.DAMAGED,
        reason_code="dent",
        reviewer="ana",
        now=NOW,
    )
    assert queries.current_verdicts(sessions_as("walkaround_report"))[0].label is Label.DAMAGED
    for role in ("walkaround_worker", "walkaround_ingest", "walkaround_reviewer"):
        check_version(_engine(sessions_as(role)))


def _engine(sessions: Sessions) -> Engine:
    engine = sessions.kw["bind"]
    assert isinstance(engine, Engine)
    return engine


@pytest.mark.parametrize("role", ROLES)
def test_nobody_may_change_or_remove_history(sessions_as: SessionsAs, role: str) -> None:
    changes = [
        statement.format(table)
        for table in INSERT_ONLY
        for statement in ("UPDATE {} SET created_at = now()", "DELETE FROM {}", "TRUNCATE {}")
    ]
    assert allowed(sessions_as(role), *changes) == []


def test_a_worker_writes_no_reviews_and_a_reviewer_nothing_else(sessions_as: SessionsAs) -> None:
    assert allowed(sessions_as("walkaround_worker"), "INSERT INTO review DEFAULT VALUES") == []
    others = [f"INSERT INTO {table} DEFAULT VALUES" for table in Base.metadata.tables if table != "review"]
    assert allowed(sessions_as("walkaround_reviewer"), *others, "UPDATE work SET token = 0") == []


def test_ingest_gives_no_verdicts_and_changes_no_models(sessions_as: SessionsAs) -> None:
    tables = ("prediction", "verdict", "review", "model_version")
    forbidden = [f"INSERT INTO {table} DEFAULT VALUES" for table in tables]
    assert allowed(sessions_as("walkaround_ingest"), *forbidden, "UPDATE model_version SET state = 'active'") == []


@pytest.fixture
def report(postgresql_server: PostgreSQLServer, postgresql_url: str) -> Iterator[Sessions]:
    """A person's session, their login made as docs/reporting.md says."""
    (block,) = re.findall(
        r"```sql\n-- by the administrator\n(.*?)```", REPORTING.read_text(encoding="utf-8"), re.DOTALL
    )
    postgresql_server.run(*filter(None, map(str.strip, block.split(";"))))
    database = make_url(postgresql_url).database or ""
    # Not by `make_engine`, whose own time limit the programs ask for.
    engine = create_engine(postgresql_server.url(database, user="ana"))
    yield make_sessions(engine)
    engine.dispose()
    postgresql_server.run("DROP ROLE ana")


def test_a_report_reads_views_and_the_tables_of_our_report_and_nothing_else(
    report: Sessions, postgresql_url: str, make_test_engine: Callable[..., Engine]
) -> None:
    with make_test_engine(postgresql_url).begin() as owner:
        owner.execute(text("CREATE SCHEMA elsewhere"))
        owner.execute(text("CREATE TABLE elsewhere.secret (word text)"))
        sequences = owner.scalars(text("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'")).all()
    assert sequences
    views = [f"SELECT * FROM {view}" for view in VIEWS]
    ours = ("alembic_version", "model_version", "photo", "photo_set", "photo_store", "prediction", "vehicle")
    views += [f"SELECT * FROM {table}" for table in ours]
    assert allowed(report, *views) == views
    tables = (*Base.metadata.tables, "alembic_version", "elsewhere.secret")
    ways = ("SELECT * FROM {}", "INSERT INTO {} DEFAULT VALUES", "DELETE FROM {}", "TRUNCATE {}", "LOCK TABLE {}")
    others = [
        *(statement for way in ways for table in tables if (statement := way.format(table)) not in views),
        *(f"SELECT nextval('{sequence}')" for sequence in sequences),
        "UPDATE photo_set SET note = 'x'",
        "CREATE TABLE ours (number int)",
        "CREATE SCHEMA ours",
        "DROP VIEW backlog CASCADE",
        "SET ROLE walkaround_worker",
        "SET session_replication_role = replica",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    ]
    assert allowed(report, *others) == []
    assert allowed(report, *(f"SET TRANSACTION READ WRITE; {statement}" for statement in others)) == []


def test_walkaround_report_works_as_the_report_role(sessions_as: SessionsAs) -> None:
    worker, report = (sessions_as(f"walkaround_{role}") for role in ("worker", "report"))
    register(worker)
    ref = set_ref()
    judge(worker, arrive(worker, ref, stored(ref, "a")).opened[0], 0.9)
    claim_store(worker, BUCKET)
    check_version(engine_of(report))
    claim_store(report, BUCKET)
    (found,) = json.loads("".join(json_pieces(read_report(report, BUCKET))))["returns"]
    assert (found["label"], len(found["photos"])) == ("damaged", 1)
    for view in VIEWS:
        list(report_table(report, view, ReportFilter()).rows)


def test_a_report_begins_with_a_time_limit_and_read_only(report: Sessions) -> None:
    with report() as session:
        assert session.scalar(text("SHOW statement_timeout")) == "30s"
        assert session.scalar(text("SHOW default_transaction_read_only")) == "on"
    writing = ["CREATE TEMP TABLE ours (number int)", "SELECT lo_create(0)"]
    assert allowed(report, *writing) == []
    with report.begin() as session:
        session.execute(text("SET LOCAL statement_timeout = '20ms'"))
        with pytest.raises(DBAPIError, match="canceling statement due to statement timeout"):
            session.execute(text("SELECT pg_sleep(60)"))


def test_whoever_logs_in_as_the_report_role_itself_has_the_same_limits(sessions_as: SessionsAs) -> None:
    with sessions_as("walkaround_report")() as session:
        settings = "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'walkaround_report'::regrole"
        found = session.scalar(text(settings))
    assert found == ["statement_timeout=30s", "default_transaction_read_only=on"]
    for default in SESSION_DEFAULTS["walkaround_report"]:
        assert f"ALTER ROLE ana SET {default};" in REPORTING.read_text(encoding="utf-8")


def test_even_the_owner_must_go_through_the_guards(
    postgresql_url: str, make_test_engine: Callable[..., Engine]
) -> None:
    engine = make_test_engine(postgresql_url)
    for table in INSERT_ONLY:
        with pytest.raises(Exception, match=f"{table} is insert-only"), engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {table} CASCADE"))


def test_an_owner_who_may_not_make_roles_gets_the_tables_and_a_notice(
    postgresql_server: PostgreSQLServer,
    make_test_engine: Callable[..., Engine],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("db.roles.ROLES", (*ROLES, "walkaround_absent"))
    postgresql_server.run("CREATE ROLE plain_owner LOGIN", "CREATE DATABASE plain OWNER plain_owner")
    try:
        engine = make_test_engine(postgresql_server.url("plain", user="plain_owner"))
        with caplog.at_level(logging.WARNING):
            upgrade(engine)
        assert "walkaround_absent are missing and this user may not create roles" in caplog.text
        check_version(engine)
        engine.dispose()
    finally:
        postgresql_server.run("DROP DATABASE plain WITH (FORCE)", "DROP ROLE plain_owner")


def test_a_lack_of_rights_is_said_in_words(sessions_as: SessionsAs) -> None:
    with pytest.raises(DatabaseUnusable, match="this user lacks a permission; use the role"):
        arrive(sessions_as("walkaround_report"), set_ref(), stored(set_ref(), "a"))
