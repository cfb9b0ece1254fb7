"""The pipeline's steps on both databases, with a store in memory and a classifier for which redness is damage."""

import hashlib
import io
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import text

from core.completeness import CompletionRules
from core.domain import Blob, ClosedBy, Label, ModelIdentity, Pixels, Score
from core.errors import InvalidEvent, InvalidKey, PhotoRefused, PromotionRefused, Refusal, StoreUnavailable
from core.keys import KeyLayout
from core.policy import Policy
from core.settings import load_settings
from core.testing.fixed_classifier import FixedClassifier
from core.testing.inline_loader import InlinePhotoLoader
from core.testing.memory_store import MemoryPhotoStore
from db import queries, transactions
from db.session import Sessions
from db.transactions import Finish, WorkKey
from workers import pipeline
from workers.audit import Audit, audit
from workers.context import Context, Scoring, work_key

POLICY = Policy(damaged_at=0.6, clear_below=0.4)
SET = "returns/harbour/HB-204/r1/"
LONG_AGO = datetime.now(UTC) - timedelta(days=1)


def photo(redness: int, seed: int = 0) -> bytes:
    """A PNG whose probability of damage rises with `redness` (-50 to 50); different by `seed` alone."""
    noise = np.random.default_rng(seed).integers(60, 200, (224, 224, 3))
    noise[..., 0] += redness
    target = io.BytesIO()
    Image.fromarray(noise.astype(np.uint8)).save(target, "PNG")
    return target.getvalue()


RED, GREEN = photo(50), photo(-50)


@dataclass
class House:
    """Everything a test needs to run the steps by hand."""

    context: Context
    scoring: Scoring
    store: MemoryPhotoStore
    published: list[tuple[WorkKey, str]] = field(default_factory=list)

    def put(self, name: str, data: bytes, set_key: str = SET) -> None:
        self.store.write(set_key + name, data)

    def ingest(self, set_key: str = SET) -> transactions.IngestOutcome:
        return pipeline.ingest(self.context, pipeline.set_of(self.context, set_key))

    def answer(self) -> list[Finish | None]:
        """What a worker does with all messages so far."""
        published, self.published[:] = self.published[:], []
        return [pipeline.classify(self.context, self.scoring, work) for work, _ in published]

    def labels(self) -> dict[str, Label]:
        return {row.set_key: row.label for row in queries.current_verdicts(self.context.sessions)}

    def audit(self) -> Audit:
        return audit(self.store, self.context.layout, self.context.sessions, datetime.now(UTC), timedelta(hours=12))


@pytest.fixture
def house(sessions: Sessions) -> Iterator[House]:
    store = MemoryPhotoStore(now=lambda: LONG_AGO)
    classifier = FixedClassifier()
    model_id = transactions.register_model(sessions, classifier.identity, POLICY)
    transactions.activate_model(sessions, model_id)
    published: list[tuple[WorkKey, str]] = []
    context = Context(
        settings=load_settings(),
        store=store,
        layout=KeyLayout(),
        rules=CompletionRules(),
        sessions=sessions,
        publish=lambda work, queue: published.append((work, queue)),
    )
    with ThreadPoolExecutor(4) as fetchers:
        scoring = Scoring(model_id, classifier, POLICY, InlinePhotoLoader(), fetchers)
        yield House(context, scoring, store, published)


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


