"""The page of a report or of a night: its charts, its cards and its tables, without a browser."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from core.domain import Label, PhotoStatus
from db.queries import PhotoReport
from db.queries.fleet_figures import ReturnBrief
from db.queries.tables import ReportTable
from reports.fleet import Day, FleetReport, by_age
from reports.fleet_page import MAX_ROWS, WEEKS_FROM, FleetPage, Section, write_fleet_page
from reports.page import RenderThumbnails, data_uri
from reports.pictures import Picture
from reports.view import Standing

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
MONDAY = date(2026, 9, 7)


def no_pictures(wanted: Any) -> list[None]:
    return [None] * len(wanted)


def written(path: Path, render: RenderThumbnails = no_pictures, **changes: Any) -> str:
    """The text of a page with nothing on it but `changes`."""
    values: dict[str, Any] = {
        "fleet": FleetReport([], by_age([]), [], []),
        **dict.fromkeys(("facts", "notes", "sections", "tables"), ()),
        "photos": {},
        **changes,
    }
    page = FleetPage("Fleet", "s3://bucket", "all fleets", NOW, ZoneInfo("Europe/Riga"), **values)
    write_fleet_page(path / "page.html", page, render)
    return (path / "page.html").read_text("utf-8")


def days(count: int) -> list[Day]:
    return [Day(MONDAY + timedelta(days=n), {Standing.DAMAGED: 1, Standing.CLEAR: 3}) for n in range(count)]


def fleet(count: int) -> FleetReport:
    return FleetReport(days(count), by_age([]), [], [])


def test_a_long_trend_is_counted_by_week_and_a_short_one_by_day(tmp_path: Path) -> None:
    by_day, by_week = (written(tmp_path, fleet=fleet(count)) for count in (WEEKS_FROM - 1, WEEKS_FROM))
    assert "Returns by day" in by_day
    assert by_day.count('class="stack"') == WEEKS_FROM - 1
    assert "Returns by week" in by_week
    assert by_week.count('class="stack" title="') == 9
    assert 'title="2026-09-07: 28"' in by_week
    assert 'class="damaged" style="height: 25.00%"' in by_week


def test_the_time_is_of_the_fleet_and_empty_parts_say_so(tmp_path: Path) -> None:
    text = written(tmp_path, sections=[Section("New damage", [], "None tonight.")])
    assert "23 November 2026, 01:30 Europe/Riga" in text
    for words in ("None tonight.", "No vehicle came back in this period.", "Nobody has decided a return"):
        assert words in text


def test_a_card_shows_the_most_suspicious_photo_with_its_heat_map(tmp_path: Path) -> None:
    found = ReturnBrief(7, "r/", "harbour", "<b>HB</b>", "r1", Label.DAMAGED, 0.9, 1, NOW, "model", "new")
    photos = [
        PhotoReport(f"r/{name}.jpg", name, PhotoStatus.OK, None, probability, None, 640, 480)
        for name, probability in (("a", 0.2), ("b", 0.97), ("c", None))
    ]
    asked: list[tuple[str, bool]] = []

    def render(wanted: Any) -> list[Picture]:
        asked.extend((photo.key, with_heat) for photo, with_heat in wanted)
        return [Picture(b"plain", 320, 240, b"heat")] * len(wanted)

    text = written(tmp_path, render, sections=[Section("New damage", [found], "None.")], photos={7: photos})
    assert asked == [("r/b.jpg", True)]
    assert data_uri(b"heat") in text
    assert "worst photo 97\u00a0% · new damage" in text
    assert "<b>HB</b>" not in text


def test_a_long_table_ends_with_how_many_rows_are_left_out(tmp_path: Path) -> None:
    rows = [("harbour", f"V-{number}") for number in range(MAX_ROWS + 1234)]
    text = written(tmp_path, tables=[ReportTable("new_damage", "A row.", ("fleet", "vehicle_ref"), rows)])
    assert "New damage" in text
    assert f"<td>V-{MAX_ROWS - 1}</td>" in text
    assert f"<td>V-{MAX_ROWS}</td>" not in text
    assert "1,234 more rows" in text
