"""From the database's rows to what people see, page by page."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from core.domain import PhotoStatus
from db.queries import PhotoReport, active_model, photos_of_sets
from db.queries.returns import (
    ReturnChoice,
    ReturnCounts,
    ReturnRow,
    ordered_returns,
    return_counts,
    returns_by_id,
)
from db.session import Sessions
from reports.view import PhotoView, Report, ReturnView, Standing, Totals

PAGE = 200  # returns in memory at a time


def read_report(sessions: Sessions, bucket: str, *, fleet: str | None = None, vehicle: str | None = None) -> Report:
    """All returns of a store, or of one fleet or vehicle, as they stand now.

    Memory: a page of returns with their photos, and 8 bytes for every other return.
    """
    model = active_model(sessions)
    choice = ReturnChoice(bucket, fleet, vehicle)
    model_id = model.id if model else 0
    return Report(
        store=bucket,
        model=model.identity.name if model else None,
        made_at=datetime.now(UTC),
        totals=_totals(return_counts(sessions, choice, model_id)),
        returns=StoredReturns(sessions, choice, model_id),
    )


@dataclass(frozen=True, slots=True)
class StoredReturns:
    """The chosen returns of the database, most urgent first, read anew in every iteration."""

    sessions: Sessions
    choice: ReturnChoice
    model_id: int

    def __iter__(self) -> Iterator[ReturnView]:
        ids = array("q", ordered_returns(self.sessions, self.choice, list(Standing)))
        for first in range(0, len(ids), PAGE):
            page = list(ids[first : first + PAGE])
            rows = returns_by_id(self.sessions, page)
            photos = photos_of_sets(self.sessions, page, self.model_id)
            yield from (_return(rows[set_id], photos.get(set_id, [])) for set_id in page if set_id in rows)


def _totals(counts: ReturnCounts) -> Totals:
    return Totals(
        standings={standing: counts.returns[standing] for standing in Standing if standing in counts.returns},
        photo_statuses={status: counts.photos[status] for status in PhotoStatus if status in counts.photos},
        pictures=counts.pictures,
        heat_maps=counts.heat_maps,
    )


def _return(row: ReturnRow, photos: list[PhotoReport]) -> ReturnView:
    return ReturnView(
        set_key=row.set_key,
        fleet=row.fleet,
        vehicle=row.vehicle,
        return_ref=row.return_ref,
        standing=Standing(row.status),
        score=row.score,
        closed_by=row.closed_by,
        photos=tuple(photo_view(photo) for photo in photos),
        reasons=row.reasons or {},
        decided_by=row.decided_by or "model",
        decided_at=row.judged_at,
        note=row.last_error or row.note,
    )


def photo_view(photo: PhotoReport) -> PhotoView:
    """A photo's row as people see it."""
    return PhotoView(
        key=photo.key,
        etag=photo.etag,
        status=photo.status,
        reason=photo.reason,
        probability=photo.probability,
        heatmap=photo.heatmap,
        width=photo.width,
        height=photo.height,
        gone=photo.gone_reason is not None,
    )
