"""Photos that vanish never make a verdict milder, on both databases, and take no return out of any report."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from core.completeness import Completeness
from core.domain import ClosedBy, Label, ModelState, PhotoStatus, SetRef, StoredObject
from db import queries
from db.session import Sessions
from db.transactions import (
    Finish,
    IngestOutcome,
    WorkKey,
    activate_model,
    add_review,
    finish,
    open_rescoring,
)
from tests.photo_sets import (
    BUCKET,
    LEASE,
    MARKED,
    NOW,
    OPEN,
    POLICY,
    arrive,
    judge,
    manifest_of,
    must_claim,
    register,
    review,
    scored,
    set_ref,
    stored,
)
from tests.rows import rows, view

REF = set_ref()
DAMAGED, CLEAR = 0.9, 0.1
NOTHING = Completeness(None)  # what a listing without a photo says


def names_to_score(sessions: Sessions, work: WorkKey) -> list[str]:
    """The photos that a worker has to score: none that is gone."""
    photos = must_claim(sessions, work, timedelta(seconds=-1)).photos
    return [photo.object_key for photo in photos if photo.gone_reason is None and photo.probability is None]


def judge_each(sessions: Sessions, work: WorkKey, **probabilities: float) -> Finish:
    """Finish work with a probability for each photo by its name; those that are gone get no result."""
    claimed = must_claim(sessions, work)
    results = []
    for result, photo in zip(scored(claimed), claimed.photos, strict=True):
        name = photo.object_key.rpartition("/")[2].removesuffix(".jpg")
        if photo.gone_reason is None and name in probabilities:
            results.append(replace(result, probability=probabilities[name]))
    return finish(sessions, claimed, results, POLICY, NOW, 0.1)


def vanish(
    sessions: Sessions, left: Sequence[StoredObject], *names: str, complete: Completeness = MARKED, ref: SetRef = REF
) -> IngestOutcome:
    """Photos are absent from two listings, and then are proved to be gone."""
    arrive(sessions, ref, left, complete)
    missing = arrive(sessions, ref, left, complete).missing
    assert {key.rpartition("/")[2] for key in missing} == {f"{name}.jpg" for name in names}
    return arrive(sessions, ref, left, complete, gone=missing)


def standing(sessions: Sessions, ref: SetRef = REF) -> tuple[str, str | None, float | None, int]:
    (row,) = [row for row in view(sessions, "standing") if row["set_key"] == ref.set_key]
    return row["status"], row["decided_by"], row["score"], row["gone_photos"]


def test_a_damaged_return_stays_damaged_when_its_worst_photos_vanish(sessions: Sessions) -> None:
    register(sessions)
    a, b, c = stored(REF, "a", "b", "c")
    judge_each(sessions, arrive(sessions, REF, [a, b, c]).opened[0], a=0.992, b=DAMAGED, c=0.181)
    before = rows(sessions, "verdict")
    outcome = vanish(sessions, [c], "a", "b")
    assert (outcome.generation, outcome.closed_by) == (2, ClosedBy.MARKER)
    assert names_to_score(sessions, outcome.opened[0]) == []
    assert judge_each(sessions, outcome.opened[0]) is Finish.VERDICT
    assert standing(sessions) == ("damaged", "model", 0.992, 2)
    assert rows(sessions, "verdict")[:1] == before, "history stays"


@pytest.mark.parametrize("gone", ["a", "b"])
def test_a_clear_return_is_undecided_once_a_photo_vanishes(sessions: Sessions, gone: str) -> None:
    register(sessions)
    photos = dict(zip("ab", stored(REF, "a", "b"), strict=True))
    judge_each(sessions, arrive(sessions, REF, list(photos.values())).opened[0], a=CLEAR, b=0.2)
    del photos[gone]
    judge_each(sessions, vanish(sessions, list(photos.values()), gone).opened[0])
    assert standing(sessions) == ("undecided", "model", 0.2, 1)
    (current,) = queries.current_verdicts(sessions)
    absences = {photo["key"][-5]: photo.get("absence") for photo in current.reasons["photos"]}
    assert absences == {name: "vanished" if name == gone else None for name in "ab"}
    (queued,) = view(sessions, "review_queue")
    assert queued["why"] == "undecided"


@pytest.mark.parametrize("status", [PhotoStatus.QUARANTINED, PhotoStatus.UNUSABLE])
def test_a_refused_photo_that_vanishes_keeps_its_return_undecided(sessions: Sessions, status: PhotoStatus) -> None:
    register(sessions)
    a, b = stored(REF, "a", "b")
    judge(sessions, arrive(sessions, REF, [a, b]).opened[0], b=status)
    judge_each(sessions, vanish(sessions, [a], "b").opened[0])
    assert standing(sessions)[0] == "undecided"
    assert view(sessions, "quarantine") == [], "there is nothing left to look at"


def test_a_photo_that_vanishes_before_anyone_scored_it_counts_too(sessions: Sessions) -> None:
    register(sessions)
    a, b = stored(REF, "a", "b")
    arrive(sessions, REF, [a, b], OPEN)
    work = vanish(sessions, [a], "b").opened[0]
    assert names_to_score(sessions, work) == [a.key]
    judge_each(sessions, work, a=CLEAR)
    assert standing(sessions) == ("undecided", "model", CLEAR, 1)


@pytest.mark.parametrize("complete", [NOTHING, Completeness(ClosedBy.MARKER)])
def test_without_any_photo_a_return_stays_in_every_report(sessions: Sessions, complete: Completeness) -> None:
    """The first return is clear, the second one a person called damaged, the third one is damaged: so it stays."""
    register(sessions)
    first, second, third = (set_ref(return_ref=f"2026-11-2{day}") for day in range(3))
    photos = {}
    for day, (ref, probability) in enumerate(((first, CLEAR), (second, DAMAGED), (third, DAMAGED))):
        photos[ref] = stored(ref, "a", at=NOW - timedelta(days=10 - day))
        judge_each(sessions, arrive(sessions, ref, photos[ref]).opened[0], a=probability)
    ids = {row["set_key"]: row["set_id"] for row in view(sessions, "standing")}
    add_review(sessions, **review(ids[second.set_key], None))
    reports = ("vehicle_verdict", "damage", "new_damage", "fleet_day")
    before = {name: view(sessions, name) for name in reports}
    for ref in (first, second, third):
        work = vanish(sessions, [], "a", complete=complete, ref=ref).opened[0]
        assert names_to_score(sessions, work) == []
        judge_each(sessions, work)
    assert standing(sessions, second) == ("damaged", "person", DAMAGED, 1)
    assert standing(sessions, third) == ("damaged", "model", DAMAGED, 1)
    assert standing(sessions, first) == ("undecided", "model", CLEAR, 1)
    after = {name: view(sessions, name) for name in reports}
    changing = ("decided_at", "clear", "undecided")
    for name in reports:
        assert [_without(row, changing) for row in after[name]] == [_without(row, changing) for row in before[name]]
    assert [(row["return_ref"], row["novelty"]) for row in after["damage"]] == [
        ("2026-11-21", "new"),
        ("2026-11-22", "known"),
    ]
    assert [row["needs_another_look"] for row in view(sessions, "standing")] == [False, False, False]


def _without(row: dict[str, object], names: Sequence[str]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in names}


def test_a_review_stands_however_photos_go_and_come_back_and_until_others_come(sessions: Sessions) -> None:
    register(sessions)
    a, b = stored(REF, "a", "b")
    work = arrive(sessions, REF, [a, b]).opened[0]
    judge_each(sessions, work, a=DAMAGED, b=CLEAR)
    add_review(sessions, **review(work.set_id, None, label=Label.CLEAR))
    judge_each(sessions, vanish(sessions, [b], "a").opened[0])
    assert standing(sessions) == ("clear", "person", DAMAGED, 1)
    assert queries.latest_review(sessions, BUCKET, REF.set_key) is not None
    judge_each(sessions, arrive(sessions, REF, [a, b]).opened[0])
    assert standing(sessions) == ("clear", "person", DAMAGED, 0)
    judge_each(sessions, arrive(sessions, REF, [a, b, *stored(REF, "c")]).opened[0], c=CLEAR)
    assert standing(sessions) == ("damaged", "model", DAMAGED, 0)
    assert queries.latest_review(sessions, BUCKET, REF.set_key) is None
    (row,) = view(sessions, "current_verdict")
    assert row["needs_another_look"]


def test_a_photo_that_comes_back_as_it_was_is_simply_there_again(sessions: Sessions) -> None:
    register(sessions)
    a, b = stored(REF, "a", "b")
    judge_each(sessions, arrive(sessions, REF, [a, b]).opened[0], a=CLEAR, b=0.2)
    judge_each(sessions, vanish(sessions, [a], "b").opened[0])
    back = arrive(sessions, REF, [a, b])
    assert (back.generation, back.closed_by) == (3, ClosedBy.MARKER)
    assert names_to_score(sessions, back.opened[0]) == [], "what was learnt of it is still known"
    judge_each(sessions, back.opened[0])
    assert standing(sessions) == ("clear", "model", 0.2, 0)
    assert len(rows(sessions, "photo")) == 2


def test_a_photo_that_only_got_another_name_is_not_lost(sessions: Sessions) -> None:
    register(sessions)
    a, b = stored(REF, "a", "b")
    judge_each(sessions, arrive(sessions, REF, [a, b]).opened[0], a=CLEAR, b=CLEAR)
    renamed = stored(REF, "front")
    arrive(sessions, REF, [a, *renamed])
    work = arrive(sessions, REF, [a, *renamed], gone=[b.key]).opened[0]
    claimed = must_claim(sessions, work)
    content = next(photo.content_sha256 for photo in claimed.photos if photo.object_key == b.key)
    results = [
        replace(result, content_sha256=content)
        for result, photo in zip(scored(claimed), claimed.photos, strict=True)
        if photo.probability is None
    ]
    assert finish(sessions, claimed, results, POLICY, NOW, 0.1) is Finish.VERDICT
    assert standing(sessions) == ("clear", "model", CLEAR, 1)


def test_a_model_that_comes_later_judges_by_what_an_earlier_one_saw(sessions: Sessions) -> None:
    register(sessions)
    a, b = stored(REF, "a", "b")
    judge_each(sessions, arrive(sessions, REF, [a, b]).opened[0], a=DAMAGED, b=CLEAR)
    vanish(sessions, [b], "a")
    second = register(sessions, "second", ModelState.CANDIDATE)
    activate_model(sessions, second)
    (work,) = open_rescoring(sessions, second, 10)
    assert names_to_score(sessions, work) == [b.key]
    judge_each(sessions, work, b=0.3)
    assert standing(sessions) == ("damaged", "model", DAMAGED, 1)


def test_a_rescoring_worker_that_misses_a_photo_keeps_what_the_earlier_model_saw(sessions: Sessions) -> None:
    register(sessions)
    a, b = stored(REF, "a", "b")
    judge_each(sessions, arrive(sessions, REF, [a, b]).opened[0], a=DAMAGED, b=CLEAR)
    second = register(sessions, "second", ModelState.CANDIDATE)
    activate_model(sessions, second)
    (work,) = open_rescoring(sessions, second, 10)
    assert judge(sessions, work, a=PhotoStatus.GONE) is Finish.SUPERSEDED
    outcome = arrive(sessions, REF, [b])
    judge_each(sessions, outcome.opened[0])
    assert standing(sessions) == ("damaged", "model", DAMAGED, 1)


def test_the_verdict_can_be_made_again_whatever_a_late_worker_says_of_a_photo_that_went(sessions: Sessions) -> None:
    register(sessions)
    a, b = stored(REF, "a", "b")
    late = must_claim(sessions, arrive(sessions, REF, [a, b]).opened[0])
    judge_each(sessions, vanish(sessions, [a], "b").opened[0], a=CLEAR)
    assert finish(sessions, late, scored(late, 0.95), POLICY, NOW, 0.1) is Finish.SUPERSEDED
    (placed,) = queries.placed_photos(sessions, BUCKET, "")
    assert placed.verdict is not None
    assert queries.decide_again(placed.photos, placed.verdict).input_sha256 == placed.verdict.input_sha256


def test_a_manifest_that_vanishes_still_says_what_is_missing(sessions: Sessions) -> None:
    register(sessions)
    a, b = stored(REF, "a", "b")
    incomplete = Completeness(ClosedBy.DEADLINE, missing=(b.key,))
    judge(sessions, arrive(sessions, REF, [a], incomplete, manifest_of([a, b])).opened[0])
    outcome = arrive(sessions, REF, [a], Completeness(ClosedBy.QUIET))
    assert (outcome.changed, outcome.closed_by) == (False, ClosedBy.DEADLINE)
    late = arrive(sessions, REF, [a, b], Completeness(ClosedBy.QUIET))
    assert (late.generation, late.closed_by) == (2, ClosedBy.MANIFEST)
    assert set(must_claim(sessions, late.opened[0], LEASE).manifest) == {a.key, b.key}


def test_a_version_that_was_replaced_is_not_gone(sessions: Sessions) -> None:
    register(sessions)
    judge_each(sessions, arrive(sessions, REF, stored(REF, "a")).opened[0], a=DAMAGED)
    vanish(sessions, [], "a", complete=NOTHING)
    outcome = arrive(sessions, REF, stored(REF, "a", version="2"))
    assert (outcome.generation, outcome.closed_by) == (3, ClosedBy.MARKER)
    (photo,) = must_claim(sessions, outcome.opened[0]).photos
    assert (photo.status, photo.gone_reason) == (PhotoStatus.SEEN, None)