def test_a_photo_that_cannot_be_read_is_quarantined_and_the_set_never_clear(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.put("2.jpg", GREEN[:300])
    house.put("3.jpg", b"")
    house.ingest()
    house.answer()
    assert house.labels() == {SET: Label.UNDECIDED}
    result = house.audit()
    assert (result.passed, result.quarantined, result.in_verdict) == (True, 2, 1)


def test_an_unpronounceable_key_is_quarantined_unread(house: House) -> None:
    house.put("1.jpg", RED)
    objects = [*house.store.list(SET), replace(next(house.store.list(SET)), key=SET + "../../etc/passwd")]
    pipeline.ingest_listing(house.context, pipeline.set_of(house.context, SET), objects)
    house.answer()
    (verdict,) = queries.current_verdicts(house.context.sessions)
    assert verdict.label is Label.DAMAGED
    assert {item["reason"] for item in verdict.reasons["photos"]} == {None, "invalid_key"}


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
    assert house.labels() == {SET: Label.CLEAR}
    assert house.audit().passed


def test_a_photo_overwritten_while_its_set_is_scored(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    house.put("1.jpg", RED)
    assert house.answer() == [None]
    assert house.answer() == [Finish.VERDICT]
    assert house.labels() == {SET: Label.DAMAGED}


class AfraidOfRed(FixedClassifier):
    """A model that one kind of photo breaks."""

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        if any(photo[..., 0].mean() > photo[..., 1].mean() + 20 for photo in photos):
            raise PhotoRefused(Refusal.CLASSIFIER_FAILED)
        return super().classify(photos)


def test_a_photo_that_the_model_cannot_score_is_found_among_the_others(house: House) -> None:
    for number, data in enumerate([GREEN, RED, photo(-50, 1)]):
        house.put(f"{number}.jpg", data)
    house.scoring = replace(house.scoring, classifier=AfraidOfRed())
    house.ingest()
    assert house.answer() == [Finish.VERDICT]
    (verdict,) = queries.current_verdicts(house.context.sessions)
    assert [item["reason"] for item in verdict.reasons["photos"]] == [None, "classifier_failed", None]


class AwayStore(MemoryPhotoStore):
    """A store that does not answer while `away`."""

    away = False

    def read(self, key: str, *, max_bytes: int, etag: str | None = None) -> Blob:
        if self.away:
            raise StoreUnavailable("the store is away")
        return super().read(key, max_bytes=max_bytes, etag=etag)


def test_an_outage_postpones_and_never_gives_up(house: House) -> None:
    store = AwayStore(now=lambda: LONG_AGO)
    house.context = replace(house.context, store=store)
    store.write(SET + "1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    store.away = True
    for _ in range(10):
        house.published[:] = [(work, "classify")]
        assert house.answer() == [None]
        _make_due(house.context.sessions)
    store.away = False
    house.published[:] = [(work, "classify")]
    assert house.answer() == [Finish.VERDICT]


class BrokenClassifier(FixedClassifier):
    """A classifier with a bug."""

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        raise ZeroDivisionError("a bug")


def test_a_bug_gives_the_set_up_after_some_attempts_and_replay_brings_it_back(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    broken = replace(house.scoring, classifier=BrokenClassifier())
    for _ in range(house.context.settings.max_attempts):
        with pytest.raises(ZeroDivisionError):
            pipeline.classify(house.context, broken, work)
        _make_due(house.context.sessions)
    assert pipeline.classify(house.context, house.scoring, work) is None
    assert queries.backlog(house.context.sessions).dead == 1
    assert not house.audit().passed
    assert transactions.replay(house.context.sessions, work.set_id) == work
    assert pipeline.classify(house.context, house.scoring, work) is Finish.VERDICT


def test_an_outage_before_a_bug_does_not_hasten_the_end(house: House) -> None:
    store = AwayStore(now=lambda: LONG_AGO)
    house.context = replace(house.context, store=store)
    store.write(SET + "1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    store.away = True
    for _ in range(house.context.settings.max_attempts):
        assert pipeline.classify(house.context, house.scoring, work) is None
        _make_due(house.context.sessions)
    store.away = False
    with pytest.raises(ZeroDivisionError):
        pipeline.classify(house.context, replace(house.scoring, classifier=BrokenClassifier()), work)
    _make_due(house.context.sessions)
    assert pipeline.classify(house.context, house.scoring, work) is Finish.VERDICT


class CutDownStore(MemoryPhotoStore):
    """A store behind something that hands out half of each photo, under the right etag."""

    def read(self, key: str, *, max_bytes: int, etag: str | None = None) -> Blob:
        whole = super().read(key, max_bytes=max_bytes, etag=etag)
        half = whole.data[: len(whole.data) // 2]
        return Blob(half, hashlib.sha256(half).hexdigest(), whole.etag)


def test_half_a_photo_is_an_outage_and_not_a_bad_photo(house: House) -> None:
    house.put("1.jpg", GREEN)
    cut = CutDownStore(now=lambda: LONG_AGO)
    cut.write(SET + "1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    assert pipeline.classify(replace(house.context, store=cut), house.scoring, work) is None
    _make_due(house.context.sessions)
    assert pipeline.classify(house.context, house.scoring, work) is Finish.VERDICT


class SlowClassifier(FixedClassifier):
    """A model that takes longer than a lease."""

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        time.sleep(1.5)
        return super().classify(photos)


def test_slow_work_keeps_its_lease(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    ((work, _),) = house.published
    brief = house.context.settings.model_copy(update={"lease": timedelta(seconds=0.6)})
    house.context = replace(house.context, settings=brief)
    slow = replace(house.scoring, classifier=SlowClassifier())
    with ThreadPoolExecutor(1) as worker:
        answer = worker.submit(pipeline.classify, house.context, slow, work)
        time.sleep(1.1)
        assert pipeline.classify(house.context, house.scoring, work) is None, "somebody else holds it"
        assert answer.result() is Finish.VERDICT


def test_a_photo_that_ends_its_worker_is_found_and_quarantined(house: House) -> None:
    """Claims that nobody answers for, as when the process dies; from the third on photos go one by one."""
    house.put("1.jpg", GREEN)
    house.put("2.jpg", RED)
    house.ingest()
    ((work, _),) = house.published
    deadly = replace(house.scoring, classifier=DeadlyClassifier())
    for _ in range(5):
        with pytest.raises(SystemExit):
            pipeline.classify(house.context, deadly, work)
        transactions.end_leases(house.context.sessions)
    assert pipeline.classify(house.context, deadly, work) is Finish.VERDICT
    (verdict,) = queries.current_verdicts(house.context.sessions)
    assert [item["reason"] for item in verdict.reasons["photos"]] == [None, "classifier_failed"]


def test_a_photo_that_was_in_hand_when_workers_were_killed_is_not_convicted(house: House) -> None:
    house.put("1.jpg", RED)
    house.ingest()
    ((work, _),) = house.published
    deadly = replace(house.scoring, classifier=DeadlyClassifier())
    for _ in range(4):
        with pytest.raises(SystemExit):
            pipeline.classify(house.context, deadly, work)
        transactions.end_leases(house.context.sessions)
    assert pipeline.classify(house.context, house.scoring, work) is Finish.VERDICT
    assert house.labels() == {SET: Label.DAMAGED}


class DeadlyClassifier(FixedClassifier):
    """A model that one kind of photo ends the process of."""

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        if any(photo[..., 0].mean() > photo[..., 1].mean() + 20 for photo in photos):
            raise SystemExit(139)
        return super().classify(photos)


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
    assert queries.last_scan(house.context.sessions, "fleet", house.store.name)[1] is not None


def test_a_scan_takes_in_many_new_sets_and_names_the_one_that_cannot_be(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "TAKEN_IN", 3)
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


def shadow(house: House, identity: ModelIdentity, policy: Policy) -> int:
    candidate = transactions.begin_shadow(house.context.sessions, identity, policy)
    pipeline.open_shadow(house.context, candidate)
    assert {queue for _, queue in house.published} <= {"rescore"}
    return candidate


def test_a_candidate_scores_beside_the_active_model_and_changes_nothing_people_see(house: House) -> None:
    house.put("1.jpg", RED)
    house.ingest()
    house.answer()
    shown = queries.current_verdicts(house.context.sessions)
    classifier = FixedClassifier(name="second")
    candidate = shadow(house, classifier.identity, Policy(damaged_at=1.0, clear_below=1.0))
    assert house.answer() == [None], "the active model's workers leave it alone"
    work = WorkKey(shown[0].set_id, candidate, 1)
    beside = replace(
        house.scoring, model_id=candidate, classifier=classifier, policy=Policy(damaged_at=1, clear_below=1)
    )
    assert pipeline.classify(house.context, beside, work) is Finish.VERDICT
    assert queries.current_verdicts(house.context.sessions) == shown
    assert house.audit().passed
    assert pipeline.open_shadow(house.context, candidate) == 0, "asked once"
    transactions.activate_model(house.context.sessions, candidate)
    assert house.labels() == {SET: Label.CLEAR}
    assert transactions.reactivate_previous(house.context.sessions) == shown[0].model_id
    assert queries.current_verdicts(house.context.sessions) == shown
    assert house.audit().passed


def test_a_candidates_ring_that_an_active_worker_dropped_comes_again_later(house: House) -> None:
    """So docs/deploy.md gives `rescore` to the candidate's workers."""
    house.put("1.jpg", RED)
    house.ingest()
    house.answer()
    classifier = FixedClassifier(name="second")
    candidate = shadow(house, classifier.identity, POLICY)
    assert house.answer() == [None], "an active model's worker took it and dropped it"
    assert pipeline.reconcile(house.context).published == 0, "rung for within WALKAROUND_REPUBLISH_AFTER"
    later = replace(house.context, settings=load_settings(republish_after=0))
    assert pipeline.reconcile(later).published == 1
    ((work, queue),) = house.published
    assert (work.model_id, queue) == (candidate, "rescore")
    house.scoring = replace(house.scoring, model_id=candidate, classifier=classifier)
    assert house.answer() == [Finish.VERDICT]
    assert pipeline.reconcile(later).published == 0


def test_another_policy_over_the_same_weights_needs_no_photo(house: House) -> None:
    house.put("1.jpg", RED)
    house.put("2.jpg", GREEN)
    house.ingest()
    house.answer()
    candidate = shadow(house, house.scoring.classifier.identity, Policy(damaged_at=1.0, clear_below=1.0))
    house.store.remove(SET + "1.jpg")  # would be missed if any photo were asked for
    house.store.remove(SET + "2.jpg")
    assert house.answer() == [Finish.VERDICT], "by the workers that hold those weights already"
    with house.context.sessions() as session:
        stored = session.execute(text("SELECT label, model_id FROM verdict ORDER BY id")).all()
    assert [tuple(row) for row in stored] == [("damaged", 1), ("clear", candidate)]
    transactions.activate_model(house.context.sessions, candidate)
    for name, data in (("1.jpg", RED), ("2.jpg", GREEN), ("3.jpg", photo(50, seed=7))):
        house.put(name, data)
    house.ingest()
    assert house.answer() == [Finish.VERDICT], "fresh returns too, by the policy that is active now"
    assert house.labels() == {SET: Label.CLEAR}


def test_a_shadow_can_be_of_a_share_and_of_what_is_new(house: House) -> None:
    for number in range(40):
        key = f"returns/harbour/V-{number}/r1/"
        house.put("1.jpg", GREEN, key)
        house.ingest(key)
    house.published.clear()
    candidate = transactions.begin_shadow(house.context.sessions, FixedClassifier(name="second").identity, POLICY)
    assert pipeline.open_shadow(house.context, candidate, since=datetime.now(UTC) + timedelta(days=1)) == 0
    some = pipeline.open_shadow(house.context, candidate, share=0.25)
    assert 5 <= some <= 15
    assert pipeline.open_shadow(house.context, candidate, share=0.25) == 0, "the same share"
    assert pipeline.open_shadow(house.context, candidate) == 40 - some
    assert len({work.set_id for work, _ in house.published}) == 40


def test_a_shadow_that_ended_is_rung_for_no_more(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    house.answer()
    candidate = shadow(house, FixedClassifier(name="second").identity, POLICY)
    at_once = timedelta(seconds=-1)
    assert [queue for _, queue in transactions.due_work(house.context.sessions, 9, at_once)] == ["rescore"]
    transactions.end_shadow(house.context.sessions, candidate)
    assert transactions.due_work(house.context.sessions, 9, at_once) == []
    with pytest.raises(PromotionRefused, match="gives the verdicts"):
        transactions.end_shadow(house.context.sessions, house.scoring.model_id)
    with pytest.raises(PromotionRefused, match="gives the verdicts already"):
        transactions.begin_shadow(house.context.sessions, house.scoring.classifier.identity, POLICY)


def test_the_active_models_work_is_rung_for_before_a_candidates(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    house.answer()
    candidate = shadow(house, FixedClassifier(name="second").identity, POLICY)
    third = transactions.register_model(house.context.sessions, FixedClassifier(name="third").identity, POLICY)
    transactions.activate_model(house.context.sessions, third)
    pipeline.request_rescoring(house.context)
    due = transactions.due_work(house.context.sessions, 1, timedelta(seconds=-1))
    assert [work.model_id for work, _ in due] == [third]
    assert third != candidate


def test_the_audit_names_what_it_cannot_place(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    house.answer()
    assert house.audit().passed
    house.put("2.jpg", RED)
    house.put("lost.jpg", RED, "returns/")
    result = house.audit()
    assert not result.passed
    assert {finding.partition(":")[0] for finding in result.findings} == {SET + "2.jpg", "returns/lost.jpg"}


@pytest.mark.parametrize("key", ["elsewhere/1.jpg", "returns/f/v/../r/1.jpg", "returns/f/1.jpg"])
def test_keys_outside_every_set_are_refused(house: House, key: str) -> None:
    with pytest.raises(InvalidKey):
        pipeline.set_of(house.context, key)


@pytest.mark.parametrize(
    "message", [(), (1, 2), (1, 2, 3, 4), ("1", 2, 3), (True, 2, 3), (1, 2, -3), (1, 2, 2**63), (1.0, 2, 3)]
)
def test_a_message_is_three_ids_and_nothing_else(message: tuple[object, ...]) -> None:
    with pytest.raises(InvalidEvent):
        work_key(*message)


def _make_due(sessions: Sessions) -> None:
    """Let the pause of a set that was given back be over."""
    with sessions.begin() as session:
        session.execute(text("UPDATE work SET not_before = (SELECT first_seen_at FROM photo_set)"))
