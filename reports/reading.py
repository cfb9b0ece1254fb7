"""From the database's rows to what people see."""

from datetime import UTC, datetime

from db.queries import PhotoReport, VerdictFilter, VerdictRow, active_model, current_verdicts, photos_in_bucket
from db.queries.returns import ReturnRow, returns
from db.session import Sessions
from reports.view import PhotoView, Report, ReturnView, Standing, in_reading_order


def read_report(sessions: Sessions, bucket: str, *, fleet: str | None = None, vehicle: str | None = None) -> Report:
    """All returns of a store, or of one fleet or vehicle, as they stand now. Four queries, however many there are."""
    model = active_model(sessions)
    wanted = VerdictFilter(bucket=bucket, fleet=fleet, vehicle=vehicle)
    photos = photos_in_bucket(sessions, bucket, model.id if model else 0, fleet, vehicle)
    verdicts = {verdict.set_id: verdict for verdict in current_verdicts(sessions, wanted)}
    found = [
        _return(row, verdicts.get(row.set_id), photos.get(row.set_id, []))
        for row in returns(sessions, bucket, fleet, vehicle)
    ]
    return Report(
        store=bucket,
        model=model.identity.name if model else None,
        made_at=datetime.now(UTC),
        returns=in_reading_order(found),
    )


def _return(row: ReturnRow, verdict: VerdictRow | None, photos: list[PhotoReport]) -> ReturnView:
    return ReturnView(
        set_key=row.set_key,
        fleet=row.fleet,
        vehicle=row.vehicle,
        return_ref=row.return_ref,
        standing=Standing(verdict.label if verdict else row.status),
        score=verdict.score if verdict else None,
        closed_by=row.closed_by,
        photos=tuple(photo_view(photo) for photo in photos),
        reasons=verdict.reasons if verdict else {},
        decided_by=verdict.decided_by if verdict else "model",
        decided_at=verdict.created_at if verdict else None,
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
