"""Run by Alembic: applies the migrations to the connection that `db.session` gives, inside its transaction."""

from alembic import context

from db.models import Base
from db.roles import grant_roles
from db.views import create_views, drop_views

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,  # SQLite can, though Alembic's default does not trust it to
    compare_type=True,
)
with context.begin_transaction():
    drop_views(connection)
    context.run_migrations()
    create_views(connection)
    grant_roles(connection)
