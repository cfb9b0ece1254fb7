"""`walkaround report NAME`: to the terminal, to programs, to a page; by fleet and the fleet's own days."""

import csv
import json
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer import Typer
from typer.testing import CliRunner

from cli.report import report
from core.errors import SettingsInvalid
from db.session import make_sessions
from tests.integration.db.queries.test_tables import tell
from tests.photo_sets import BUCKET

APP = Typer()
APP.command()(report)


@pytest.fixture
def run(
    database_url: str, make_test_engine: Callable[..., Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """The command over four returns of a store whose name is the tests' own; what it prints."""
    tell(make_sessions(make_test_engine(database_url)))
    (tmp_path / "photos").mkdir()
    monkeypatch.setattr("core.storage.folder.FolderPhotoStore.name", BUCKET)
    environment = {
        "WALKAROUND_DATABASE_URL": database_url,
        "WALKAROUND_STORE": str(tmp_path / "photos"),
        "WALKAROUND_TIMEZONE": "Europe/Riga",
        "COLUMNS": "200",
    }

    def invoke(*arguments: str | Path) -> str:
        result = CliRunner().invoke(APP, [str(argument) for argument in arguments], env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    return invoke


def vehicles(output: str) -> list[str]:
    rows: list[dict[str, Any]] = json.loads(output)["rows"]
    return sorted(row["vehicle_ref"] for row in rows)


def test_days_are_the_fleets_own_and_both_included(run: Callable[..., str]) -> None:
    """What came back at 23:30 in UTC came back the next day in Riga."""
    assert vehicles(run("return_status", "--json")) == ["A", "A", "B", "C"]
    assert vehicles(run("return_status", "--json", "--since", "2026-11-23", "--until", "2026-11-23")) == ["A", "C"]
    assert vehicles(run("return_status", "--json", "--until", "2026-11-22", "--fleet", "harbour")) == ["A"]
    with pytest.raises(SettingsInvalid, match="--since 2026-11-23 is after --until 2026-11-22; swap them"):
        run("return_status", "--since", "2026-11-23", "--until", "2026-11-22")


def test_a_person_reads_a_table_in_their_time_zone(run: Callable[..., str]) -> None:
    shown = run("new_damage")
    assert "A row is a return that stands damaged while" in shown
    assert re.search(r"harbour +A +2026-11-22 +2026-11-23 01:30", shown)
    assert "1 row; times in Europe/Riga" in shown
    assert "No rows." in run("quarantine")


def test_a_program_reads_csv(run: Callable[..., str]) -> None:
    rows = list(csv.DictReader(StringIO(run("fleet_day", "--csv", "--fleet", "airport"))))
    assert [(row["fleet"], row["day"], row["damaged"]) for row in rows] == [("airport", "2026-11-20", "1")]


def test_a_page_needs_nothing_else(run: Callable[..., str], tmp_path: Path) -> None:
    run("fleet_day", "--html", tmp_path / "fleet.html")
    text = (tmp_path / "fleet.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!data:)|url\(|@import|https?:""", text)
    for words in ("Returns by day", "How long returns have waited", "Can its scores be believed?", "Fleet day"):
        assert words in text
    assert text.count('class="card ') == 2, "one for each vehicle that stands damaged"


def test_what_cannot_be_is_said(run: Callable[..., str]) -> None:
    with pytest.raises(SettingsInvalid, match="--json and --csv both write to standard output"):
        run("fleet_day", "--json", "--csv")
    with pytest.raises(SettingsInvalid, match="need a report"):
        run("--csv")
    with pytest.raises(SettingsInvalid, match="there is no report 'fleet'"):
        run("fleet")
