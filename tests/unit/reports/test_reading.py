"""From rows to the report, on both databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import event

from core.completeness import Completeness
from core.domain import ClosedBy, Label, ModelIdentity, PhotoStatus, SetRef, StoredObject
from db import transactions as rows
from db.session import Sessions, engine_of
from db.transactions import IngestOutcome, PhotoResult, PhotoRow
from reports.reading import read_report
from reports.view import Standing
from tests.reports import POLICY

NOW = datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
BUCKET = "photos"
HEAT = np.linspace(-1, 2, 6, dtype=np.float32).reshape(2, 3)


def ingest(sessions: Sessions, vehicle: str, names: list[str], *, complete: bool = True) -> IngestOutcome:
    prefix = f"returns/harbour/{vehicle}/r1/"
    listing = [StoredObject(prefix + name, 100, f"etag-{name}", NOW) for name in names]
    completeness = Completeness(ClosedBy.MARKER, None) if complete else Completeness(None, NOW + timedelta(hours=1))
    ref = SetRef("harbour", vehicle, "r1", prefix)
    return rows.ingest(sessions, BUCKET, ref, listing, completeness, None, None, NOW)


def score(sessions: Sessions, outcome: IngestOutcome, results: dict[str, float | str]) -> None:
    (work,) = outcome.opened
    claim = rows.claim(sessions, work, timedelta(minutes=5), 5)
    assert claim is not None
    stored = [_result(photo, results[photo.object_key.rpartition("/")[2]]) for photo in claim.photos]
    rows.finish(sessions, claim, stored, POLICY, NOW, 0.1)


def _result(photo: PhotoRow, found: float | str) -> PhotoResult:
    if isinstance(found, str):
        return PhotoResult(photo.photo_id, PhotoStatus.QUARANTINED, reason=found)
    return PhotoResult(
        photo.photo_id,
        PhotoStatus.OK,
        content_sha256=photo.object_key.ljust(64, "0")[-64:],
        width=640,
        height=480,
        probability=found,
        logit=0.0,
        heatmap=HEAT.astype("<f2").tobytes(),
        heatmap_shape=(2, 3),
    )


def with_model(sessions: Sessions) -> None:
    model_id = rows.register_model(sessions, ModelIdentity("resnet", "a" * 64, "b" * 64), POLICY)
    rows.activate_model(sessions, model_id)


def test_returns_come_with_verdict_photos_and_heat_maps(sessions: Sessions) -> None:
    with_model(sessions)
    score(sessions, ingest(sessions, "CLEAR", ["1.jpg"]), {"1.jpg": 0.1})
    score(sessions, ingest(sessions, "DENT", ["1.jpg", "2.jpg"]), {"1.jpg": 0.9, "2.jpg": "truncated"})
    ingest(sessions, "WAITS", ["1.jpg"])
    ingest(sessions, "OPEN", ["1.jpg"], complete=False)

    report = read_report(sessions, BUCKET)

    assert [(found.vehicle, found.standing) for found in report.returns] == [
        ("DENT", Standing.DAMAGED),
        ("WAITS", Standing.PENDING),
        ("OPEN", Standing.OPEN),
        ("CLEAR", Standing.CLEAR),
    ]
    assert (report.store, report.model) == (BUCKET, "resnet")
    dent = next(iter(report.returns))
    assert (dent.score, dent.closed_by, dent.damaged_at) == (0.9, "marker", POLICY.damaged_at)
    assert [(photo.name, photo.status, photo.reason) for photo in dent.photos] == [
        ("1.jpg", PhotoStatus.OK, None),
        ("2.jpg", PhotoStatus.QUARANTINED, "truncated"),
    ]
    scored = dent.photos[0]
    assert (scored.probability, scored.width, scored.height, scored.etag) == (0.9, 640, 480, "etag-1.jpg")
    assert scored.heatmap is not None
    np.testing.assert_allclose(scored.heatmap, HEAT, atol=1e-3)


def test_other_stores_and_vehicles_are_left_out(sessions: Sessions) -> None:
    with_model(sessions)
    ingest(sessions, "A", ["1.jpg"])
    ingest(sessions, "B", ["1.jpg"])

    assert [found.vehicle for found in read_report(sessions, BUCKET, vehicle="B").returns] == ["B"]
    assert list(read_report(sessions, BUCKET, fleet="airport").returns) == []
    assert list(read_report(sessions, "other").returns) == []


def test_a_persons_decision_stands_before_the_models(sessions: Sessions) -> None:
    with_model(sessions)
    outcome = ingest(sessions, "DENT", ["1.jpg"])
    score(sessions, outcome, {"1.jpg": 0.9})
    rows.add_review(
        sessions,
        idempotency_key="k",
        set_id=outcome.set_id,
        seen_verdict_id=None,
        seen_generation=1,
        label=Label.CLEAR,
        reason_code="dirt",
        reviewer="kim",
        now=NOW,
    )

    (found,) = read_report(sessions, BUCKET).returns

    assert (found.standing, found.decided_by, found.score) == (Standing.CLEAR, "person", 0.9)


def test_without_any_model_returns_wait(sessions: Sessions) -> None:
    ingest(sessions, "A", ["1.jpg"])

    report = read_report(sessions, BUCKET)

    assert report.model is None
    assert [found.standing for found in report.returns] == [Standing.PENDING]


def test_a_given_up_return_says_why(sessions: Sessions) -> None:
    with_model(sessions)
    (work,) = ingest(sessions, "A", ["1.jpg"]).opened
    claim = rows.claim(sessions, work, timedelta(minutes=5), 5)
    assert claim is not None
    rows.bury(sessions, claim, "the photo broke the model")

    (found,) = read_report(sessions, BUCKET).returns

    assert (found.standing, found.note) == (Standing.FAILED, "the photo broke the model")


def test_more_returns_cost_no_more_queries(sessions: Sessions) -> None:
    with_model(sessions)
    counted = []
    for vehicles in (["A"], ["B", "C", "D"]):
        for vehicle in vehicles:
            score(sessions, ingest(sessions, vehicle, ["1.jpg", "2.jpg"]), {"1.jpg": 0.1, "2.jpg": 0.2})
        with counted_queries(sessions) as queries:
            returns = list(read_report(sessions, BUCKET).returns)
        counted.append(len(queries))
    assert [len(found.photos) for found in returns] == [2] * 4
    assert counted[0] == counted[1]


@contextmanager
def counted_queries(sessions: Sessions) -> Iterator[list[str]]:
    queries: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        queries.append(statement)

    engine = engine_of(sessions)
    event.listen(engine, "before_cursor_execute", note)
    yield queries
    event.remove(engine, "before_cursor_execute", note)
