"""Every write, on both databases: idempotent, fenced, and never changing what was decided."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from core.canonical import canonical_json
from core.completeness import Completeness
from core.domain import ClosedBy, Label, ModelIdentity, ModelState, PhotoStatus
from core.errors import ModelUnusable, ReviewRefused
from core.policy import Policy
from db import queries
from db.models import INSERT_ONLY, Base
from db.session import Sessions, engine_of
from db.transactions import (
    Finish,
    PhotoResult,
    WorkKey,
    activate_first_model,
    activate_model,
    add_review,
    bury,
    claim,
    due_work,
    finish,
    finish_scan,
    mark_published,
    mark_suspect,
    open_rescoring,
    register_model,
    release,
    renew,
    replay,
    sets_due,
    start_scan,
)
from tests.photo_sets import (
    BUCKET,
    LEASE,
    NOW,
    POLICY,
    arrive,
    content,
    judge,
    manifest_of,
    must_claim,
    register,
    scored,
    set_ref,
    stored,
)

EXPIRED = timedelta(seconds=-1)  # a lease that is over as soon as it is given: no test waits
REF = set_ref()
OPEN = Completeness(None, check_at=NOW + timedelta(minutes=10))


def rows(sessions: Sessions, table: str) -> Sequence[Any]:
    with engine_of(sessions).connect() as connection:
        return connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2")).all()


def everything(sessions: Sessions) -> dict[str, Sequence[Any]]:
    return {table: rows(sessions, table) for table in Base.metadata.tables}


def view(sessions: Sessions, name: str) -> list[dict[str, Any]]:
    with engine_of(sessions).connect() as connection:
        return [dict(row) for row in connection.execute(text(f"SELECT * FROM {name} ORDER BY 1, 2")).mappings()]


class TestIngest:
    def test_a_complete_set_opens_work_for_the_active_model(self, sessions: Sessions) -> None:
        model = register(sessions)
        outcome = arrive(sessions, REF, stored(REF, "b", "a"))
        assert outcome.changed
        assert outcome.opened == (WorkKey(outcome.set_id, model, 1),)
        claimed = must_claim(sessions, outcome.opened[0])
        assert (claimed.ref, claimed.bucket, claimed.closed_by) == (REF, BUCKET, ClosedBy.MARKER)
        assert [photo.etag for photo in claimed.photos] == ["a-1", "b-1"]

    @pytest.mark.parametrize(
        "complete", [Completeness(ClosedBy.QUIET), OPEN, Completeness(ClosedBy.DEADLINE, missing=("x",))]
    )
    def test_the_same_again_changes_no_row(self, sessions: Sessions, complete: Completeness) -> None:
        register(sessions)
        arrive(sessions, REF, stored(REF, "a", "b"), complete)
        arrive(sessions, REF, stored(REF, "a"), complete)  # one is absent now
        before = everything(sessions)
        outcome = arrive(sessions, REF, stored(REF, "a"), complete)
        assert not outcome.changed
        assert outcome.opened == ()
        assert everything(sessions) == before

    def test_a_new_photo_makes_the_next_generation_and_the_old_verdict_stays(self, sessions: Sessions) -> None:
        register(sessions)
        first = arrive(sessions, REF, stored(REF, "a"))
        judge(sessions, first.opened[0])
        old = rows(sessions, "verdict")
        second = arrive(sessions, REF, stored(REF, "a", "b"), now=NOW + timedelta(hours=1))
        assert (second.generation, second.changed, len(second.opened)) == (2, True, 1)
        judge(sessions, second.opened[0], probability=0.9)
        assert rows(sessions, "verdict")[:1] == old
        (current,) = queries.current_verdicts(sessions)
        assert (current.generation, current.label, current.photos) == (2, Label.DAMAGED, 2)

    def test_an_overwritten_photo_is_another_row_and_the_old_one_is_kept(self, sessions: Sessions) -> None:
        register(sessions)
        arrive(sessions, REF, stored(REF, "a"))
        outcome = arrive(sessions, REF, stored(REF, "a", version="2"))
        assert outcome.generation == 2
        with sessions() as session:
            kept = session.execute(text("SELECT etag, superseded FROM photo ORDER BY id")).all()
        assert [(etag, bool(superseded)) for etag, superseded in kept] == [("a-1", True), ("a-2", False)]

    def test_a_photo_is_gone_only_when_it_was_missed_twice_and_is_proved_gone(self, sessions: Sessions) -> None:
        register(sessions)
        a, b = stored(REF, "a", "b")
        arrive(sessions, REF, [a, b])
        first = arrive(sessions, REF, [a])
        second = arrive(sessions, REF, [a])
        assert (first.missing, second.missing) == ((), (b.key,))
        assert (first.changed, second.changed) == (False, False)
        third = arrive(sessions, REF, [a], gone=[b.key])
        assert (third.generation, third.changed, third.missing) == (2, True, ())
        assert [photo.object_key for photo in must_claim(sessions, third.opened[0]).photos] == [a.key]
        fourth = arrive(sessions, REF, [a, b])
        assert fourth.generation == 3, "a photo that came back counts again"

    def test_a_photo_that_a_listing_missed_once_is_forgiven(self, sessions: Sessions) -> None:
        a, b = stored(REF, "a", "b")
        arrive(sessions, REF, [a, b])
        arrive(sessions, REF, [a])
        assert arrive(sessions, REF, [a, b]).generation == 1
        assert arrive(sessions, REF, [a]).missing == ()

    def test_another_manifest_makes_the_next_generation(self, sessions: Sessions) -> None:
        register(sessions)
        photos = stored(REF, "a", "b")
        closed = Completeness(ClosedBy.MANIFEST)
        arrive(sessions, REF, photos, closed, manifest_of(photos[:1]))
        outcome = arrive(sessions, REF, photos, closed, manifest_of(photos))
        assert outcome.generation == 2
        assert must_claim(sessions, outcome.opened[0]).manifest == {photo.key: content(photo.key) for photo in photos}

    def test_a_stronger_rule_replaces_a_weaker_one_before_there_is_a_verdict(self, sessions: Sessions) -> None:
        register(sessions)
        photos = stored(REF, "a")
        arrive(sessions, REF, photos, Completeness(ClosedBy.QUIET))
        stronger = arrive(sessions, REF, photos, Completeness(ClosedBy.COUNT))
        weaker = arrive(sessions, REF, photos, Completeness(ClosedBy.DEADLINE))
        assert (stronger.generation, stronger.closed_by) == (1, ClosedBy.COUNT)
        assert (weaker.generation, weaker.closed_by) == (1, ClosedBy.COUNT)

    @pytest.mark.parametrize(
        ("old", "generation", "closed_by"),
        [
            (ClosedBy.DEADLINE, 2, ClosedBy.MARKER),
            (ClosedBy.QUIET, 2, ClosedBy.MARKER),
            (ClosedBy.COUNT, 1, ClosedBy.COUNT),
        ],
    )
    def test_a_stronger_rule_never_changes_what_a_verdict_was_made_from(
        self, sessions: Sessions, old: ClosedBy, generation: int, closed_by: ClosedBy
    ) -> None:
        register(sessions)
        photos = stored(REF, "a")
        judge(sessions, arrive(sessions, REF, photos, Completeness(old)).opened[0])
        outcome = arrive(sessions, REF, photos)
        assert (outcome.generation, outcome.closed_by) == (generation, closed_by)

    def test_an_open_set_is_due_at_its_time_and_not_before(self, sessions: Sessions) -> None:
        register(sessions)
        arrive(sessions, REF, stored(REF, "a"), OPEN)
        assert sets_due(sessions, NOW + timedelta(minutes=9, seconds=59), 10) == []
        assert sets_due(sessions, NOW + timedelta(minutes=10), 10) == [(BUCKET, REF.set_key)]
        closed = arrive(sessions, REF, stored(REF, "a"), Completeness(ClosedBy.QUIET))
        assert (closed.generation, len(closed.opened)) == (1, 1)
        assert sets_due(sessions, NOW + timedelta(days=1), 10) == []

    def test_work_on_older_content_is_closed_without_a_verdict(self, sessions: Sessions) -> None:
        register(sessions)
        old = arrive(sessions, REF, stored(REF, "a")).opened[0]
        arrive(sessions, REF, stored(REF, "a", "b"))
        assert claim(sessions, old, LEASE, 5) is None
        assert queries.backlog(sessions).pending == 1
        assert rows(sessions, "verdict") == []

    def test_without_an_active_model_work_waits_for_one(self, sessions: Sessions) -> None:
        candidate = register(sessions, state=ModelState.CANDIDATE)
        assert arrive(sessions, REF, stored(REF, "a")).opened == ()
        activate_model(sessions, candidate)
        assert len(open_rescoring(sessions, candidate, 10)) == 1

    def test_a_naive_time_is_refused(self, sessions: Sessions) -> None:
        with pytest.raises(Exception, match="no time zone"):
            arrive(sessions, REF, stored(REF, "a"), now=NOW.replace(tzinfo=None))
        assert rows(sessions, "photo_set") == []


class TestWork:
    @pytest.fixture
    def work(self, sessions: Sessions) -> WorkKey:
        register(sessions)
        return arrive(sessions, REF, stored(REF, "a", "b")).opened[0]

    def test_what_is_held_is_not_claimed_again(self, sessions: Sessions, work: WorkKey) -> None:
        claimed = must_claim(sessions, work)
        assert (claimed.token, claimed.attempts) == (1, 1)
        assert claim(sessions, work, LEASE, 5) is None
        assert renew(sessions, claimed, LEASE)

    def test_unknown_work_is_no_claim(self, sessions: Sessions, work: WorkKey) -> None:
        assert claim(sessions, replace(work, set_id=work.set_id + 99), LEASE, 5) is None
        assert claim(sessions, replace(work, generation=7), LEASE, 5) is None

    def test_an_expired_lease_is_taken_over_and_the_late_one_fenced(self, sessions: Sessions, work: WorkKey) -> None:
        late = must_claim(sessions, work, EXPIRED)
        taken = must_claim(sessions, work)
        assert (taken.token, taken.attempts) == (2, 2)
        assert finish(sessions, late, scored(late, 0.9), POLICY, NOW, 1.0) is Finish.FENCED
        assert not renew(sessions, late, LEASE)
        release(sessions, late, timedelta(0), "late")
        bury(sessions, late, "late")
        mark_suspect(sessions, late, late.photos[0].photo_id)
        assert (rows(sessions, "prediction"), rows(sessions, "verdict")) == ([], [])
        assert finish(sessions, taken, scored(taken), POLICY, NOW, 1.0) is Finish.VERDICT
        assert queries.current_verdicts(sessions)[0].label is Label.CLEAR

    def test_a_worker_killer_dies_with_the_last_error(self, sessions: Sessions, work: WorkKey) -> None:
        for _ in range(3):
            assert claim(sessions, work, EXPIRED, max_attempts=3) is not None
        assert claim(sessions, work, LEASE, max_attempts=3) is None
        assert queries.backlog(sessions).dead == 1
        (status,) = view(sessions, "return_status")
        assert status["status"] == "failed"
        assert "3 workers in a row" in status["last_error"]
        assert due_work(sessions, 10, timedelta(0)) == []

    def test_failures_that_someone_lived_to_tell_do_not_count_as_deaths(
        self, sessions: Sessions, work: WorkKey
    ) -> None:
        for failures in range(6):
            claimed = claim(sessions, work, LEASE, max_attempts=3)
            assert claimed is not None
            assert (claimed.attempts, claimed.failures) == (1, failures)
            release(sessions, claimed, timedelta(0), "the store was away")

    def test_what_was_put_off_is_not_due_before_its_time(self, sessions: Sessions, work: WorkKey) -> None:
        release(sessions, must_claim(sessions, work), timedelta(hours=1), "the store was away")
        assert claim(sessions, work, LEASE, 5) is None
        assert due_work(sessions, 10, timedelta(0)) == []

    def test_the_photo_being_scored_when_a_worker_died_is_suspected(self, sessions: Sessions, work: WorkKey) -> None:
        dying = must_claim(sessions, work, EXPIRED)
        suspect = dying.photos[1].photo_id
        mark_suspect(sessions, dying, suspect)
        second = must_claim(sessions, work)
        assert (dying.suspect, second.suspect) == (None, suspect)
        release(sessions, second, timedelta(0), "the store was away")
        assert must_claim(sessions, work).suspect is None

    def test_the_outbox_is_rung_again_until_it_is_answered(self, sessions: Sessions, work: WorkKey) -> None:
        again = timedelta(hours=1)
        assert due_work(sessions, 10, again) == [], "the ingest's caller has just rung"
        assert due_work(sessions, 10, timedelta(0)) == [(work, "classify")]
        assert due_work(sessions, 10, again) == []
        claimed = must_claim(sessions, work, EXPIRED)
        assert due_work(sessions, 10, timedelta(seconds=-1)) == [(work, "classify")], "its worker is gone"
        mark_published(sessions, [work])
        assert due_work(sessions, 10, again) == []
        assert finish(sessions, claimed, scored(claimed), POLICY, NOW, 1.0) is Finish.VERDICT
        assert due_work(sessions, 10, timedelta(seconds=-1)) == []

    def test_the_oldest_first_verdicts_ring_first_and_no_more_than_asked(
        self, sessions: Sessions, work: WorkKey
    ) -> None:
        later = [arrive(sessions, set_ref(n), stored(set_ref(n), "a")).opened[0] for n in (2, 3)]
        candidate = register(sessions, "second", ModelState.CANDIDATE)
        rescore = open_rescoring(sessions, candidate, 10)
        published = due_work(sessions, 2, timedelta(seconds=-1))
        assert published == [(work, "classify"), (later[0], "classify")]
        everything_due = due_work(sessions, 10, timedelta(seconds=-1))
        assert everything_due == [(key, "classify") for key in (work, *later)] + [(key, "rescore") for key in rescore]

    def test_what_was_given_up_can_be_replayed(self, sessions: Sessions, work: WorkKey) -> None:
        bury(sessions, must_claim(sessions, work), "the model broke")
        assert claim(sessions, work, LEASE, 5) is None
        assert replay(sessions, work.set_id) == work
        assert replay(sessions, work.set_id) is None
        assert due_work(sessions, 10, timedelta(hours=1)) == [(work, "classify")]
        assert judge(sessions, work) is Finish.VERDICT


class TestFinish:
    def test_finishing_twice_gives_one_verdict(self, sessions: Sessions) -> None:
        register(sessions)
        claimed = must_claim(sessions, arrive(sessions, REF, stored(REF, "a")).opened[0])
        assert finish(sessions, claimed, scored(claimed), POLICY, NOW, 1.0) is Finish.VERDICT
        before = everything(sessions)
        assert finish(sessions, claimed, scored(claimed, 0.9), POLICY, NOW, 1.0) is Finish.FENCED
        assert everything(sessions) == before

    def test_content_that_moved_on_while_it_was_scored_gets_no_verdict(self, sessions: Sessions) -> None:
        register(sessions)
        claimed = must_claim(sessions, arrive(sessions, REF, stored(REF, "a")).opened[0])
        late = arrive(sessions, REF, stored(REF, "a", "b"))
        assert claim(sessions, claimed.work, LEASE, 5) is None, "a second ring leaves it to the worker that holds it"
        assert finish(sessions, claimed, scored(claimed), POLICY, NOW, 1.0) is Finish.SUPERSEDED
        assert rows(sessions, "verdict") == []
        known = must_claim(sessions, late.opened[0]).photos
        assert [photo.probability for photo in known] == [0.1, None], "what was learnt is not learnt twice"

    def test_the_first_prediction_of_a_content_wins(self, sessions: Sessions) -> None:
        register(sessions)
        photos = stored(REF, "a")
        judge(sessions, arrive(sessions, REF, photos).opened[0], 0.1)
        second = must_claim(sessions, arrive(sessions, REF, stored(REF, "a", version="2")).opened[0])
        assert finish(sessions, second, scored(second, 0.95), POLICY, NOW, 1.0) is Finish.VERDICT
        assert [verdict.score for verdict in queries.current_verdicts(sessions)] == [0.1]
        assert len(rows(sessions, "prediction")) == 1

    def test_what_is_known_of_a_photo_is_not_changed_by_another_model(self, sessions: Sessions) -> None:
        register(sessions)
        first = arrive(sessions, REF, stored(REF, "a")).opened[0]
        judge(sessions, first)
        before = rows(sessions, "photo")
        candidate = register(sessions, "second", ModelState.CANDIDATE)
        (work,) = open_rescoring(sessions, candidate, 10)
        assert judge(sessions, work, a=PhotoStatus.QUARANTINED) is Finish.VERDICT
        assert rows(sessions, "photo") == before
        labels = {row.model_id: row.label for row in _verdicts(sessions)}
        assert labels == {first.model_id: "clear", candidate: "undecided"}

    def test_a_photo_that_went_while_it_was_scored_reopens_the_set(self, sessions: Sessions) -> None:
        register(sessions)
        a, b = stored(REF, "a", "b")
        work = arrive(sessions, REF, [a, b]).opened[0]
        assert judge(sessions, work, b=PhotoStatus.GONE) is Finish.SUPERSEDED
        assert sets_due(sessions, NOW, 10) == [(BUCKET, REF.set_key)]
        outcome = arrive(sessions, REF, [a])
        assert (outcome.generation, len(outcome.opened)) == (2, 1)
        assert judge(sessions, outcome.opened[0]) is Finish.VERDICT

    def test_another_policy_than_the_registered_one_is_refused(self, sessions: Sessions) -> None:
        register(sessions)
        claimed = must_claim(sessions, arrive(sessions, REF, stored(REF, "a")).opened[0])
        with pytest.raises(ModelUnusable, match="another policy"):
            finish(sessions, claimed, scored(claimed), Policy(damaged_at=0.9, clear_below=0.2), NOW, 1.0)
        assert renew(sessions, claimed, LEASE), "nothing of it was kept, the claim still stands"

    @pytest.mark.parametrize("probability", [0.1, 1e-7, 0.123456789012345678, 0.65, 1.0, 5e-324])
    def test_a_verdict_can_be_computed_again_to_the_byte(self, sessions: Sessions, probability: float) -> None:
        register(sessions)
        photos = stored(REF, "a", "b", "ä€😀", "d")
        work = arrive(sessions, REF, photos, Completeness(ClosedBy.DEADLINE, missing=("x.jpg",))).opened[0]
        judge(sessions, work, probability, b=PhotoStatus.UNUSABLE, d=PhotoStatus.QUARANTINED)
        (placed,) = queries.placed_photos(sessions, BUCKET, "returns/")
        stored_verdict = placed.verdict
        assert stored_verdict is not None
        again = queries.decide_again(placed.photos, stored_verdict)
        assert again.input_sha256 == stored_verdict.input_sha256
        assert canonical_json(again.reasons) == canonical_json(stored_verdict.reasons)
        assert (again.label, again.score) == (stored_verdict.label, stored_verdict.score)

    def test_what_was_learnt_of_a_photo_comes_back_as_it_was(self, sessions: Sessions) -> None:
        model = register(sessions)
        work = arrive(sessions, REF, stored(REF, "a")).opened[0]
        judge(sessions, work, 0.3)
        (photo,) = queries.photos_of(sessions, work.set_id, model)
        assert (photo.status, photo.probability, photo.width, photo.height) == (PhotoStatus.OK, 0.3, 4000, 3000)
        assert photo.heatmap is not None
        assert photo.heatmap.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def _verdicts(sessions: Sessions) -> Sequence[Any]:
    return rows(sessions, "verdict")


class TestHistory:
    @pytest.fixture
    def reviewed(self, sessions: Sessions) -> Sessions:
        register(sessions)
        work = arrive(sessions, REF, stored(REF, "a")).opened[0]
        judge(sessions, work)
        add_review(sessions, **review(work.set_id, 1))
        return sessions

    @pytest.mark.parametrize("table", INSERT_ONLY)
    @pytest.mark.parametrize("change", ["UPDATE {} SET created_at = created_at", "DELETE FROM {}"])
    def test_the_database_refuses_to_change_it(self, reviewed: Sessions, table: str, change: str) -> None:
        before = rows(reviewed, table)
        with pytest.raises(IntegrityError, match=f"{table} is insert-only"), reviewed.begin() as session:
            session.execute(text(change.format(table)))
        assert rows(reviewed, table) == before != []


class TestModels:
    def test_registering_is_idempotent_and_keeps_the_state(self, sessions: Sessions) -> None:
        first = register(sessions, state=ModelState.CANDIDATE)
        assert register(sessions, state=ModelState.ACTIVE) == first
        assert queries.active_model(sessions) is None
        assert register(sessions, "other") != first

    def test_another_policy_is_another_version(self, sessions: Sessions) -> None:
        identity = ModelIdentity("m", "a" * 64, "b" * 64)
        first = register_model(sessions, identity, POLICY)
        assert register_model(sessions, identity, Policy(damaged_at=0.9, clear_below=0.5)) != first

    def test_one_version_is_active_at_a_time(self, sessions: Sessions) -> None:
        first, second = register(sessions, "first"), register(sessions, "second", ModelState.CANDIDATE)
        assert not activate_first_model(sessions, second)
        activate_model(sessions, second)
        activate_model(sessions, second)
        active = queries.active_model(sessions)
        assert active is not None
        assert (active.id, active.identity.name, active.policy) == (second, "second", POLICY)
        with sessions() as session:
            states = dict(session.execute(text("SELECT id, state FROM model_version")).tuples().all())
        assert states == {first: "retired", second: "active"}

    def test_the_first_model_of_a_database_can_be_made_active(self, sessions: Sessions) -> None:
        only = register(sessions, state=ModelState.CANDIDATE)
        assert activate_first_model(sessions, only)
        assert not activate_first_model(sessions, only)

    def test_the_database_itself_refuses_a_second_active_version(self, sessions: Sessions) -> None:
        register(sessions)
        register(sessions, "second", ModelState.CANDIDATE)
        with pytest.raises(IntegrityError), sessions.begin() as session:
            session.execute(text("UPDATE model_version SET state = 'active'"))

    def test_rescoring_opens_in_batches_until_all_are_asked(self, sessions: Sessions) -> None:
        register(sessions)
        for number in range(1, 6):
            judge(sessions, arrive(sessions, set_ref(number), stored(set_ref(number), "a")).opened[0])
        arrive(sessions, set_ref(6), stored(set_ref(6), "a"), OPEN)
        candidate = register(sessions, "second", ModelState.CANDIDATE)
        batches = [open_rescoring(sessions, candidate, 2) for _ in range(4)]
        assert [len(batch) for batch in batches] == [2, 2, 1, 0]
        assert len({key.set_id for batch in batches for key in batch}) == 5

    def test_a_swap_and_a_roll_back_leave_old_verdicts_and_lose_no_work(self, sessions: Sessions) -> None:
        first = register(sessions)
        judge(sessions, arrive(sessions, REF, stored(REF, "a")).opened[0])
        waiting = arrive(sessions, set_ref(2), stored(set_ref(2), "a")).opened[0]
        before = rows(sessions, "verdict")
        second = register(sessions, "second", ModelState.CANDIDATE)
        activate_model(sessions, second)
        assert due_work(sessions, 10, timedelta(seconds=-1)) == [], "the retired model's work waits"
        opened = open_rescoring(sessions, second, 10)
        assert [(key.set_id, queue) for key, queue in due_work(sessions, 10, timedelta(seconds=-1))] == [
            (opened[1].set_id, "classify"),  # nobody has judged this one
            (opened[0].set_id, "rescore"),
        ]
        judge(sessions, opened[0], 0.9)
        assert rows(sessions, "verdict")[:1] == before
        activate_model(sessions, first)
        assert [row.model_id for row in queries.current_verdicts(sessions)] == [first]
        assert due_work(sessions, 10, timedelta(seconds=-1)) == [(waiting, "classify")]


def review(set_id: int, verdict_id: int | None, key: str = "k1", **changes: Any) -> dict[str, Any]:
    return {
        "idempotency_key": key,
        "set_id": set_id,
        "seen_verdict_id": verdict_id,
        "seen_generation": 1,
        "label": Label.DAMAGED,
        "reason_code": "dent",
        "reviewer": "ana",
        "boxes": [{"key": "a", "box": [0.1, 0.2, 0.3, 0.4]}],
        "now": NOW + timedelta(hours=2),
        **changes,
    }


class TestReviews:
    @pytest.fixture
    def set_id(self, sessions: Sessions) -> int:
        register(sessions)
        work = arrive(sessions, REF, stored(REF, "a")).opened[0]
        judge(sessions, work)
        return work.set_id

    def test_the_same_review_twice_is_stored_once(self, sessions: Sessions, set_id: int) -> None:
        first = add_review(sessions, **review(set_id, 1))
        assert add_review(sessions, **review(set_id, 1, now=NOW + timedelta(hours=3))) == first
        assert len(rows(sessions, "review")) == 1

    def test_a_key_taken_by_another_decision_is_refused(self, sessions: Sessions, set_id: int) -> None:
        add_review(sessions, **review(set_id, 1))
        with pytest.raises(ReviewRefused, match="taken by another decision"):
            add_review(sessions, **review(set_id, 1, label=Label.CLEAR))

    @pytest.mark.parametrize(
        "changes", [{"set_id": 99}, {"seen_generation": 2}, {"seen_generation": 0}, {"seen_verdict_id": 99}]
    )
    def test_a_review_of_what_is_not_there_is_refused(
        self, sessions: Sessions, set_id: int, changes: dict[str, Any]
    ) -> None:
        with pytest.raises(ReviewRefused, match="reload the page"):
            add_review(sessions, **{**review(set_id, 1), **changes})
        assert rows(sessions, "review") == []

    def test_a_persons_decision_outranks_the_models_and_survives_a_rescore(
        self, sessions: Sessions, set_id: int
    ) -> None:
        add_review(sessions, **review(set_id, 1, "k1", label=Label.UNDECIDED))
        add_review(sessions, **review(set_id, 1, "k2"))
        second = register(sessions, "second", ModelState.CANDIDATE)
        (work,) = open_rescoring(sessions, second, 10)
        judge(sessions, work, 0.2)
        activate_model(sessions, second)
        (current,) = queries.current_verdicts(sessions)
        assert (current.label, current.decided_by, current.needs_another_look) == (Label.DAMAGED, "person", False)
        assert (current.model_id, current.score) == (second, 0.2)

    def test_new_content_needs_another_look_with_the_old_decision_shown(self, sessions: Sessions, set_id: int) -> None:
        add_review(sessions, **review(set_id, 1))
        judge(sessions, arrive(sessions, REF, stored(REF, "a", "b")).opened[0])
        (current,) = queries.current_verdicts(sessions)
        assert (current.label, current.decided_by, current.needs_another_look) == (Label.CLEAR, "model", True)
        (shown,) = view(sessions, "current_verdict")
        assert (shown["review_label"], shown["reviewer"]) == ("damaged", "ana")
        late = review(set_id, 1, "late")  # sent from a page that was opened before the new photo came
        add_review(sessions, **review(set_id, 2, "fresh", seen_generation=2, label=Label.CLEAR))
        add_review(sessions, **late)
        (current,) = queries.current_verdicts(sessions)
        assert (current.label, current.decided_by, current.needs_another_look) == (Label.CLEAR, "person", False)


class TestReports:
    def test_every_state_of_a_return_is_told(self, sessions: Sessions) -> None:
        register(sessions)
        judge(sessions, arrive(sessions, set_ref(1), stored(set_ref(1), "a")).opened[0], 0.9)
        bury(sessions, must_claim(sessions, arrive(sessions, set_ref(2), stored(set_ref(2), "a")).opened[0]), "broken")
        arrive(sessions, set_ref(3), stored(set_ref(3), "a"))
        arrive(sessions, set_ref(4), stored(set_ref(4), "a"), OPEN)
        arrive(sessions, set_ref(5), [], Completeness(None))
        quarantined = arrive(sessions, set_ref(6), stored(set_ref(6), "a", "b")).opened[0]
        judge(sessions, quarantined, b=PhotoStatus.QUARANTINED)
        found = {row["vehicle_ref"]: row for row in view(sessions, "return_status")}
        states = {vehicle: (row["status"], row["photos"], row["refused_photos"]) for vehicle, row in found.items()}
        assert states == {
            "V-001": ("damaged", 1, 0),
            "V-002": ("failed", 1, 0),
            "V-003": ("pending", 1, 0),
            "V-004": ("open", 1, 0),
            "V-005": ("empty", 0, 0),
            "V-006": ("undecided", 2, 1),
        }
        age = (datetime.now(UTC) - NOW).total_seconds()
        assert found["V-003"]["age_seconds"] == pytest.approx(age, abs=120)
        assert queries.progress(sessions, BUCKET) == queries.ScanProgress(5, 2, 6, 3, 1)
        assert [(row["object_key"], row["reason"]) for row in view(sessions, "quarantine")] == [
            (f"{set_ref(6).set_key}b.jpg", "corrupt")
        ]
        assert [(row["state"], row["sets"]) for row in view(sessions, "backlog")] == [("dead", 1), ("pending", 1)]
        backlog = queries.backlog(sessions)
        assert (backlog.pending, backlog.leased, backlog.dead) == (1, 0, 1)
        assert backlog.oldest is not None

    def test_a_candidates_work_is_no_backlog_of_verdicts(self, sessions: Sessions) -> None:
        register(sessions)
        judge(sessions, arrive(sessions, set_ref(1), stored(set_ref(1), "a")).opened[0])
        candidate = register(sessions, "second", ModelState.CANDIDATE)
        asked = open_rescoring(sessions, candidate, 10)
        assert queries.backlog(sessions) == queries.Backlog(0, 0, 0, None, shadow=1)
        bury(sessions, must_claim(sessions, asked[0]), "it broke")
        assert queries.backlog(sessions) == queries.Backlog(0, 0, 0, None, shadow=0)
        (row,) = view(sessions, "backlog")
        assert (row["model_state"], row["state"], row["sets"]) == ("candidate", "dead", 1)

    def test_verdicts_are_found_by_fleet_vehicle_label_and_time(self, sessions: Sessions) -> None:
        register(sessions)
        for number, fleet in ((1, "harbour"), (2, "harbour"), (1, "airport")):
            ref = set_ref(number, fleet)
            judge(sessions, arrive(sessions, ref, stored(ref, "a")).opened[0], 0.9 if number == 2 else 0.1)

        def found(**wanted: Any) -> list[tuple[str, str]]:
            rows = queries.current_verdicts(sessions, queries.VerdictFilter(bucket=BUCKET, **wanted))
            return [(row.fleet, row.vehicle) for row in rows]

        assert found() == [("airport", "V-001"), ("harbour", "V-001"), ("harbour", "V-002")]
        assert found(fleet="harbour") == [("harbour", "V-001"), ("harbour", "V-002")]
        assert found(vehicle="V-001") == [("airport", "V-001"), ("harbour", "V-001")]
        assert found(label=Label.DAMAGED) == [("harbour", "V-002")]
        assert found(since=NOW, until=NOW) == []
        assert len(found(since=NOW, until=NOW + timedelta(microseconds=1))) == 3

    def test_sets_are_walked_in_the_order_of_bytes_page_by_page(
        self, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("db.queries.walks.PAGE", 2)
        register(sessions)
        fleets = ["a", "B", "_", "é", "z", "😀", "Z"]
        for fleet in fleets:
            arrive(sessions, set_ref(1, fleet), stored(set_ref(1, fleet), "a"))
        arrive(sessions, replace(REF, set_key="other/1/"), [])
        walked = list(queries.set_rows(sessions, BUCKET, "returns/"))
        assert [row.ref.fleet for row in walked] == sorted(fleets, key=str.encode)
        assert walked[0].photos == {f"{walked[0].ref.set_key}a.jpg": "a-1"}
        placed = list(queries.placed_photos(sessions, BUCKET, "returns/"))
        assert [row.ref for row in placed] == [row.ref for row in walked]
        assert [row.ref.fleet for row in queries.set_rows(sessions, BUCKET, "returns/B")] == ["B"]
        assert len(list(queries.set_rows(sessions, BUCKET, ""))) == 8

    def test_a_placed_set_says_where_it_stands(self, sessions: Sessions) -> None:
        register(sessions)
        arrive(sessions, set_ref(1), stored(set_ref(1), "a"), OPEN)
        pending = arrive(sessions, set_ref(2), stored(set_ref(2), "a")).opened[0]
        bury(sessions, must_claim(sessions, arrive(sessions, set_ref(3), stored(set_ref(3), "a")).opened[0]), "broken")
        judge(sessions, arrive(sessions, set_ref(4), stored(set_ref(4), "a")).opened[0])
        opened, waiting, dead, done = queries.placed_photos(sessions, BUCKET, "")
        assert opened.pending_since == NOW
        assert waiting.pending_since is not None
        assert waiting.pending_since > NOW, "work waits since it was opened"
        assert waiting.set_id == pending.set_id
        assert (dead.dead, dead.pending_since, dead.verdict) == (True, None, None)
        assert (done.dead, done.pending_since) == (False, None)
        assert done.verdict is not None
        assert done.photos[0].probability == 0.1

    def test_scans_are_recorded(self, sessions: Sessions) -> None:
        assert queries.last_scan(sessions, "fleet", BUCKET) == (None, None)
        first = start_scan(sessions, "fleet", BUCKET, "returns/", NOW)
        finish_scan(
            sessions, first, {"listed": 5, "missing": 1, "repaired": 1, "strays": 2}, NOW + timedelta(minutes=1)
        )
        start_scan(sessions, "fleet", BUCKET, "returns/", NOW + timedelta(days=1))
        found = queries.last_scan(sessions, "fleet", BUCKET)
        assert found == (NOW + timedelta(days=1), NOW + timedelta(minutes=1))
        with sessions() as session:
            row = session.execute(text("SELECT listed, missing, repaired, counts FROM scan_run ORDER BY id")).first()
        assert row is not None
        assert row[:3] == (5, 1, 1)
        assert "strays" in str(row[3])


def test_photos_refused_before_they_were_read_keep_their_reason(sessions: Sessions) -> None:
    register(sessions)
    claimed = must_claim(sessions, arrive(sessions, REF, stored(REF, "a")).opened[0])
    refused = [PhotoResult(claimed.photos[0].photo_id, PhotoStatus.QUARANTINED, "too_large")]
    assert finish(sessions, claimed, refused, POLICY, NOW, 0.0) is Finish.VERDICT
    (current,) = queries.current_verdicts(sessions)
    assert (current.label, current.score) == (Label.UNDECIDED, None)
    assert current.reasons["photos"][0]["reason"] == "too_large"
