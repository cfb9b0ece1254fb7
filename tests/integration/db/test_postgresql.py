"""Sessions are ours whatever the server's defaults are, also behind a pooler that hands connections round."""

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.orm import Session

from core.domain import SetRef
from core.errors import DatabaseUnavailable, DatabaseUnusable
from db import queries
from db.postgresql import read_options
from db.session import check_version, make_sessions, snapshot, transaction, upgrade
from tests.databases import PostgreSQLServer, new_database
from tests.integration.deployment import wait_until
from tests.integration.test_compose_services import free_port
from tests.photo_sets import arrive, must_claim, register, set_ref, stored

MakeEngine = Callable[..., Engine]
HOSTILE = {
    "DateStyle": "'German, DMY'",
    "TimeZone": "'Asia/Kolkata'",
    "IntervalStyle": "'sql_standard'",
    "statement_timeout": "'500ms'",
    "lock_timeout": "'1ms'",
    "idle_in_transaction_session_timeout": "'500ms'",
    "client_encoding": "'LATIN1'",
    "standard_conforming_strings": "off",
    "bytea_output": "'escape'",
    "default_transaction_isolation": "'serializable'",
}
OURS = {
    "DateStyle": "ISO, YMD",
    "TimeZone": "UTC",
    "IntervalStyle": "postgres",
    "statement_timeout": "1min",
    "lock_timeout": "20s",
    "idle_in_transaction_session_timeout": "1min",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "transaction_isolation": "read committed",
}


def show(session: Session, names: list[str]) -> dict[str, str]:
    return {name: session.scalars(text(f"SHOW {name}")).one() for name in names}


def settings_of(engine: Engine, *names: str) -> dict[str, str]:
    return transaction(show)(make_sessions(engine), list(names))


def test_a_database_with_other_defaults(
    postgresql_server: PostgreSQLServer, postgresql_url: str, make_test_engine: MakeEngine
) -> None:
    name = make_url(postgresql_url).database
    postgresql_server.run(*(f"ALTER DATABASE {name} SET {setting} = {value}" for setting, value in HOSTILE.items()))
    engine = make_test_engine(postgresql_url)
    assert settings_of(engine, *OURS) == OURS
    sessions = make_sessions(engine)
    reading = snapshot(show)(sessions, [*OURS, "transaction_read_only"])
    assert reading == OURS | {"transaction_isolation": "repeatable read", "transaction_read_only": "on"}
    register(sessions)
    ref = SetRef("harbour", "ŽB-204", "2026-11-20", "returns/harbour/ŽB-204/2026-11-20/")
    (work,) = arrive(sessions, ref, stored(ref, "a")).opened
    assert must_claim(sessions, work).ref == ref


class TestOptionsOfTheAddress:
    def test_they_win(self, postgresql_url: str, make_test_engine: MakeEngine) -> None:
        options = "options=-c%20statement_timeout%3D7s%20--lock-timeout%3D3s%20-cTimeZone%3DEurope/Riga"
        engine = make_test_engine(f"{postgresql_url}&{options}&application_name=mine&client_encoding=LATIN1")
        expected = {"statement_timeout": "7s", "lock_timeout": "3s", "TimeZone": "Europe/Riga", "DateStyle": "ISO, YMD"}
        expected |= {"application_name": "mine", "client_encoding": "LATIN1"}
        assert settings_of(engine, *expected) == expected

    def test_tables_go_where_the_search_path_says(
        self, postgresql_server: PostgreSQLServer, empty_postgresql_url: str, make_test_engine: MakeEngine
    ) -> None:
        name = make_url(empty_postgresql_url).database or ""
        postgresql_server.run("CREATE SCHEMA walk", database=name)
        engine = make_test_engine(f"{empty_postgresql_url}&options=-csearch_path%3Dwalk")
        upgrade(engine)
        check_version(engine)
        with engine.begin() as connection:
            count = text("SELECT schemaname FROM pg_tables WHERE tablename = 'photo_set'")
            assert connection.scalars(count).all() == ["walk"]

    def test_the_database_s_own_search_path_holds_where_the_address_names_none(
        self, postgresql_server: PostgreSQLServer, empty_postgresql_url: str, make_test_engine: MakeEngine
    ) -> None:
        name = make_url(empty_postgresql_url).database or ""
        postgresql_server.run("CREATE SCHEMA walk", f"ALTER DATABASE {name} SET search_path = walk", database=name)
        engine = make_test_engine(empty_postgresql_url)
        with engine.connect() as connection:  # as another client of a pooler leaves it behind
            connection.exec_driver_sql("SET search_path = public")
            connection.commit()
        assert settings_of(engine, "search_path") == {"search_path": "walk"}

    def test_a_search_path_without_a_schema(self, empty_postgresql_url: str, make_test_engine: MakeEngine) -> None:
        with pytest.raises(DatabaseUnusable, match="its search_path names no schema that is there"):
            upgrade(make_test_engine(f"{empty_postgresql_url}&options=-csearch_path%3Dnowhere"))

    def test_what_is_no_setting_is_refused(self, postgresql_url: str, make_test_engine: MakeEngine) -> None:
        with pytest.raises(DatabaseUnusable, match="its options are no settings"):
            make_test_engine(f"{postgresql_url}&options=-E")

    def test_as_libpq_reads_them(self) -> None:
        assert read_options(r"-c a=1 -cb=x\ y --c-d=e=f ") == {"a": "1", "b": "x y", "c_d": "e=f"}
        assert read_options("") == {}


