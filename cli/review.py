"""`walkaround review add | import | export | restore`: what people decide, before there is a page and beside it."""

import getpass
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from core.canonical import sha256_of
from core.domain import Label
from core.errors import ReviewRefused, WalkaroundError
from core.review_line import ReviewLine, parse_review
from core.settings import load_settings
from db import queries, transactions
from workers.app import make_app, resources
from workers.context import Context
from workers.review_objects import BATCH as OBJECTS_AT_ONCE
from workers.review_objects import restore_reviews, stored_reviews, write_reviews

BATCH = 500  # lines stored in one transaction
STDIO = "-"

AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]


def add(
    set_key: Annotated[str, typer.Argument(help="The return's folder, as `walkaround report --json` names it.")],
    label: Annotated[Label, typer.Option(help="The decision.")],
    reason: Annotated[str, typer.Option(help="Why, in a word that can be counted: dent, scratch, dirt, reflection.")],
    reviewer: Annotated[str | None, typer.Option(help="Who decided; by default the user's name.")] = None,
    generation: Annotated[
        int | None, typer.Option(min=1, help="Which content was seen; by default the current.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record a decision on a return. It counts before the model's verdict, also after the return is scored again.

    Example: `walkaround review add returns/harbour/HB-204/2026-11-20-0815/ --label clear --reason reflection`
    """
    context = _context()
    who = reviewer or getpass.getuser()
    decision: dict[str, Any] = {"set_key": set_key, "label": label, "reason_code": reason, "reviewer": who}
    latest = queries.latest_review(context.sessions, context.store.name, set_key)
    if latest is not None and latest.generation == (generation or latest.generation) and _same(latest, decision):
        added, key = False, latest.idempotency_key
    else:
        # Repeating the command is idempotent; repeating a decision after a different one records a new review.
        key = f"add:{sha256_of([decision, generation, latest.key if latest else None])}"
        line = ReviewLine(**decision, key=key, generation=generation)
        (outcome,) = transactions.import_reviews(context.sessions, context.store.name, [line], datetime.now(UTC))
        if isinstance(outcome, ReviewRefused):
            raise outcome
        added = outcome
    unwritten = _write_objects(context, [key])
    if as_json:
        result = {"set_key": set_key, "label": label.value, "reviewer": who, "added": added, "unwritten": unwritten}
        typer.echo(json.dumps(result))
    else:
        typer.echo(f"{set_key}: {label.value}, by {who}, {'recorded' if added else 'was recorded already'}")


def import_lines(
    file: Annotated[str, typer.Argument(help="JSON lines, one decision each; - reads standard input.")],
    as_json: AsJson = False,
) -> None:
    """Take in decisions. Lines that are wrong are named and left out, the others go in; exit code 1 where any was.

    A line: `{"set_key": "returns/F/V/R/", "label": "damaged", "reason_code": "dent", "reviewer": "ana"}`. It may also
    name `generation`, `photos_sha256`, `reviewed_at`, `boxes`, `verdict_by` and `key`. The same line again changes
    nothing.

    Example: `walkaround review import decisions.jsonl`
    """
    context = _context()
    recorded: list[str] = []
    with _reading(file) as source:
        counts, refused = _counted("line", _outcomes(context, source, recorded))
    counts["unwritten"] = _write_objects(context, recorded)
    _conclude(counts, refused, as_json=as_json)


def restore(as_json: AsJson = False) -> None:
    """Bring back the decisions that lie in the store, after the database was lost and the fleet scanned again.

    What is there already stays as it is. Objects that cannot be taken in are named and left out, the others go in; exit
    code 1 where any was.

    Example: `walkaround review restore`
    """
    context = _context()
    keys = stored_reviews(context)
    outcomes = restore_reviews(context, keys)
    shown = track(outcomes, "Reviews", total=len(keys), console=Console(stderr=True), transient=True)
    counts, refused = _counted("object", shown)
    _conclude(counts, refused, as_json=as_json)


def export_lines(
    file: Annotated[str, typer.Argument(help="Where to write; - is standard output.")] = STDIO,
    fleet: Annotated[str | None, typer.Option(help="Only this fleet.")] = None,
    vehicle: Annotated[str | None, typer.Option(help="Only this vehicle.")] = None,
) -> None:
    """Write every decision as a line of JSON that `review import` takes in, here or in another database.

    Example: `walkaround review export decisions.jsonl --fleet harbour`
    """
    context = _context()
    lines = queries.review_lines(context.sessions, context.store.name, fleet, vehicle)
    if file == STDIO:
        _write(sys.stdout, lines)
        return
    try:
        with Path(file).open("w", encoding="utf-8") as target:
            count = _write(target, lines)
    except OSError as error:
        raise ReviewRefused(f"{file} cannot be written: {error.strerror}; name another file") from error
    typer.echo(f"{count} decisions written to {file}")


def _counted(
    what: str, outcomes: Iterable[tuple[int | str, bool | WalkaroundError]]
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """How many were added and known, and which `what` was refused for which problem."""
    counts, refused = {"added": 0, "known": 0}, []
    for where, outcome in outcomes:
        if isinstance(outcome, bool):
            counts["added" if outcome else "known"] += 1
        else:
            refused.append({what: where, "problem": str(outcome)})
    return counts, refused


def _conclude(counts: dict[str, int], refused: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**counts, "refused": refused}, ensure_ascii=False))
    else:
        for item in refused:
            (what, where), (_, problem) = item.items()
            typer.secho(f"{what} {where}: {problem}", err=True, fg=typer.colors.RED)
        typer.echo(f"{counts['added']} added, {counts['known']} known already, {len(refused)} refused")
    if refused:
        raise typer.Exit(1)


def _write_objects(context: Context, keys: list[str]) -> int:
    """Write the reviews of these keys to the store too. Returns how many failed, after a warning."""
    batches = (keys[first : first + OBJECTS_AT_ONCE] for first in range(0, len(keys), OBJECTS_AT_ONCE))
    lines = (line for batch in batches for line in queries.recorded_reviews(context.sessions, batch))
    outcome = write_reviews(context, lines)
    if outcome.problem:
        count = f"{outcome.unwritten} decisions are" if outcome.unwritten > 1 else "the decision is"
        typer.secho(
            f"{count} recorded in the database, but not written to the store: {outcome.problem}. The next fleet scan "
            "writes what is missing there, and so does this command again.",
            err=True,
            fg=typer.colors.YELLOW,
        )
    return outcome.unwritten


def _outcomes(
    context: Context, source: Iterable[bytes], recorded: list[str]
) -> Iterator[tuple[int, bool | ReviewRefused]]:
    """What became of each line, by its number, batch by batch; `recorded` gains the keys that are in the database."""
    numbered = ((number, text.strip()) for number, text in enumerate(source, start=1))
    filled = ((number, text) for number, text in numbered if text)
    while batch := [(number, _parsed(text)) for number, text in islice(filled, BATCH)]:
        good = [(number, line) for number, line in batch if not isinstance(line, ReviewRefused)]
        stored = transactions.import_reviews(
            context.sessions, context.store.name, [line for _, line in good], datetime.now(UTC)
        )
        recorded += [
            line.idempotency_key
            for (_, line), outcome in zip(good, stored, strict=True)
            if not isinstance(outcome, ReviewRefused)
        ]
        bad = [(number, line) for number, line in batch if isinstance(line, ReviewRefused)]
        yield from sorted(
            [*bad, *((number, outcome) for (number, _), outcome in zip(good, stored, strict=True))], key=_number
        )


def _number(item: tuple[int, object]) -> int:
    return item[0]


def _parsed(text: bytes) -> ReviewLine | ReviewRefused:
    try:
        return parse_review(text)
    except ReviewRefused as error:
        return error


@contextmanager
def _reading(file: str) -> Iterator[IO[bytes]]:
    if file == STDIO:
        yield sys.stdin.buffer
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115  closed below; only the opening may fail
    except OSError as error:
        raise ReviewRefused(f"{file} cannot be read: {error.strerror}; check the path") from error
    with source:
        yield source


def _write(target: IO[str], lines: Iterable[ReviewLine]) -> int:
    count = 0
    for count, line in enumerate(lines, start=1):  # noqa: B007
        target.write(f"{line.to_json()}\n")
    return count


def _same(latest: ReviewLine, decision: dict[str, Any]) -> bool:
    return all(getattr(latest, name) == value for name, value in decision.items())


def _context() -> Context:
    return resources(make_app(load_settings())).context
