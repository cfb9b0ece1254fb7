"""PostgreSQL's group roles and what each may do. A person makes login roles and puts them in: GRANT group TO login.

Every upgrade grants anew, so a role that a database administrator made by hand gets its rights with the next one.
"""

import logging

from sqlalchemy import Connection, text

from db.models import Base
from db.views import VIEWS

_log = logging.getLogger(__name__)

_INTAKE = ("vehicle", "photo_set", "photo", "work", "scan_run")
# What `walkaround report` reads besides views: photos with predictions, which model, store and version there is.
_REPORT_TABLES = ("alembic_version", "model_version", "photo", "photo_set", "photo_store", "prediction", "vehicle")
_TABLES = (*sorted(Base.metadata.tables), "alembic_version")

# A worker also ingests: a photo that changed while it was scored is looked at again at once.
_GRANTS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "walkaround_ingest": (
        ("SELECT", _TABLES + VIEWS),
        ("INSERT, UPDATE", _INTAKE),
        ("INSERT", ("photo_store", "replay")),
    ),
    "walkaround_worker": (
        ("SELECT", _TABLES + VIEWS),
        ("INSERT, UPDATE", (*_INTAKE, "model_version")),
        ("INSERT", ("prediction", "verdict", "photo_store", "replay")),
    ),
    "walkaround_reviewer": (("SELECT", _TABLES + VIEWS), ("INSERT", ("review",))),
    "walkaround_report": (("SELECT", VIEWS + _REPORT_TABLES),),
}
ROLES = tuple(_GRANTS)
# What a session of the role begins with; its members do not inherit it (docs/reporting.md says how they get it).
SESSION_DEFAULTS = {"walkaround_report": ("statement_timeout = '30s'", "default_transaction_read_only = on")}


def grant_roles(connection: Connection) -> None:
    """Make the roles where this user may, and give those that exist exactly their rights. Nothing on SQLite."""
    if connection.dialect.name != "postgresql":
        return
    _create_missing(connection)
    for role in _existing(connection):
        connection.exec_driver_sql(f"REVOKE ALL ON {', '.join(_TABLES + VIEWS)} FROM {role}")
        for rights, relations in _GRANTS[role]:
            connection.exec_driver_sql(f"GRANT {rights} ON {', '.join(relations)} TO {role}")


def _existing(connection: Connection) -> list[str]:
    names = connection.scalars(text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:names)"), {"names": list(ROLES)})
    return sorted(names)


def _create_missing(connection: Connection) -> None:
    missing = sorted(set(ROLES) - set(_existing(connection)))
    if not missing:
        return
    may_create = "SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user"
    if not connection.scalar(text(may_create)):
        _log.warning(
            "the roles %s are missing and this user may not create roles: the tables are ready, but only their owner "
            "may use them; have an administrator run CREATE ROLE for each, then run `walkaround db upgrade` again",
            ", ".join(missing),
        )
        return
    for role in missing:  # roles belong to the whole server: an upgrade of another database may make them just now
        defaults = "".join(f"ALTER ROLE {role} SET {default}; " for default in SESSION_DEFAULTS.get(role, ()))
        connection.exec_driver_sql(
            f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; {defaults}"
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$"
        )
