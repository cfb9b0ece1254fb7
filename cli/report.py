"""`walkaround report` and `walkaround audit`: what was decided, and the proof that nothing is missing."""

import json
import sys
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.report_named import Target, show_named_report
from core.errors import SettingsInvalid
from core.photos.sandbox.loader import make_loader
from core.settings import load_settings
from reports import json_pieces, print_table, read_report
from workers.audit import audit as account
from workers.bootstrap import make_context
from workers.context import Context, NoPublisher

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day in the fleet's time zone.")]


def report(
    name: Annotated[str | None, typer.Argument(help="A report, as fleet_day; without one, every return.")] = None,
    fleet: Annotated[str | None, typer.Option(help="Only this fleet.")] = None,
    vehicle: Annotated[str | None, typer.Option(help="Only this vehicle.")] = None,
    since: Day = None,
    until: Day = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the report NAME as CSV on standard output.")] = False,
    parquet: Annotated[Path | None, typer.Option(help="Write the report NAME to this Parquet file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures and charts to this file too.")] = None,
) -> None:
    """Show the current verdict of every return; or the report NAME, by fleet, vehicle and days (both included).

    NAME is one of the views in docs/reporting.md: fleet_day, review_queue, new_damage, quarantine, backlog and others.

    Examples: `walkaround report --fleet harbour` · `walkaround report new_damage --since 2026-11-01 --csv` ·
    `walkaround report fleet_day --html fleet.html`
    """
    context = _context()
    if name is not None:
        target = Target(as_json=as_json, as_csv=as_csv, parquet=parquet, html=html)
        show_named_report(context, name, fleet, vehicle, since, until, target)
        return
    if since or until or as_csv or parquet:
        raise SettingsInvalid(
            "--since, --until, --csv and --parquet need a report: walkaround report current_verdict ..."
        )
    show_report(context, Console(stderr=as_json), as_json=as_json, html=html, fleet=fleet, vehicle=vehicle)


def audit(
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures and findings as JSON.")] = False,
) -> None:
    """Account for every object of the store: each photo in a verdict that can be recomputed, quarantined or pending.

    What is left out is counted by its rule. Exits with 1 where anything is not accounted for.

    Example: `walkaround audit`
    """
    if not audit_and_show(_context(), Console(), as_json=as_json):
        raise typer.Exit(1)


def show_report(
    context: Context,
    console: Console,
    *,
    as_json: bool = False,
    html: Path | None = None,
    fleet: str | None = None,
    vehicle: str | None = None,
) -> None:
    """Print the report of the context's store as a table, or as JSON on stdout; write the HTML page where asked."""
    found = read_report(context.sessions, context.store.name, fleet=fleet, vehicle=vehicle)
    if as_json:
        sys.stdout.writelines(json_pieces(found))
    else:
        print_table(console, found)
    if html is not None:
        from reports.html import write_html_report  # noqa: PLC0415  loads Pillow and Jinja2, which no other report needs

        with closing(make_loader(context.settings)) as loader, console.status("Writing the report ..."):
            write_html_report(html, found, context.store, loader, max_bytes=context.settings.max_photo_bytes)
        console.print(f"Report with photos and heat maps: {html}", markup=False, soft_wrap=True)


def audit_and_show(context: Context, console: Console, *, as_json: bool = False) -> bool:
    """Run the audit, print what it found, and say whether it passed."""
    result = account(
        context.store, context.layout, context.sessions, datetime.now(UTC), context.settings.max_pending_age
    )
    if as_json:
        figures = {"passed": result.passed, "parts": dict(result.parts), **asdict(result)}
        typer.echo(json.dumps(figures, default=str, indent=2))
        return result.passed
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)  # keys may hold brackets
    parts = " + ".join(f"{count} {words}" for words, count in result.parts.items()) or "none"
    say(f"Audit: {result.listing.objects} objects = {parts}")
    say(f"{result.sets} returns; {result.recomputed} verdicts recomputed")
    for finding in result.findings:
        say(f"  {finding}", style="red")
    if result.unplaced:
        say(f"Audit failed: {result.unplaced} objects or verdicts are not accounted for", style="bold red")
    else:
        say("Audit passed: every object is accounted for", style="green")
    return result.passed


def _context() -> Context:
    return make_context(load_settings(), NoPublisher())
