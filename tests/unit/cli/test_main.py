"""The command line: a mistake ends in one sentence that names the object and the remedy, and in the right exit code."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import NOBODY, CommandLine, make_newer

COMMANDS = [
    *("scan", "up", "report", "audit", "replay", "doctor", "worker", "beat", "consume", "webhook", "ingest"),
    *("db upgrade", "model info", "model verify", "model activate"),
    *("model versions", "model shadow", "model compare", "model promote", "model rollback"),
    *("review add", "review import", "review export", "review restore"),
]


class TestSettings:
    def test_an_unknown_one(self, walkaround: CommandLine) -> None:
        walkaround.set(nonsense=1)
        assert "WALKAROUND_NONSENSE is not a setting; `walkaround doctor --settings` lists them" in walkaround.fails(
            2, "audit"
        )

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("batch_size", "many"),
            ("timezone", "Mars"),
            ("scan_at", "late"),
            ("key_template", "{fleet}/"),
            ("broker_url", "nonsense://x"),
        ],
    )
    def test_a_wrong_value(self, walkaround: CommandLine, name: str, value: str) -> None:
        walkaround.set(**{name: value})
        assert f"WALKAROUND_{name.upper()}: " in walkaround.fails(2, "doctor")

    @pytest.mark.parametrize("command", ["audit", "report", "ingest x", "replay"])
    def test_no_store(self, walkaround: CommandLine, command: str) -> None:
        assert "WALKAROUND_STORE is missing" in walkaround.fails(2, *command.split())

    def test_an_unknown_queue(self, walkaround: CommandLine) -> None:
        assert "--queues: there is no queue nonsense" in walkaround.fails(2, "worker", "--queues", "nonsense")


class TestDatabase:
    def test_one_that_is_not_reachable_and_keeps_its_password(self, walkaround: CommandLine, photos: Path) -> None:
        walkaround.set(store=photos, database_url=f"postgresql+psycopg://someone:secret@{NOBODY}/walkaround")
        sentence = walkaround.fails(1, "audit")
        assert f"someone:***@{NOBODY}/walkaround: it does not answer; check that the server runs" in sentence
        assert "secret" not in sentence

    @pytest.mark.parametrize("url", ["secret", "mysql://someone:secret@host/name"])
    def test_an_address_of_no_database(self, walkaround: CommandLine, url: str) -> None:
        walkaround.set(database_url=url)
        sentence = walkaround.fails(2, "db", "upgrade")
        assert "WALKAROUND_DATABASE_URL: write it as sqlite:///FILE" in sentence
        assert "secret" not in sentence

    def test_one_without_tables(self, walkaround: CommandLine, photos: Path) -> None:
        walkaround.set(store=photos)
        assert "is empty" in (sentence := walkaround.fails(1, "report"))
        assert "run `walkaround db upgrade`" in sentence

    def test_one_of_a_newer_version(self, walkaround: CommandLine, photos: Path, sqlite_url: str) -> None:
        make_newer(Path(sqlite_url.removeprefix("sqlite:///")))
        walkaround.set(store=photos, database_url=sqlite_url)
        for command in ("audit", "db upgrade"):
            assert "which this program does not know" in walkaround.fails(1, *command.split())

    def test_one_that_is_read_only(self, walkaround: CommandLine, sqlite_url: str) -> None:
        walkaround.set(database_url=f"sqlite:///file:{sqlite_url.removeprefix('sqlite:///')}?mode=ro&uri=true")
        assert "it is read-only; give this user write permission" in walkaround.fails(1, "db", "upgrade")


def test_verbose_shows_where(walkaround: CommandLine) -> None:
    code, _, errors = walkaround.run("--verbose", "scan", "none")
    assert code == 1
    assert "Traceback" in errors


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(walkaround: CommandLine, command: str) -> None:
    code, output, _ = walkaround.run(*command.split(), "--help")
    assert code == 0
    assert f"walkaround {command}" in " ".join(output.replace("│", " ").split())
    assert "Example" in output


def test_help_waits_for_no_heavy_import() -> None:
    check = (
        "import sys; sys.argv = ['walkaround', '--help']\n"
        "from cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.exit(', '.join({'sqlalchemy', 'celery', 'tensorflow', 'keras', 'boto3'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "scan" in done.stdout
