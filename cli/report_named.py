"""`walkaround report NAME`: one of the SQL views, as a table, CSV, JSON, Parquet or a page with charts."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.errors import SettingsInvalid
from db import queries
from db.queries.tables import ReportFilter, ReportTable, report_table
from reports.export import csv_pieces, json_pieces, shown_columns, shown_rows, write_parquet
from reports.fleet import read_fleet
from reports.view import Standing
from workers.context import Context

PAGE = 1000  # rows of one table: its columns are as wide as they need


@dataclass(frozen=True, slots=True)
class Target:
    """Where a report is written to: a table in the terminal unless something else is chosen."""

    as_json: bool = False
    as_csv: bool = False
    parquet: Path | None = None
    html: Path | None = None

    @property
    def for_programs(self) -> bool:
        """Whether standard output is read by a program."""
        return self.as_json or self.as_csv


def show_named_report(
    context: Context,
    name: str,
    fleet: str | None,
    vehicle: str | None,
    since: datetime | None,
    until: datetime | None,
    target: Target,
) -> None:
    """Read the report and write it wherever the target says. Raises `SettingsInvalid`."""
    if target.as_json and target.as_csv:
        raise SettingsInvalid("--json and --csv both write to standard output; choose one")
    report_filter = period(context, fleet, vehicle, since.date() if since else None, until.date() if until else None)
    table = report_table(context.sessions, name, report_filter)
    if target.as_json:
        sys.stdout.writelines(json_pieces(table))
    elif target.as_csv:
        sys.stdout.writelines(csv_pieces(table))
    elif target.parquet is None and target.html is None:
        print_report(Console(), table, context.settings.zone)
    if target.parquet is not None:
        count = write_parquet(table, target.parquet)
        typer.echo(f"{count} rows written to {target.parquet}", err=target.for_programs)
    if target.html is not None:
        _write_html(context, table, report_filter, target.html)
        typer.echo(f"Page with charts: {target.html}", err=target.for_programs)


def period(
    context: Context, fleet: str | None, vehicle: str | None, first: date | None, last: date | None
) -> ReportFilter:
    """The rows of this store between two days of the fleet's own calendar, both included."""
    if first and last and first > last:
        raise SettingsInvalid(f"--since {first} is after --until {last}; swap them")
    return ReportFilter(
        bucket=context.store.name,
        fleet=fleet,
        vehicle=vehicle,
        since=_midnight(first, context.settings.zone) if first else None,
        until=_midnight(last + timedelta(days=1), context.settings.zone) if last else None,
        first_day=first,
        last_day=last,
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def print_report(console: Console, table: ReportTable, zone: ZoneInfo) -> None:
    """Print what a row is, and the rows as people read them. Long reports are several tables."""
    console.print(Text(table.comment.replace("`", ""), style="dim"))
    names, rows = shown_columns(table), iter(shown_rows(table, zone))
    page, total = list(islice(rows, PAGE)), 0
    if not page:
        console.print("No rows.")
        return
    count = _fitting(names, page, console.width)
    while page:
        console.print(_table(names[:count], page))
        total += len(page)
        page = list(islice(rows, PAGE))
    more = f"; {len(names) - count} more columns in a wider window, or with --csv" if count < len(names) else ""
    console.print(f"{total:,} {'row' if total == 1 else 'rows'}; times in {zone.key}{more}", soft_wrap=True)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        # As text, never as markup: a name may hold brackets.
        table.add_row(*(Text(value) for value in row[: len(names)]))
    return table


def _fitting(names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> int:
    """How many columns fit side by side without folding, at least three."""
    widths = [max(len(text) for text in (name, *(row[place] for row in rows))) for place, name in enumerate(names)]
    total, count = 0, 0
    for column in widths:
        total += column + 1
        if total > width:
            break
        count += 1
    return max(3, count)


def _write_html(context: Context, table: ReportTable, report_filter: ReportFilter, path: Path) -> None:
    # These load Pillow and Jinja2, which no other report needs.
    from reports.fleet_page import FleetPage, Section, write_fleet_page  # noqa: PLC0415
    from reports.pictures import open_thumbnailer  # noqa: PLC0415

    now = datetime.now(UTC)
    zone = context.settings.zone
    fleet = read_fleet(context.sessions, report_filter, zone, now)
    totals = fleet.totals
    facts = [("returns", "", sum(totals.values())), *((s.value, s.value, totals[s]) for s in Standing if s in totals)]
    page = FleetPage(
        title=table.name.replace("_", " ").capitalize(),
        store=context.store.name,
        subtitle=_in_words(report_filter),
        made_at=now,
        zone=zone,
        fleet=fleet,
        facts=facts,
        notes=(),
        sections=[Section("Vehicles most suspected of damage", fleet.vehicles, "No return is damaged.")],
        tables=[table],
        photos=photos_of(context, [found.set_id for found in fleet.vehicles]),
        table_first=True,
    )
    with open_thumbnailer(context.store, context.settings) as render:
        write_fleet_page(path, page, render)


def photos_of(context: Context, set_ids: list[int]) -> dict[int, list[queries.PhotoReport]]:
    """The sets' photos with the active model's predictions."""
    model = queries.active_model(context.sessions)
    return queries.photos_of_sets(context.sessions, set_ids, model.id) if model and set_ids else {}


def _in_words(report_filter: ReportFilter) -> str:
    who = " ".join(part for part in (report_filter.fleet or "all fleets", report_filter.vehicle) if part)
    if report_filter.first_day and report_filter.last_day:
        return f"{who}, {report_filter.first_day} to {report_filter.last_day}"
    if report_filter.first_day:
        return f"{who}, from {report_filter.first_day}"
    return f"{who}, until {report_filter.last_day}" if report_filter.last_day else f"{who}, all days"
