"""Every return with its status, with a verdict or without."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import column, select, table
from sqlalchemy.orm import Session

from db.session import snapshot

_status = table(
    "return_status",
    *(column(name) for name in ("set_id", "bucket", "set_key", "fleet", "vehicle_ref", "return_ref", "status")),
    *(column(name) for name in ("closed_by", "note", "last_error")),
)


@dataclass(frozen=True, slots=True)
class ReturnRow:
    """A photo set; `status` is a label or `open`, `pending`, `failed`, `empty` (see the view return_status).

    `closed_by` is the word of the rule that closed it; `note` and `last_error` are for a person.
    """

    set_id: int
    set_key: str
    fleet: str
    vehicle: str
    return_ref: str
    status: str
    closed_by: str | None
    note: str | None
    last_error: str | None


@snapshot
def returns(session: Session, bucket: str, fleet: str | None = None, vehicle: str | None = None) -> list[ReturnRow]:
    """The bucket's returns in set key order, of one fleet or vehicle where they are named."""
    view = _status.c
    query: Any = select(
        *(view[name] for name in ("set_id", "set_key", "fleet", "return_ref", "status")),
        view.vehicle_ref.label("vehicle"),
        *(view[name] for name in ("closed_by", "note", "last_error")),
    ).where(view.bucket == bucket)
    wanted = {"fleet": fleet, "vehicle_ref": vehicle}
    query = query.where(*(view[name] == value for name, value in wanted.items() if value is not None))
    return [ReturnRow(**row._mapping) for row in session.execute(query.order_by(view.set_key))]
