"""What another model would change, set by set: JSON for programs, one HTML page with pictures for people."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core.domain import Label
from db.queries import ComparedSet, Comparison, PhotoReport, VersionRow
from reports.page import RenderThumbnails, data_uri, environment, page_parts, short_store, write_page
from reports.pictures import Picture
from reports.reading import photo_view
from reports.view import PhotoView
from reports.words import percent

MAX_SETS = 100  # with pictures, on one page
PHOTOS_SHOWN = 6  # of a set: those whose probability moved most

PhotosOf = Callable[[int, int], Sequence[PhotoReport]]
"""The photos of a set (by its id) with what a model version (by its id) says of them."""


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """Two versions, their counts, and every set that they label differently."""

    store: str
    made_at: datetime
    first: VersionRow
    second: VersionRow
    counts: Comparison
    changed: Sequence[ComparedSet]


def comparison_json(report: ComparisonReport) -> str:
    """The comparison as indented JSON; `changed` lists every set with another label, those that moved most first."""
    counts = report.counts
    document = {
        "made_at": report.made_at.isoformat(),
        "store": report.store,
        "first": _version(report.first),
        "second": _version(report.second),
        "sets": counts.sets,
        "changed_sets": counts.changed,
        "only_first": counts.only_first,
        "only_second": counts.only_second,
        "labels": [
            {"first": first.value, "second": second.value, "sets": count}
            for (first, second), count in sorted(counts.pairs.items())
        ],
        "reviewed": {"sets": counts.reviewed, "first_right": counts.first_right, "second_right": counts.second_right},
        "photos": {"both": counts.photos, "mean_shift": counts.mean_shift, "largest_shift": counts.largest_shift},
        "changed": [_changed(found) for found in report.changed],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def write_comparison(path: Path, report: ComparisonReport, photos_of: PhotosOf, render: RenderThumbnails) -> None:
    """Write the page to `path`, whole or not at all: `MAX_SETS` sets with pictures, the others in words."""
    shown = report.changed[:MAX_SETS]
    write_page(
        path,
        environment().get_template("comparison.html"),
        report=report,
        store=short_store(report.store),
        made_at=f"{report.made_at:%d %B %Y, %H:%M} UTC".lstrip("0"),
        labels=list(Label),
        percent=percent,
        sets=_shown(report, shown, photos_of, render),
        others=report.changed[MAX_SETS:],
        **page_parts("panels.css", "comparison.css"),
    )


def _shown(
    report: ComparisonReport, shown: Sequence[ComparedSet], photos_of: PhotosOf, render: RenderThumbnails
) -> Iterator[dict[str, Any]]:
    for found in shown:
        first = {photo.key: photo_view(photo) for photo in photos_of(found.set_id, report.first.id)}
        second = {photo.key: photo_view(photo) for photo in photos_of(found.set_id, report.second.id)}
        both = first.keys() & second.keys()
        moved = sorted(both, key=lambda key: (-_shift(first[key], second[key]), -(second[key].probability or 0), key))
        keys = [key for key in moved if first[key].probability is not None][:PHOTOS_SHOWN]
        pictures = render([(views[key], True) for key in keys for views in (first, second)])
        pairs = zip(keys, pictures[::2], pictures[1::2], strict=True)
        yield {"set": found, "photos": [_pair(found, first[key], second[key], *taken) for key, *taken in pairs]}


def _pair(
    found: ComparedSet, first: PhotoView, second: PhotoView, before: Picture | None, after: Picture | None
) -> dict[str, Any]:
    def side(photo: PhotoView, picture: Picture | None) -> dict[str, Any]:
        said = percent(photo.probability)
        return {
            "picture": data_uri(picture.heat or picture.jpeg) if picture else None,
            "said": said,
            "alt": f"{found.vehicle}, {photo.name}: {said} damage",
        }

    return {"name": first.name, "sides": [side(first, before), side(second, after)]}


def _shift(first: PhotoView, second: PhotoView) -> float:
    return abs((first.probability or 0) - (second.probability or 0))


def _version(version: VersionRow) -> dict[str, Any]:
    return {
        "id": version.id,
        "name": version.identity.name,
        "state": version.state.value,
        "weights_sha256": version.identity.weights_sha256,
        "policy": version.policy.model_dump(mode="json"),
    }


def _changed(found: ComparedSet) -> dict[str, Any]:
    return {
        "set_key": found.set_key,
        "fleet": found.fleet,
        "vehicle": found.vehicle,
        "return": found.return_ref,
        "first": {"label": found.first.value, "score": found.first_score, "rule": found.first_reasons.get("rule")},
        "second": {"label": found.second.value, "score": found.second_score, "rule": found.second_reasons.get("rule")},
        "reviewed": found.reviewed.value if found.reviewed else None,
    }
