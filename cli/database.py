"""`walkaround db`: the schema."""

import typer

from core.settings import load_settings

database_app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@database_app.callback()
def database() -> None:
    """The database's schema."""


@database_app.command()
def upgrade() -> None:
    """Bring the database of WALKAROUND_DATABASE_URL to this version. Safe to run again, and while workers run.

    Example: `walkaround db upgrade`
    """
    from db import session

    engine = session.make_engine(load_settings().database_url.get_secret_value())
    session.upgrade(engine)
    typer.echo(f"{engine.url.render_as_string(hide_password=True)} is up to date")
