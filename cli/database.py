"""`walkaround db`: the schema."""

import typer

from core.settings import load_settings
from db import session
from db.failures import shown


def upgrade() -> None:
    """Bring the database of WALKAROUND_DATABASE_URL to this version. Safe to run again, and while workers run.

    Example: `walkaround db upgrade`
    """
    engine = session.make_engine(load_settings().database_url.get_secret_value())
    try:
        session.upgrade(engine)
    finally:
        engine.dispose()
    typer.echo(f"{shown(engine.url)} is up to date")
