"""The report for programs: one JSON document, whose names are a promise."""

import json
from collections.abc import Iterator
from typing import Any

from reports.view import PhotoView, Report, ReturnView
from reports.words import explain_verdict


def json_pieces(report: Report) -> Iterator[str]:
    """The report as indented JSON in the order of the table, in pieces: one for each return.

    `label` and `score` are null for a return without a verdict; `standing` then says why.
    """
    yield _json(_head(report)).removesuffix("\n}") + ',\n  "returns": ['
    separator = "\n    "
    for found in report.returns:
        yield separator + _json(_return(found)).replace("\n", "\n    ")
        separator = ",\n    "
    yield "]\n}\n" if separator == "\n    " else "\n  ]\n}\n"


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def _head(report: Report) -> dict[str, Any]:
    totals = report.totals
    return {
        "made_at": report.made_at.isoformat(),
        "store": report.store,
        "model": report.model,
        "totals": {
            "returns": {standing.value: count for standing, count in totals.standings.items()},
            "photos": {status.value: count for status, count in totals.photo_statuses.items()},
        },
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