@pytest.mark.parametrize(("encoding", "locale"), [("SQL_ASCII", "C"), ("LATIN1", "C")])
def test_a_database_that_cannot_hold_every_name_is_refused(
    postgresql_server: PostgreSQLServer, make_test_engine: MakeEngine, encoding: str, locale: str
) -> None:
    name = f"narrow_{encoding.lower()}"
    postgresql_server.run(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE '{locale}' LC_CTYPE '{locale}'"
    )
    engine = make_test_engine(postgresql_server.url(name))
    with pytest.raises(DatabaseUnusable, match=f"is encoded in {encoding}, which cannot hold every name"):
        upgrade(engine)
    with pytest.raises(DatabaseUnusable, match="run `walkaround db upgrade`"):
        check_version(engine)
    engine.dispose()
    postgresql_server.run(f"DROP DATABASE {name}")


@pytest.fixture(scope="module")
def pooler(postgresql_server: PostgreSQLServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a PgBouncer that hands its four connections out for a transaction each."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("pgbouncer is not installed: sessions behind a pooler are not tried")
    folder = tmp_path_factory.mktemp("pgbouncer")
    port = free_port()
    (folder / "users.txt").write_text('"postgres" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={postgresql_server.socket_folder}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {folder}/users.txt\n"
        f"pool_mode = transaction\ndefault_pool_size = 4\nlogfile = {folder}/log\n"
    )
    (folder / "log").touch()
    for path in (folder, *folder.iterdir(), *list(folder.parents)[:3]):
        path.chmod(0o777)  # it refuses to run as root, and so runs as postgresql_server's user does
    server = subprocess.Popen([program, "-q", str(folder / "pgbouncer.ini")], user=postgresql_server.user)
    wait_until(lambda: "process up" in (folder / "log").read_text(), 20, (folder / "log").read_text)
    yield port
    server.terminate()
    server.wait(20)


class TestBehindPgBouncer:
    @pytest.fixture
    def pooled_url(self, postgresql_server: PostgreSQLServer, pooler: int) -> Iterator[str]:
        for url in new_database(postgresql_server, "pooled"):
            name = make_url(url).database
            yield f"postgresql+psycopg://postgres@127.0.0.1:{pooler}/{name}?sslmode=disable"

    def test_our_settings_hold_in_every_transaction(
        self, postgresql_server: PostgreSQLServer, pooled_url: str, make_test_engine: MakeEngine
    ) -> None:
        postgresql_server.run(
            "ALTER DATABASE pooled SET statement_timeout = 0", "ALTER DATABASE pooled SET lock_timeout = 0"
        )
        engine = make_test_engine(pooled_url)
        with engine.connect() as another:  # a client of the same pooler that cleans nothing up
            another.exec_driver_sql(
                "SET statement_timeout = 0; SET search_path = nowhere; SET TimeZone = 'Asia/Kolkata'"
            )
            another.commit()
        for _ in range(8):
            assert settings_of(engine, *OURS) == OURS
        assert settings_of(make_test_engine(f"{pooled_url}&options=-cstatement_timeout%3D5s"), "statement_timeout") == {
            "statement_timeout": "5s"
        }
        check_version(engine)

    def test_many_transactions_at_once(self, pooled_url: str, make_test_engine: MakeEngine) -> None:
        """More threads than the pooler has connections: each transaction meets another server process."""
        sessions = make_sessions(make_test_engine(pooled_url, pool_size=8))
        register(sessions)
        problems: list[Exception] = []

        def work(thread: int) -> None:
            try:
                for number in range(6):
                    ref = set_ref(100 * thread + number)
                    (opened,) = arrive(sessions, ref, stored(ref, "a")).opened
                    must_claim(sessions, opened)
                    for _ in range(5):  # psycopg prepares what a connection commits for the sixth time
                        transaction(show)(sessions, ["TimeZone"])
            except Exception as error:
                problems.append(error)

        threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert queries.backlog(sessions).leased == 48

    def test_upgrades_go_through_it(
        self, postgresql_server: PostgreSQLServer, pooler: int, make_test_engine: MakeEngine
    ) -> None:
        for _ in new_database(postgresql_server, "pooled_empty", "template0"):
            engine = make_test_engine(f"postgresql+psycopg://postgres@127.0.0.1:{pooler}/pooled_empty?sslmode=disable")
            upgrade(engine)
            check_version(engine)
            engine.dispose()

    def test_its_refusals_are_told(self, pooler: int, make_test_engine: MakeEngine) -> None:
        engine = make_test_engine(f"postgresql+psycopg://postgres@127.0.0.1:{pooler}/nowhere?sslmode=disable")
        with pytest.raises((DatabaseUnavailable, DatabaseUnusable), match="nowhere: (it answers|there is no database)"):
            check_version(engine)
