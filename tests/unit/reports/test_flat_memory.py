"""Reports and exports of any size need the same memory: four times the photos, the same peak."""

import tracemalloc
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from core.domain import SetRef, StoredObject
from db.history import Prediction
from db.queries.tables import ReportFilter, report_table
from db.session import Sessions, make_engine, make_sessions, upgrade
from db.transactions import SetListing, record_new_sets
from reports import json_pieces, read_report
from reports.export import csv_pieces
from reports.export import json_pieces as table_json_pieces
from reports.html import html
from tests.photo_sets import BUCKET, MARKED, NOW, register

PHOTOS_PER_RETURN = 8
SMALL, LARGE = 4_000, 16_000  # photos


def fill(folder: Path, photos: int) -> Sessions:
    """A database of so many scored photos with heat maps."""
    engine = make_engine(f"sqlite:///{folder}/walkaround.sqlite")
    upgrade(engine)
    sessions = make_sessions(engine)
    model_id = register(sessions)
    keys = [f"returns/f/v{number:06}/1/" for number in range(photos // PHOTOS_PER_RETURN)]
    for first in range(0, len(keys), 250):
        record_new_sets(sessions, BUCKET, [set_listing(key) for key in keys[first : first + 250]], None, NOW)
    heatmap = bytes(2 * 28 * 28)
    prediction = {"model_id": model_id, "probability": 0.1, "logit": -2.0, "created_at": NOW}
    shape = {"heatmap": heatmap, "heatmap_rows": 28, "heatmap_columns": 28}
    with sessions.begin() as session:
        session.execute(text("UPDATE photo SET status = 'ok', content_sha256 = printf('%064d', id)"))
        contents = session.scalars(text("SELECT content_sha256 FROM photo")).all()
        session.execute(insert(Prediction), [{"content_sha256": one, **prediction, **shape} for one in contents])
    return sessions


def set_listing(set_key: str) -> SetListing:
    _, fleet, vehicle, return_ref, _ = set_key.split("/")
    photos = [
        StoredObject(f"{set_key}{name}.jpg", 1, "e", NOW - timedelta(hours=1)) for name in range(PHOTOS_PER_RETURN)
    ]
    return SetListing(SetRef(fleet, vehicle, return_ref, set_key), photos, MARKED, None)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Sessions]:
    return {photos: fill(tmp_path_factory.mktemp("database"), photos) for photos in (SMALL, LARGE)}


REPORTS: dict[str, Callable[[Sessions], Iterable[str]]] = {
    "json": lambda sessions: json_pieces(read_report(sessions, BUCKET)),
    "html": lambda sessions: html(read_report(sessions, BUCKET), lambda wanted: [None] * len(wanted), max_pictures=0),
    "csv of a report": lambda sessions: csv_pieces(report_table(sessions, "return_status", ReportFilter())),
    "json of a report": lambda sessions: table_json_pieces(report_table(sessions, "return_status", ReportFilter())),
}


@pytest.mark.parametrize("name", REPORTS)
def test_four_times_the_photos_need_the_same_memory(name: str, stores: dict[int, Sessions]) -> None:
    for sessions in stores.values():
        peak(REPORTS[name](sessions))  # what is cached once is not the report's
    small, large = (peak(REPORTS[name](sessions)) for sessions in stores.values())
    assert large < 1.25 * small, f"{small / 1e6:.2f} MB for {SMALL:,} photos, {large / 1e6:.2f} MB for {LARGE:,}"


def peak(pieces: Iterable[str]) -> int:
    """The most bytes that Python held while the pieces were written."""
    tracemalloc.start()
    try:
        assert sum(len(piece) for piece in pieces) > SMALL
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
