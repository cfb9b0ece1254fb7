"""The verdicts as a table in a terminal. Readable without colour: every standing has a symbol and a word."""

from collections.abc import Sequence
from itertools import islice

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.domain import PhotoStatus
from reports.view import Report, ReturnView, Standing
from reports.words import explain_verdict, percent

_STYLES = {
    Standing.DAMAGED: "bold red",
    Standing.UNDECIDED: "bold yellow",
    Standing.FAILED: "bold magenta",
    Standing.PENDING: "cyan",
    Standing.OPEN: "cyan",
    Standing.CLEAR: "green",
    Standing.EMPTY: "dim",
}
PAGE = 1000  # rows of one table: its columns are as wide as they need
_WIDE = 110  # columns from which the reason has a column of its own


def print_table(console: Console, report: Report) -> None:
    """Print one row per return, most urgent first, and a line that sums up. Long reports are several tables."""
    returns = iter(report.returns)
    page = list(islice(returns, PAGE))
    if not page:
        console.print("No returns.")
        return
    while page:
        console.print(_table(page, wide=console.width >= _WIDE))
        page = list(islice(returns, PAGE))
    console.print(_summary(report))


def _table(page: Sequence[ReturnView], *, wide: bool) -> Table:
    parts = [part for part, default in (("fleet", "default"), ("return_ref", "1")) if _any_other(page, part, default)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Vehicle", overflow="fold", style="bold")
    for part in parts:
        table.add_column({"fleet": "Fleet", "return_ref": "Return"}[part], overflow="fold")
    table.add_column("Score", justify="right", no_wrap=True)
    table.add_column("Photos", justify="right", no_wrap=True)
    table.add_column("Why" if wide else "Worst photo", overflow="fold")
    for found in page:
        # As text, never as markup: a name may hold brackets.
        named = [Text(getattr(found, part)) for part in ("vehicle", *parts)]
        why = Text(_why(found, wide=wide))
        table.add_row(_verdict(found), *named, percent(found.score), _count(found), why)
    return table


def _any_other(page: Sequence[ReturnView], part: str, default: str) -> bool:
    return any(getattr(found, part) != default for found in page)


def _verdict(found: ReturnView) -> Text:
    return Text(f"{found.standing.symbol} {found.standing.value}", style=_STYLES[found.standing])


def _count(found: ReturnView) -> str:
    """How many photos there are, or how many of them were scored."""
    refused = sum(photo.refused for photo in found.photos)
    return f"{len(found.photos) - refused} of {len(found.photos)}" if refused else str(len(found.photos))


def _why(found: ReturnView, *, wide: bool) -> str:
    if wide:
        return explain_verdict(found)
    return found.worst.name if found.worst else "–"


def _summary(report: Report) -> Text:
    line = Text(f"{_counted(report.totals.returns, 'return')}: ")
    for place, (standing, count) in enumerate(report.totals.standings.items()):
        line.append(", " if place else "").append(f"{count} {standing.value}", style=_STYLES[standing])
    line.append(f". {_counted(report.totals.photos, 'photo')}")
    others = {s: n for s, n in report.totals.photo_statuses.items() if s is not PhotoStatus.OK}
    if others:
        words = {PhotoStatus.SEEN: "waiting"}
        line.append(": " + ", ".join(f"{count} {words.get(status, status.value)}" for status, count in others.items()))
    return line.append(f"\nModel: {report.model}" if report.model else "")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
