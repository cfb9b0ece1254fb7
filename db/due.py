"""When work is due: one condition for whoever publishes, claims or watches it."""

from sqlalchemy import ColumnElement, and_, or_

from core.domain import WorkState
from db.dialect import database_now
from db.models import Work


def is_due() -> ColumnElement[bool]:
    """Work that waits and whose pause is over, or whose worker has let its lease expire; by the database's clock."""
    return or_(
        and_(Work.state == WorkState.PENDING, Work.not_before <= database_now()),
        and_(Work.state == WorkState.LEASED, Work.lease_until < database_now()),
    )
