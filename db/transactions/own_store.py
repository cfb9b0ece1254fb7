"""One database keeps the photos of one store: the first process that is started with a store writes down which."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import SettingsInvalid
from db.dialect import database_now, insert_for
from db.models import PhotoSet, PhotoStoreRecord
from db.session import Sessions, engine_of, snapshot, transaction


def claim_store(sessions: Sessions, name: str) -> None:
    """Make sure that this database is that of the store `name`, and write it down if no store is named there yet.

    Raises `SettingsInvalid`, with both names, where the database belongs to another store.
    """
    recorded = recorded_store(sessions) or _record(sessions, name)
    if recorded != name:
        raise SettingsInvalid(
            f"WALKAROUND_STORE names {name}, but database {engine_of(sessions).url.database} keeps the returns of "
            f"{recorded}, and one database serves one store: name that store, or give this one a database of its own "
            "(WALKAROUND_DATABASE_URL; `walkaround scan` and `walkaround up` take --out)"
        )


@snapshot
def recorded_store(session: Session) -> str | None:
    """The store that the database belongs to; None where no process has been started with a store yet."""
    return session.scalar(select(PhotoStoreRecord.name))


@transaction
def _record(session: Session, name: str) -> str:
    """The store that is written down now: another one where returns of it are in the database already."""
    first, last = session.execute(select(func.min(PhotoSet.bucket), func.max(PhotoSet.bucket))).one()
    others = sorted({first, last} - {None, name})
    if others:
        return " and ".join(others)
    row = {"id": 1, "name": name, "recorded_at": session.scalar(select(database_now()))}
    session.execute(insert_for(session, PhotoStoreRecord).on_conflict_do_nothing(), [row])
    return session.scalars(select(PhotoStoreRecord.name)).one()
