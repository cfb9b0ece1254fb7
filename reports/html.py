"""The report as one HTML file: nothing is loaded from elsewhere, and reading it needs no script.

Written return by return, so that memory stays flat however many photos there are.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog

from core.domain import PhotoLoader, PhotoStatus, PhotoStore
from reports.page import RenderThumbnails, data_uri, environment, page_parts, script_parts, short_store, write_text
from reports.pictures import Picture, Thumbnailer
from reports.view import PhotoView, Report, ReturnView, Standing
from reports.words import explain_closing, explain_photo, explain_verdict, percent

MAX_PICTURES = 1000  # at about 15 kB each some 20 MB, which a phone still opens

_URGENT = frozenset({Standing.DAMAGED, Standing.UNDECIDED, Standing.FAILED})

log = structlog.get_logger(__name__)


def write_html_report(
    path: Path,
    report: Report,
    store: PhotoStore,
    loader: PhotoLoader,
    *,
    max_bytes: int,
    threads: int = 4,
    max_pictures: int = MAX_PICTURES,
) -> None:
    """Write the report's page to `path`, with pictures of its photos read from `store` and decoded by `loader`.

    A photo larger than `max_bytes`, gone, changed or refused is shown without a picture, and the log counts them.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="picture") as executor:
        thumbnailer = Thumbnailer(store, loader, executor, max_bytes)
        write_html(path, report, thumbnailer.render, max_pictures=max_pictures)
    if thumbnailer.missed:
        key, reason = next(iter(thumbnailer.missed.items()))
        log.warning("photos_without_picture", count=len(thumbnailer.missed), first=key, reason=reason)


def write_html(path: Path, report: Report, render: RenderThumbnails, *, max_pictures: int = MAX_PICTURES) -> None:
    """Write the page to `path`, whole or not at all.

    At most `max_pictures` photos get a picture, those of the most urgent returns first; the page says so.
    """
    write_text(path, html(report, render, max_pictures=max_pictures))


def html(report: Report, render: RenderThumbnails, *, max_pictures: int = MAX_PICTURES) -> Iterator[str]:
    """The page in pieces; a photo's picture is made when its return is reached."""
    return (
        environment()
        .get_template("report.html")
        .generate(
            report=_head(report, max_pictures),
            returns=_returns(report, render, max_pictures),
            **page_parts(),
            **script_parts("report.js"),
        )
    )


def _head(report: Report, max_pictures: int) -> dict[str, Any]:
    totals, statuses = report.totals, report.totals.photo_statuses
    refused = statuses.get(PhotoStatus.UNUSABLE, 0) + statuses.get(PhotoStatus.QUARANTINED, 0)
    others = {"not scored": refused, "waiting": statuses.get(PhotoStatus.SEEN, 0)}
    return {
        "store": short_store(report.store),
        "model": report.model,
        "made_at": f"{report.made_at:%d %B %Y, %H:%M} UTC".lstrip("0"),
        "return_count": totals.returns,
        "photo_count": totals.photos,
        "standings": {standing.value: count for standing, count in totals.standings.items()},
        "other_photos": {words: count for words, count in others.items() if count},
        "capped": totals.pictures > max_pictures,
        "pictures": min(totals.pictures, max_pictures),
        "pictureable": totals.pictures,
        "heat": totals.heat_maps,
    }


def _returns(report: Report, render: RenderThumbnails, max_pictures: int) -> Iterator[dict[str, Any]]:
    left = max_pictures
    for number, found in enumerate(report.returns, start=1):
        photos = found.photos_by_damage
        pictured = [photo for photo in photos if _has_picture(photo)][:left]
        left -= len(pictured)
        # A file that cannot be read takes its place among the pictures where its return has any.
        beside = [photo for photo in photos if photo in pictured or (pictured and photo.refused)]
        where = [part for part in (found.fleet, found.return_ref) if part not in ("default", "1")]
        yield {
            "number": number,
            "standing": found.standing.value,
            "symbol": found.standing.symbol,
            "urgent": found.standing in _URGENT,
            "vehicle": found.vehicle,
            "where": " · ".join(where),
            "words": " ".join([found.vehicle, *where, found.standing.value]).lower(),
            "count": _count(found),
            "why": explain_verdict(found),
            "closing": _closing(found),
            "pictured": _pictured(found, beside, render),
            "listed": [_named(photo) for photo in photos if photo not in beside],
        }


def _has_picture(photo: PhotoView) -> bool:
    """Whether the file is worth opening: not one that is quarantined, or gone from the store."""
    return photo.status in (PhotoStatus.OK, PhotoStatus.UNUSABLE) and not photo.gone


def _pictured(found: ReturnView, photos: list[PhotoView], render: RenderThumbnails) -> list[dict[str, Any]]:
    wanted = [(photo, _wants_heat(found, photo)) for photo in photos if _has_picture(photo)]
    taken = dict(zip((photo.key for photo, _ in wanted), render(wanted), strict=True))
    return [_figure(found, photo, taken.get(photo.key)) for photo in photos]


def _wants_heat(found: ReturnView, photo: PhotoView) -> bool:
    return photo.heatmap is not None and (photo.probability or 0) >= found.clear_below


def _figure(found: ReturnView, photo: PhotoView, picture: Picture | None) -> dict[str, Any]:
    width, height = (picture.width, picture.height) if picture else (4, 3)
    what = f"{percent(photo.probability)} damage" if photo.probability is not None else explain_photo(photo)
    return _named(photo) | {
        "shows": photo.probability is not None and photo.probability >= found.damaged_at,
        "scored": photo.probability is not None,
        "picture": data_uri(picture.jpeg) if picture else None,
        "heat": data_uri(picture.heat) if picture and picture.heat else None,
        "width": width,
        "height": height,
        "ratio": f"{width / height:.3f}",
        "alt": f"{found.vehicle}, {photo.name}: {what}",
    }


def _named(photo: PhotoView) -> dict[str, Any]:
    figure = percent(photo.probability) if photo.probability is not None else photo.status.value
    return {"name": photo.name, "figure": figure, "reason": explain_photo(photo)}


def _count(found: ReturnView) -> str:
    score = "" if found.score is None else f"score {percent(found.score)} · "
    return f"{score}{len(found.photos)} photo{'' if len(found.photos) == 1 else 's'}"


def _closing(found: ReturnView) -> str:
    decided = f"Decided {found.decided_at:%d %b %Y, %H:%M} UTC" if found.decided_at else ""
    return " · ".join(part for part in (explain_closing(found), decided, found.set_key) if part)
