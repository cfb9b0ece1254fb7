"""`walkaround ingest`: look at returns again now."""

from typing import Annotated

import typer

from core.settings import load_settings
from workers import pipeline
from workers.app import make_app, resources


def ingest(
    keys: Annotated[list[str], typer.Argument(help="Keys of photos, or the folders of sets.")],
) -> None:
    """Look at sets again now, as if an event had come.

    Example: `walkaround ingest returns/harbour/HB-204/2026-11-20-0815/`
    """
    settings = load_settings()
    context = resources(make_app(settings)).context
    for key in keys:
        outcome = pipeline.ingest(context, pipeline.set_of(context, key))
        state = f"closed by {outcome.closed_by}" if outcome.closed_by else "still open"
        typer.echo(f"{key}: generation {outcome.generation}, {state}, {'changed' if outcome.changed else 'as it was'}")
