"""The report for programs: one JSON document, whose names are a promise."""

import json
from typing import Any

from reports.view import PhotoView, Report, ReturnView
from reports.words import explain_verdict


def to_json(report: Report) -> str:
    """The report as indented JSON, in the order of the table.

    `label` and `score` are null for a return without a verdict; `standing` then says why.
    """
    return json.dumps(to_document(report), indent=2, ensure_ascii=False, allow_nan=False)


def to_document(report: Report) -> dict[str, Any]:
    """The report as plain JSON values."""
    return {
        "made_at": report.made_at.isoformat(),
        "store": report.store,
        "model": report.model,
        "totals": {
            "returns": {standing.value: count for standing, count in report.standings.items()},
            "photos": {status.value: count for status, count in report.photo_statuses.items()},
        },
        "returns": [_return(found) for found in report.returns],
    }


def _return(found: ReturnView) -> dict[str, Any]:
    return {
        "set_key": found.set_key,
        "fleet": found.fleet,
        "vehicle": found.vehicle,
        "return": found.return_ref,
        "label": found.standing.value if found.standing.decided else None,
        "score": found.score,
        "standing": found.standing.value,
        "decided_by": found.decided_by if found.standing.decided else None,
        "decided_at": found.decided_at.isoformat() if found.decided_at else None,
        "closed_by": found.closed_by,
        "explanation": explain_verdict(found),
        "photos": [_photo(photo) for photo in sorted(found.photos, key=lambda photo: photo.key)],
    }


def _photo(photo: PhotoView) -> dict[str, Any]:
    return {
        "key": photo.key,
        "probability": photo.probability,
        "status": photo.status.value,
        "reason": photo.reason,
    }
