"""The pipeline's steps on both databases, with a store in memory and a classifier for which redness is damage."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
import structlog
from sqlalchemy import select, text

from core.completeness import CompletionRules
from core.domain import Blob, ClosedBy, Label, StoredObject
from core.errors import (
    InvalidKey,
    StoreRefused,
    StoreUnavailable,
)
from core.nightly import scan_is_due
from core.policy import Policy
from core.testing.fixed_classifier import FixedClassifier
from core.testing.memory_store import MemoryPhotoStore
from db import queries, transactions
from db.models import ScanRun
from db.session import Sessions
from db.transactions import Finish
from tests.house import GREEN, RED, SET, House, photo
from workers import outages, pipeline
from workers.outages import OutageReporter


def test_from_upload_to_verdict(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.put("2.jpg", RED)
    outcome = house.ingest()
    assert (outcome.generation, outcome.closed_by) == (1, ClosedBy.QUIET)
    assert house.answer() == [Finish.VERDICT]
    (verdict,) = queries.current_verdicts(house.context.sessions)
    assert verdict.label is Label.DAMAGED
    assert verdict.reasons["photos"][1]["sha256"] == hashlib.sha256(RED).hexdigest()
    assert house.audit().passed


def test_events_may_come_any_number_of_times(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    house.ingest()
    assert len(house.published) == 1
    house.published *= 3
    assert house.answer() == [Finish.VERDICT, None, None]
    house.ingest()
    assert house.published == []


def test_a_late_photo_opens_the_next_generation_and_keeps_the_old_verdict(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    house.answer()
    house.put("2.jpg", RED)
    assert house.ingest().generation == 2
    assert house.labels() == {}, "no verdict of the current content yet"
    house.answer()
    assert house.labels() == {SET: Label.DAMAGED}
    with house.context.sessions() as session:
        stored = session.execute(text("SELECT generation, label FROM verdict ORDER BY generation")).all()
    assert [tuple(row) for row in stored] == [(1, "clear"), (2, "damaged")]


def test_a_manifest_closes_a_set_and_its_hashes_are_held_to(house: House) -> None:
    promised = [{"key": "1.jpg", "size": len(GREEN), "sha256": hashlib.sha256(RED).hexdigest()}]
    house.put("1.jpg", GREEN)
    house.put("_manifest.json", json.dumps({"photos": promised}).encode())
    assert house.ingest().closed_by is ClosedBy.MANIFEST
    house.answer()
    (verdict,) = queries.current_verdicts(house.context.sessions)
    assert (verdict.label, verdict.reasons["photos"][0]["reason"]) == (Label.UNDECIDED, "manifest_mismatch")


def test_a_broken_manifest_stops_nothing(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.put("_manifest.json", b"{")
    assert house.ingest().closed_by is ClosedBy.QUIET
    house.answer()
    assert house.labels() == {SET: Label.CLEAR}


def test_a_photo_absent_twice_is_gone(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.put("2.jpg", RED)
    house.ingest()
    house.answer()
    house.store.remove(SET + "2.jpg")
    house.ingest()
    house.ingest()
    house.answer()
    assert house.labels() == {SET: Label.DAMAGED}, "what it showed still counts"
    assert [finding.partition(":")[0] for finding in house.audit().findings] == [SET + "2.jpg"]


def test_a_photo_overwritten_while_its_set_is_scored(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    house.put("1.jpg", RED)
    assert house.answer() == [None]
    assert house.answer() == [Finish.VERDICT]
    assert house.labels() == {SET: Label.DAMAGED}


def test_reconcile_rings_again_for_lost_messages(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    house.published.clear()
    at_once = house.context.settings.model_copy(update={"republish_after": timedelta(0)})
    context = replace(house.context, settings=at_once)
    pipeline.reconcile(context)
    assert house.answer() == [Finish.VERDICT]
    pipeline.reconcile(context)
    assert house.published == []


def test_reconcile_asks_the_first_model_for_sets_that_came_before_it(sessions: Sessions, house: House) -> None:
    with sessions.begin() as session:
        session.execute(text("UPDATE model_version SET state = 'retired'"))
    house.put("1.jpg", GREEN)
    assert house.ingest().opened == ()
    assert pipeline.reconcile(house.context).published == 0
    transactions.activate_model(sessions, house.scoring.model_id)
    pipeline.reconcile(house.context)
    assert house.answer() == [Finish.VERDICT]


def test_reconcile_closes_sets_whose_time_has_come(house: House) -> None:
    store = MemoryPhotoStore()
    house.context = replace(house.context, store=store)
    store.write(SET + "1.jpg", GREEN)
    assert house.ingest().closed_by is None
    with house.context.sessions.begin() as session:
        session.execute(text("UPDATE photo_set SET check_at = first_seen_at"))
    quick = replace(house.context, rules=CompletionRules(quiet_period=timedelta(0)))
    assert pipeline.reconcile(quick).looked == 1
    assert house.answer() == [Finish.VERDICT]


def test_a_scan_finds_what_no_event_told_and_then_nothing(house: House) -> None:
    for number in range(5):
        house.put("1.jpg", photo(-50, number), f"returns/f/V{number}/r/")
    house.put("stray.jpg", GREEN, "returns/")
    first = pipeline.scan(house.context)
    assert (first.objects, first.sets, first.missing, first.repaired, first.strays) == (6, 5, 5, 5, 1)
    house.answer()
    second = pipeline.scan(house.context)
    assert (second.sets, second.missing, second.repaired, house.published) == (5, 0, 0, [])
    assert transactions.last_scan(house.context.sessions, "fleet", house.store.name)[1] is not None


def test_a_scan_takes_in_many_new_sets_and_names_the_one_that_cannot_be(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "NEW_SETS_A_COMMIT", 3)
    for number in range(8):
        house.put("1.jpg", photo(-50, number), f"returns/f/V{number}/r/")
    unread = "returns/f/V4/r/_manifest.json"
    house.put("_manifest.json", b"{}", "returns/f/V4/r/")

    class Store(MemoryPhotoStore):
        """Cannot read one object."""

        def read(self, key: str, *, max_bytes: int, etag: str | None = None) -> Blob:
            if key == unread:
                raise StoreUnavailable(key)
            return house.store.read(key, max_bytes=max_bytes, etag=etag)

    store = Store()
    store.list = house.store.list  # type: ignore[method-assign]
    first = pipeline.scan(replace(house.context, store=store))
    assert (first.missing, first.repaired, first.failed) == (8, 7, 1)
    assert len(house.published) == 7
    assert pipeline.scan(house.context).repaired == 1
    assert house.answer() == [Finish.VERDICT] * 8


def test_a_new_model_is_asked_on_the_rescore_queue_and_history_stays(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    house.answer()
    sceptic = FixedClassifier(name="sceptic")
    policy = Policy(damaged_at=0.001, clear_below=0.0005)
    model_id = transactions.register_model(house.context.sessions, sceptic.identity, policy)
    transactions.activate_model(house.context.sessions, model_id)
    assert pipeline.scan(house.context).rescoring == 1
    ((work, queue),) = house.published
    assert (work.model_id, queue) == (model_id, "rescore")
    house.scoring = replace(house.scoring, model_id=model_id, classifier=sceptic, policy=policy)
    assert house.answer() == [Finish.VERDICT]
    with house.context.sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM verdict")) == 2


def test_work_of_another_model_is_left_to_its_workers(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    other = replace(house.scoring, model_id=house.scoring.model_id + 1, classifier=FixedClassifier(name="other"))
    ((work, _),) = house.published
    assert pipeline.classify(house.context, other, work) is None
    assert pipeline.classify(house.context, house.scoring, work) is Finish.VERDICT


@pytest.mark.parametrize("key", ["elsewhere/1.jpg", "returns/f/v/../r/1.jpg", "returns/f/1.jpg"])
def test_keys_outside_every_set_are_refused(house: House, key: str) -> None:
    with pytest.raises(InvalidKey):
        pipeline.set_of(house.context, key)


def test_two_nightly_ticks_at_once_make_one_scan(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ask whether it is due at the same moment, if they can."""
    house.put("1.jpg", GREEN)
    together = Barrier(2)

    def asked_together(*question: Any) -> bool:
        with suppress(BrokenBarrierError):  # the other one waits for our answer: right so
            together.wait(2)
        return scan_is_due(*question)

    monkeypatch.setattr(pipeline, "scan_is_due", asked_together)
    with ThreadPoolExecutor(2) as ticks:
        scans = [tick.result() for tick in [ticks.submit(pipeline.scan_if_due, house.context) for _ in range(2)]]
    assert [scan is None for scan in scans].count(True) == 1


