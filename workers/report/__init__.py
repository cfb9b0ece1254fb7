"""The report of a store's returns: a table in the terminal, JSON for programs, one HTML page with photos."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from core.domain import PhotoLoader, PhotoStore
from workers.report.document import to_json
from workers.report.html import MAX_PICTURES, write_html
from workers.report.pictures import Studio
from workers.report.reading import read_report
from workers.report.table import print_table
from workers.report.view import PhotoView, Report, ReturnView, Standing

__all__ = [
    "PhotoView",
    "Report",
    "ReturnView",
    "Standing",
    "print_table",
    "read_report",
    "to_json",
    "write_html_report",
]

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
        studio = Studio(store, loader, executor, max_bytes)
        write_html(path, report, studio.take, max_pictures=max_pictures)
    if studio.missed:
        key, reason = next(iter(studio.missed.items()))
        log.warning("photos_without_picture", count=len(studio.missed), first=key, reason=reason)
