"""Commands run in the tests' own process."""

import logging
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import event
from sqlalchemy.pool import Pool

from cli.main import main

# Nothing listens there: ports below 1024 are not handed out by chance.
NOBODY = "127.0.0.1:9"


@pytest.fixture(autouse=True)
def _closed_connections() -> Iterator[None]:
    """Close what a command's process would close by ending."""
    opened: list[Any] = []

    def keep(connection: Any, _: object) -> None:
        opened.append(connection)

    event.listen(Pool, "connect", keep)
    yield
    event.remove(Pool, "connect", keep)
    for connection in opened:
        with suppress(Exception):
            connection.close()


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


def make_newer(file: Path) -> None:
    """Give a database the version of a program that is not written yet."""
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