def test_a_scan_that_failed_is_made_again_after_a_while(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.put("1.jpg", GREEN)

    def refused(prefix: str) -> Iterator[StoredObject]:
        raise StoreRefused("the credentials have expired; renew them")

    with monkeypatch.context() as away:
        away.setattr(house.store, "list", refused)
        with pytest.raises(StoreRefused):
            pipeline.scan_if_due(house.context)
    assert pipeline.scan_if_due(house.context) is None, "not at every tick"
    with house.context.sessions.begin() as session:
        for run in session.scalars(select(ScanRun)):
            run.started_at -= timedelta(minutes=11)
    again = pipeline.scan_if_due(house.context)
    assert again is not None
    assert again.repaired == 1


def test_an_outage_in_the_middle_of_a_tick_is_one_line_and_not_one_a_set(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryPhotoStore()
    house.context = replace(house.context, store=store)
    for number in range(5):
        key = f"returns/harbour/V-{number}/r1/"
        store.write(f"{key}1.jpg", GREEN)
        house.ingest(key)
    with house.context.sessions.begin() as session:
        session.execute(text("UPDATE photo_set SET check_at = first_seen_at"))
    away = MemoryPhotoStore()
    monkeypatch.setattr(away, "list", _no_answer)
    monkeypatch.setattr(outages, "report_outage", OutageReporter())
    with structlog.testing.capture_logs() as logs:
        assert pipeline.reconcile(replace(house.context, store=away)).looked == 0
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["set_not_looked_at"]


def _no_answer(prefix: str) -> Iterator[StoredObject]:
    raise StoreUnavailable("no answer")
