"""The command line: a mistake ends in one sentence that names the object and the remedy, and in the right exit code."""

import logging
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from cli.main import main
from cli.scan import embedded_settings
from core.domain import SetRef
from core.settings import SHIPPED_MODEL
from db import transactions
from db.session import make_engine, make_sessions
from tests.photo_sets import MARKED, NOW, all_due, must_claim, register, stored
from tests.servers import S3Server

COMMANDS = [
    *("scan", "up", "report", "audit", "replay", "doctor", "worker", "beat", "consume", "webhook", "ingest"),
    *("db upgrade", "model info", "model verify", "model activate"),
    *("model versions", "model shadow", "model compare", "model promote", "model rollback"),
    *("review add", "review import", "review export", "review restore"),
]
# Nothing listens there: ports below 1024 are not handed out by chance.
NOBODY = "127.0.0.1:9"


class CommandLine:
    """`walkaround`, run in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def set(self, **settings: object) -> None:
        for name, value in settings.items():
            self._monkeypatch.setenv(f"WALKAROUND_{name.upper()}", str(value))

    def run(self, *arguments: object) -> tuple[int, str, str]:
        """The exit code, and what came out on stdout and stderr."""
        self._monkeypatch.setattr(sys, "argv", ["walkaround", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        output = self._capsys.readouterr()
        return int(end.value.code or 0), output.out, output.err

    def fails(self, code: int, *arguments: object) -> str:
        """The one sentence that a run which must fail leaves."""
        found, output, errors = self.run(*arguments)
        assert found == code, errors
        assert not output.strip()
        assert errors.startswith("walkaround: ")
        assert errors.count("\n") == 1
        assert "this is a bug" not in errors
        return errors


@pytest.fixture
def walkaround(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[CommandLine]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("COLUMNS", "80")
    handlers, level, on_term = logging.root.handlers[:], logging.root.level, signal.getsignal(signal.SIGTERM)
    yield CommandLine(monkeypatch, capsys)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()
    signal.signal(signal.SIGTERM, on_term)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "car").mkdir(parents=True)
    (folder / "car" / "01.jpg").write_bytes(b"never read here")
    return folder


class TestScan:
    def test_a_folder_that_is_not_there(self, walkaround: CommandLine, tmp_path: Path) -> None:
        assert f"the folder {tmp_path / 'none'} does not exist; check the path" in walkaround.fails(1, "scan", "none")
        assert not (tmp_path / "walkaround-out").exists()

    def test_a_file_for_a_folder(self, walkaround: CommandLine, photos: Path) -> None:
        assert "is not a folder; name the folder" in walkaround.fails(1, "scan", photos / "car" / "01.jpg")

    def test_an_empty_folder(self, walkaround: CommandLine, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert "there are no photos under empty: a return is a folder of them" in walkaround.fails(1, "scan", "empty")

    def test_nothing_is_written_beside_the_photos(
        self, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = embedded_settings(str(photos), tmp_path / "out", None, None)
        assert settings.reviews == str(tmp_path / "out")
        monkeypatch.setenv("WALKAROUND_REVIEWS", "s3://decisions")
        assert embedded_settings(str(photos), tmp_path / "out", None, None).reviews == "s3://decisions"

    def test_results_inside_the_photos(self, walkaround: CommandLine, photos: Path) -> None:
        sentence = walkaround.fails(2, "scan", photos, "--out", photos / "out")
        assert f"--out {photos / 'out'} lies inside {photos}" in sentence
        assert "choose another folder" in sentence

    def test_results_where_a_file_is(self, walkaround: CommandLine, photos: Path, tmp_path: Path) -> None:
        (tmp_path / "taken").touch()
        assert "--out taken cannot be made" in walkaround.fails(2, "scan", photos, "--out", "taken")

    @pytest.mark.parametrize("template", ["{fleet", "{fleet}/", "{vehicle}", "{car}/{vehicle}/"])
    def test_a_template_that_cannot_work(self, walkaround: CommandLine, photos: Path, template: str) -> None:
        assert f"key template '{template}'" in walkaround.fails(2, "scan", photos, "--key-template", template)

    def test_a_model_that_is_not_there(self, walkaround: CommandLine, photos: Path, tmp_path: Path) -> None:
        sentence = walkaround.fails(1, "scan", photos, "--model", tmp_path / "none")
        assert f"{tmp_path / 'none'} is not a whole model artefact; give a folder" in sentence

    @pytest.mark.skipif(not SHIPPED_MODEL.exists(), reason=f"no trained model in {SHIPPED_MODEL}")
    def test_weights_that_do_not_match_their_card(self, walkaround: CommandLine, photos: Path, tmp_path: Path) -> None:
        weights = Path(shutil.copytree(SHIPPED_MODEL, tmp_path / "model")) / "model.keras"
        data = bytearray(weights.read_bytes())
        data[len(data) // 2] ^= 1
        weights.write_bytes(data)
        sentence = walkaround.fails(1, "scan", photos, "--model", tmp_path / "model")
        assert str(weights) in sentence
        assert "card" in sentence

    def test_a_database_of_a_newer_version(
        self, walkaround: CommandLine, photos: Path, sqlite_url: str, tmp_path: Path
    ) -> None:
        (tmp_path / "out").mkdir()
        _make_newer(Path(shutil.copy(sqlite_url.removeprefix("sqlite:///"), tmp_path / "out" / "walkaround.sqlite")))
        sentence = walkaround.fails(1, "scan", photos, "--out", "out")
        assert "has version 9999" in sentence
        assert "update Walkaround" in sentence

    def test_no_such_bucket(self, walkaround: CommandLine, s3_server: S3Server) -> None:
        _use(walkaround, s3_server.endpoint_url)
        assert "s3://nobodys: there is no such bucket; check its name" in walkaround.fails(1, "scan", "s3://nobodys")

    def test_nothing_listens_at_the_endpoint(self, walkaround: CommandLine) -> None:
        _use(walkaround, f"http://{NOBODY}")
        sentence = walkaround.fails(1, "scan", "s3://bucket")
        assert "s3://bucket: no whole answer" in sentence
        assert "check WALKAROUND_S3_ENDPOINT_URL" in sentence

    def test_no_credentials(self, walkaround: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        walkaround.set(s3_endpoint_url=f"http://{NOBODY}", s3_region="us-east-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        sentence = walkaround.fails(1, "scan", "s3://bucket")
        assert "s3://bucket: no credentials" in sentence
        assert "set WALKAROUND_S3_ACCESS_KEY_ID" in sentence


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
        _make_newer(Path(sqlite_url.removeprefix("sqlite:///")))
        walkaround.set(store=photos, database_url=sqlite_url)
        for command in ("audit", "db upgrade"):
            assert "which this program does not know" in walkaround.fails(1, *command.split())

    def test_one_that_is_read_only(self, walkaround: CommandLine, sqlite_url: str) -> None:
        walkaround.set(database_url=f"sqlite:///file:{sqlite_url.removeprefix('sqlite:///')}?mode=ro&uri=true")
        assert "it is read-only; give this user write permission" in walkaround.fails(1, "db", "upgrade")


class TestAudit:
    def test_names_what_lies_in_no_set_and_fails(self, walkaround: CommandLine, photos: Path, sqlite_url: str) -> None:
        (photos / "[stray].jpg").touch()
        walkaround.set(store=photos, database_url=sqlite_url, key_template="{vehicle}/")
        code, output, _ = walkaround.run("audit")
        assert code == 1
        assert "[stray].jpg: lies in no return" in output
        assert "car/01.jpg: not in the database; run a scan" in output
        assert "Audit failed: 2 objects" in output


def test_replay_makes_due_again_what_was_given_up(walkaround: CommandLine, photos: Path, sqlite_url: str) -> None:
    walkaround.set(store=photos, database_url=sqlite_url, key_template="{vehicle}/", broker_url=f"redis://{NOBODY}/0")
    sessions = make_sessions(make_engine(sqlite_url))
    register(sessions)
    car = SetRef("default", "car", "1", "car/")
    (work,) = transactions.ingest(
        sessions, str(photos.resolve()), car, stored(car, "01"), MARKED, None, None, NOW, []
    ).opened
    transactions.bury(sessions, must_claim(sessions, work), "a reason")
    assert walkaround.run("replay")[:2] == (0, "car/: due again\n")
    assert all_due(sessions, timedelta(0)) == [(work, "classify")]
    assert walkaround.run("replay")[:2] == (0, "there is nothing to score again\n")


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


def _use(walkaround: CommandLine, endpoint: str) -> None:
    walkaround.set(
        s3_endpoint_url=endpoint,
        s3_region="us-east-1",
        s3_path_style=True,
        s3_access_key_id="testing",
        s3_secret_access_key="testing",
    )


def _make_newer(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
