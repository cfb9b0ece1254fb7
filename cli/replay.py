"""`walkaround replay`: try again what was given up."""

import typer

from core.settings import load_settings
from db import queries, transactions
from workers.app import make_app, resources
from workers.queues import CLASSIFY


def replay() -> None:
    """Try again what was given up after too many attempts, once its cause is mended. See `walkaround report` for it.

    Example: `walkaround replay`
    """
    settings = load_settings()
    context = resources(make_app(settings)).context
    found = False
    for item in queries.placed_photos(context.sessions, context.store.name, context.layout.root):
        if item.dead and (work := transactions.replay(context.sessions, item.set_id)):
            found = True
            context.publish(work, CLASSIFY)
            typer.echo(f"{item.ref.set_key}: due again")
    if not found:
        typer.echo("nothing was given up")
