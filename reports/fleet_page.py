"""The page of a report or of a night: charts, the returns to look at with their pictures, and a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from db.queries import PhotoReport
from db.queries.fleet_figures import ReturnBrief
from db.queries.tables import ReportTable
from reports.export import shown_columns, shown_rows
from reports.fleet import Day, FleetReport
from reports.page import RenderThumbnails, data_uri, environment, page_parts, short_store, write_page
from reports.reading import photo_view
from reports.view import Standing
from reports.words import percent

MAX_ROWS = 500  # of the table, on a page
WEEKS_FROM = 63  # days from which the trend counts by week
_LABELS = 6  # under the trend's columns


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page that is a list of returns, and the words where it is empty."""

    title: str
    returns: Sequence[ReturnBrief]
    empty: str


@dataclass(frozen=True, slots=True)
class FleetPage:
    """What a page shows. `facts` are figures with their words; `notes` are sentences under them."""

    title: str
    store: str
    subtitle: str
    made_at: datetime
    zone: ZoneInfo
    fleet: FleetReport
    facts: Sequence[tuple[str, str, int]]
    notes: Sequence[str]
    sections: Sequence[Section]
    tables: Sequence[ReportTable]
    photos: Mapping[int, Sequence[PhotoReport]]
    table_first: bool = False


def write_fleet_page(path: Path, page: FleetPage, render: RenderThumbnails) -> None:
    """Write the page to `path`, whole or not at all."""
    write_page(
        path,
        environment().get_template("fleet.html"),
        page=page,
        store=short_store(page.store),
        made_at=f"{page.made_at.astimezone(page.zone):%d %B %Y, %H:%M} {page.zone.key}".lstrip("0"),
        trend=_trend(page.fleet.days),
        ages=_ages(page.fleet.ages),
        reliability=[_dot(found) for found in page.fleet.reliability],
        reviewed=sum(found.returns for found in page.fleet.reliability),
        sections=[
            {"title": section.title, "empty": section.empty, "cards": _cards(section.returns, page.photos, render)}
            for section in page.sections
        ],
        tables=[_table(table, page.zone) for table in page.tables],
        **page_parts("panels.css", "fleet.css"),
    )


def _trend(days: Sequence[Day]) -> dict[str, Any]:
    """Stacked columns, a day or a week each, heights in parts of the highest."""
    by_week = len(days) >= WEEKS_FROM
    columns = _weeks(days) if by_week else days
    highest = max((day.total for day in columns), default=0)
    every = max(1, -(-len(columns) // _LABELS))
    standings = [standing for standing in Standing if any(standing in day.counts for day in columns)]
    return {
        "unit": "week" if by_week else "day",
        "highest": highest,
        "standings": standings,
        "columns": [
            {
                "label": f"{day.day:%d %b}".lstrip("0") if number % every == 0 else "",
                "name": f"{day.day:%Y-%m-%d}",
                "counts": [day.counts.get(standing, 0) for standing in standings],
                "parts": [
                    (standing.value, f"{100 * day.counts[standing] / highest:.2f}")
                    for standing in standings
                    if day.counts.get(standing)
                ],
            }
            for number, day in enumerate(columns)
        ],
    }


def _weeks(days: Sequence[Day]) -> list[Day]:
    """The same by ISO week, named by its first day here."""
    weeks = []
    for _, group in groupby(days, lambda day: day.day.isocalendar()[:2]):
        inside = list(group)
        counts = {standing: sum(day.counts.get(standing, 0) for day in inside) for standing in Standing}
        weeks.append(Day(inside[0].day, {standing: count for standing, count in counts.items() if count}))
    return weeks


def _ages(ages: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    highest = max((count for _, count in ages), default=0)
    return [
        {"name": name, "count": count, "width": f"{100 * count / highest if highest else 0:.1f}"}
        for name, count in ages
    ]


def _dot(found: Any) -> dict[str, Any]:
    """Where a bin lies in the plot's 0 to 100, upwards being less."""
    return {
        "x": f"{100 * found.mean:.2f}",
        "y": f"{100 - 100 * found.share:.2f}",
        "top": f"{100 - 100 * found.high:.2f}",
        "bottom": f"{100 - 100 * found.low:.2f}",
        "radius": f"{min(4.0, 1.2 + 0.25 * found.returns**0.5):.2f}",
        "mean": percent(found.mean),
        "share": percent(found.share) if 0 < found.damaged < found.returns else f"{found.share:.0%}",
        "returns": found.returns,
    }


def _cards(
    returns: Sequence[ReturnBrief], photos: Mapping[int, Sequence[PhotoReport]], render: RenderThumbnails
) -> list[dict[str, Any]]:
    """Each return with the picture of its most suspicious photo, the heat map laid over."""
    worst = [_worst(photos.get(found.set_id, ())) for found in returns]
    wanted = [photo_view(photo) for photo in worst if photo is not None]
    taken = dict(zip((photo.key for photo in wanted), render([(photo, True) for photo in wanted]), strict=True))
    cards = []
    for found, photo in zip(returns, worst, strict=True):
        picture = taken.get(photo.key) if photo else None
        said = percent(photo.probability) if photo else percent(found.score)
        cards.append(
            {
                "found": found,
                "standing": found.label.value,
                "said": said,
                "picture": data_uri(picture.heat or picture.jpeg) if picture else None,
                "alt": f"{found.vehicle}: the photo most suspected of damage, {said}",
            }
        )
    return cards


def _worst(photos: Sequence[PhotoReport]) -> PhotoReport | None:
    scored = [photo for photo in photos if photo.probability is not None]
    return max(scored, key=lambda photo: photo.probability or 0, default=None)


def _table(table: ReportTable, zone: ZoneInfo) -> dict[str, Any]:
    rows = iter(shown_rows(table, zone))
    shown = list(islice(rows, MAX_ROWS))
    return {
        "name": table.name.replace("_", " "),
        "comment": table.comment.replace("`", ""),
        "columns": [name.replace("_", " ") for name in shown_columns(table)],
        "rows": shown,
        "more": sum(1 for _ in rows),
    }
