"""No output shows a secret: planted in every setting that may hold one, searched for in all that every command says."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import click
import pytest
import structlog
from pydantic import SecretStr
from typer.main import get_command

from cli.main import app, main
from core.settings import Settings, load_settings
from db.session import make_engine
from tests.integration.deployment import WALKAROUND, wait_until
from workers.app import make_app

pytestmark = pytest.mark.timeout(600)
PLANTED = "Zq7PlantedSecret"
PATIENCE = 180  # seconds, on a busy machine
NOBODY = "127.0.0.1:9"
# What each command needs before it comes to its servers.
ARGUMENTS = {
    **{"scan": ["none"], "up": ["none"], "ingest": ["returns/a/b/c/"]},
    **{"review add": ["returns/a/b/c/", "damaged", "--by", "somebody"], "review import": ["none.csv"]},
}
RUNNING = ("worker", "beat", "consume", "webhook")
# Addresses that no server answers on, each with a secret in it.
PLANTS = {
    "database_url": f"postgresql+psycopg://user:{PLANTED}1@{NOBODY}/walkaround",
    "broker_url": f"redis://user:{PLANTED}2@{NOBODY}/0",
    "s3_secret_access_key": f"{PLANTED}3",
    "report_webhook_url": f"https://user:{PLANTED}4@{NOBODY}/services/{PLANTED}4",
    "report_webhook_secret": f"whsec_{PLANTED}{PLANTED}",
    "webhook_token": f"{PLANTED}6 of some length",
}
# The same in forms that a person may write and no program can read.
BROKEN = {
    "database_url": [f"postgresql+psycopg://user:a@{PLANTED}:b@{NOBODY}/w", f"mysql://user:{PLANTED}@h/w", PLANTED],
    "broker_url": [f"redis://:{PLANTED}#9@{NOBODY}/0", f"redis://:{PLANTED}/9@h", f"redis://:9@{PLANTED}@h", PLANTED],
    "report_webhook_url": [f"https://user:{PLANTED}/9@h/x", f"hooks/{PLANTED}"],
    "report_webhook_secret": [PLANTED, f"whsec_{PLANTED}"],
    "store": [f"s3://key:{PLANTED}@bucket/prefix", f"https://key:{PLANTED}@host/bucket"],
    "s3_endpoint_url": [f"http://key:{PLANTED}@{NOBODY}"],
    "sqs_queue_url": [f"https://key:{PLANTED}@{NOBODY}/queue"],
    "sqs_endpoint_url": [f"https://key:{PLANTED}@{NOBODY}"],
}


def commands(group: click.Group, before: str = "") -> list[str]:
    """Every command that the program has, by its words."""
    words = []
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        path = f"{before}{name}"
        words += commands(command, f"{path} ") if isinstance(command, click.Group) else [path]
    return words


ALL = commands(get_command(app))  # type: ignore[arg-type]
ONE_OFF = [words for words in ALL if words not in RUNNING and not words.startswith("model train")]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    photos = tmp_path / "photos" / "car"
    photos.mkdir(parents=True)
    (photos / "01.jpg").touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WALKAROUND_")}
    settings = PLANTS | {
        "store": str(photos.parent),
        "s3_access_key_id": "key",
        "sqs_queue_url": f"http://{NOBODY}/queue",
        "sqs_endpoint_url": f"http://{NOBODY}",
        "log_level": "DEBUG",
    }
    return kept | {f"WALKAROUND_{name.upper()}": value for name, value in settings.items()}


def start(environment: dict[str, str], folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """A command of the program; all that it says goes to one file."""
    with (folder / "said").open("wb") as said:
        return subprocess.Popen(
            [*WALKAROUND, "--verbose", *words],
            env=environment | {"PYTHONPATH": str(Path(__file__).parents[3])},
            cwd=folder,
            stdout=said,
            stderr=said,
        )


@pytest.mark.parametrize("words", ONE_OFF)
def test_a_command_whose_servers_are_away(words: str, environment: dict[str, str], tmp_path: Path) -> None:
    start(environment, tmp_path, *words.split(), *ARGUMENTS.get(words, [])).wait(PATIENCE)
    said = (tmp_path / "said").read_text()
    assert said.strip()
    assert PLANTED not in said


@pytest.mark.parametrize("words", RUNNING)
def test_a_process_that_waits_for_its_servers(words: str, environment: dict[str, str], tmp_path: Path) -> None:
    process = start(environment, tmp_path, words)
    said = tmp_path / "said"
    wait_until(lambda: "waiting" in said.read_text(), PATIENCE, said.read_text)
    sleep(3)  # for what it says after that
    process.terminate()
    process.wait(60)
    assert PLANTED not in said.read_text()


@pytest.fixture
def kept_logging() -> Iterator[None]:
    """The program sets up the logging of the process that it runs in."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("kept_logging")
@pytest.mark.parametrize("words", ["doctor", "doctor --json", "doctor --settings", "audit", "db upgrade", "replay"])
@pytest.mark.parametrize("setting", BROKEN)
def test_an_address_that_cannot_be_read(
    words: str, setting: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in PLANTS.items():
        monkeypatch.setenv(f"WALKAROUND_{name.upper()}", value)
    for value in BROKEN[setting]:
        monkeypatch.setenv(f"WALKAROUND_{setting.upper()}", value)
        monkeypatch.setattr(sys, "argv", ["walkaround", "--verbose", *words.split()])
        with pytest.raises(SystemExit):
            main()
        said = "".join(capfd.readouterr())
        assert PLANTED not in said
        assert PLANTED[:9] not in said
        if words != "doctor --settings":
            assert f"WALKAROUND_{setting.upper()}" in said


def test_nothing_that_holds_the_settings_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(**PLANTS)
    engine = make_engine(settings.database_url.get_secret_value())
    application = make_app(settings)
    shown = [settings, settings.broker, engine, engine.url, application.connection().as_uri()]
    assert PLANTED not in "".join(f"{item!r} {item} " for item in shown)
    assert PLANTED not in settings.model_dump_json()


def test_every_setting_that_may_hold_a_secret_is_planted() -> None:
    secret = {name for name, field in Settings.model_fields.items() if SecretStr in _types(field.annotation)}
    assert secret == set(PLANTS)


def _types(annotation: object) -> set[object]:
    return {annotation, *getattr(annotation, "__args__", ())}
