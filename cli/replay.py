"""`walkaround replay`: score again what was given up or refused, once the cause is mended."""

import getpass
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import typer

from core.settings import load_settings
from db import queries
from db.queries import Replayable, ReplayFilter
from db.transactions import ReplayRequest
from workers import pipeline, replays
from workers.app import make_app, resources
from workers.context import Context


def replay(
    keys: Annotated[list[str] | None, typer.Argument(help="Folders of returns, or keys of photos in them.")] = None,
    fleet: Annotated[str | None, typer.Option(help="Only this fleet.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only returns that changed on this day or later.")
    ] = None,
    quarantined: Annotated[bool, typer.Option("--quarantined", help="Photos that were refused, too.")] = False,
    reason: Annotated[str | None, typer.Option(help="Only photos refused for this reason, as decoder_memory.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would be; change nothing.")] = False,
    why: Annotated[str | None, typer.Option(help="Recorded with each return: what was mended.")] = None,
    by: Annotated[str | None, typer.Option(help="Recorded with each return: who asks; else the system's user.")] = None,
) -> None:
    """Score again what was given up after too many attempts, and photos that were refused, once the cause is mended.

    Without KEYS and options: the returns that were given up. KEYS stand for those and for the refused photos in them. A
    refused photo is decoded anew as the return's next generation; the verdict before it stays.

    Examples: `walkaround replay` · `walkaround replay --reason decoder_memory --why "limit raised"` ·
    `walkaround replay returns/harbour/HB-204/2026-11-20-0815/ --dry-run`
    """
    context = resources(make_app(load_settings())).context
    folders, photos = _split(context, keys or [])
    wanted = ReplayFilter(
        context.store.name,
        set_keys=folders,
        object_keys=photos,
        fleet=fleet,
        since=since.replace(tzinfo=context.settings.zone) if since else None,
        photos=quarantined or reason is not None or bool(keys),
        reason=reason,
    )
    if dry_run:
        _show(queries.replayable(context.sessions, wanted), "would be ")
    else:
        _show(replays.replay(context, wanted, ReplayRequest(by or getpass.getuser(), why)), "")


def _split(context: Context, keys: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The folders of returns, and the photos, that keys name. Raises `InvalidKey`."""
    folders, photos = [], []
    for key in keys:
        set_key = pipeline.set_of(context, key).set_key
        if key.rstrip("/") == set_key.rstrip("/"):
            folders.append(set_key)
        else:
            photos.append(key)
    return tuple(folders), tuple(photos)


def _show(found: Iterable[Replayable], verb: str) -> None:
    count = 0
    for item in found:
        count += 1
        photos = "1 photo" if len(item.refused) == 1 else f"{len(item.refused)} photos"
        what = f"due again, {photos} decoded anew" if item.refused else "due again"
        typer.echo(f"{item.set_key}: {verb}{what}")
    if not count:
        typer.echo("there is nothing to score again")
