"""New or known: every short history of a vehicle, in every order of arrival, and what late returns and reviews do."""

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, text

from core.domain import ClosedBy, Label
from db.history import Review, Verdict
from db.models import PhotoSet, SetState, Vehicle
from db.session import Sessions
from db.transactions import WorkKey, add_review, claim, finish
from tests.photo_sets import BUCKET, LEASE, NOW, POLICY, arrive, judge, register, scored, set_ref, stored

# How a return may stand: the model's label on its content, and what a person said of that or of older content.
STATES: dict[str, tuple[Label | None, Label | None, bool]] = {
    "clear": (Label.CLEAR, None, False),
    "damaged": (Label.DAMAGED, None, False),
    "undecided": (Label.UNDECIDED, None, False),
    "waiting": (None, None, False),
    "cleared by a person": (Label.DAMAGED, Label.CLEAR, False),
    "convicted by a person": (Label.CLEAR, Label.DAMAGED, False),
    "changed since a person cleared it": (Label.DAMAGED, Label.CLEAR, True),
}
HISTORIES = tuple(itertools.product(STATES, repeat=3))
ARRIVALS = tuple(itertools.permutations(range(3)))


def effective(state: str) -> Label | None:
    machine, person, stale = STATES[state]
    return person if person and not stale else machine


def expected(history: Sequence[str]) -> list[tuple[int, str, int | None]]:
    """(return, novelty, baseline) of the damaged returns: the rule in plain words, beside the view's SQL."""
    found: list[tuple[int, str, int | None]] = []
    for number, state in enumerate(history):
        if effective(state) is not Label.DAMAGED:
            continue
        earlier = [i for i in range(number) if effective(history[i]) in (Label.CLEAR, Label.DAMAGED)]
        baseline = earlier[-1] if earlier else None
        if baseline is None:
            found.append((number, "no baseline", None))
        else:
            found.append((number, "new" if effective(history[baseline]) is Label.CLEAR else "known", baseline))
    return found


def test_every_history_in_every_order_of_arrival(sessions: Sessions) -> None:
    model = register(sessions)
    cases = list(itertools.product(HISTORIES, ARRIVALS))
    rows = [row for number, case in enumerate(cases) for row in _returns(number, *case)]
    vehicles = [{"id": i, "fleet": "f", "vehicle_ref": str(i)} for i in range(len(cases))]
    with sessions.begin() as session:
        session.execute(insert(Vehicle), vehicles)
        session.execute(insert(PhotoSet), [row["set"] for row in rows])
        session.execute(insert(Verdict), [{**row["verdict"], "model_id": model} for row in rows if row["verdict"]])
        session.execute(insert(Review), [row["review"] for row in rows if row["review"]])
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("ANALYZE"))
    found: list[list[tuple[int, str, int | None]]] = [[] for _ in cases]
    for vehicle, return_ref, novelty, baseline in _damage(sessions):
        found[int(vehicle)].append((int(return_ref), novelty, None if baseline is None else int(baseline)))
    for (history, arrival), damage in zip(cases, found, strict=True):
        assert sorted(damage) == expected(history), (history, arrival)
    assert {novelty for damage in found for _, novelty, _ in damage} == {"new", "known", "no baseline"}


def _returns(vehicle: int, history: Sequence[str], arrival: Sequence[int]) -> list[dict[str, Any]]:
    """A vehicle's rows; the database's ids follow the order of arrival, `returned_at` the order of the history."""
    made = []
    for position, number in enumerate(arrival):
        machine, person, stale = STATES[history[number]]
        set_id, generation = 3 * vehicle + position + 1, 2 if stale else 1
        times = dict.fromkeys(("first_seen_at", "last_change_at", "uploaded_at"), NOW + timedelta(days=position))
        photo_set = {
            "id": set_id,
            "vehicle_id": vehicle,
            "bucket": BUCKET,
            "set_key": f"{vehicle}/{number}/",
            "return_ref": str(number),
            "generation": generation,
            "content_generation": generation,
            "state": SetState.COMPLETE,
            "closed_by": ClosedBy.MARKER,
            "missing": [],
            "returned_at": NOW + timedelta(days=number),
            **times,
        }
        verdict = machine and {
            "set_id": set_id,
            "generation": generation,
            "label": machine,
            "closed_by": ClosedBy.MARKER,
            "reasons": {},
            "input_sha256": "0" * 64,
            "device_seconds": 0.0,
            "sampled": False,
            "created_at": NOW,
        }
        review = person and {
            "idempotency_key": f"{set_id}",
            "set_id": set_id,
            "seen_generation": 1,
            "label": person,
            "reason_code": "dent",
            "reviewer": "ana",
            "created_at": NOW,
        }
        made.append({"set": photo_set, "verdict": verdict, "review": review})
    return made


def _damage(sessions: Sessions) -> list[tuple[str, str, str, str | None]]:
    with sessions() as session:
        query = (
            "SELECT vehicle_ref, return_ref, novelty, baseline_return_ref FROM damage ORDER BY vehicle_ref, return_ref"
        )
        return [(row[0], row[1], row[2], row[3]) for row in session.execute(text(query))]


def come_back(sessions: Sessions, return_ref: str, probability: float | None, *, uploaded: int, taken: int) -> WorkKey:
    """A return of the one vehicle, its photo taken and uploaded on these days; judged unless without probability."""
    ref = set_ref(return_ref=return_ref)
    at = NOW + timedelta(days=uploaded)
    (work,) = arrive(sessions, ref, stored(ref, "a", at=at), now=at).opened
    if probability is not None:
        claimed = claim(sessions, work, LEASE, 5)
        assert claimed is not None
        finish(sessions, claimed, scored(claimed, probability, NOW + timedelta(days=taken)), POLICY, at, 0.5)
    return work


def history_rows(sessions: Sessions) -> Sequence[Any]:
    with sessions() as session:
        return session.execute(text("SELECT * FROM verdict ORDER BY id")).all()


def test_a_late_older_return_changes_what_is_new_and_edits_no_verdict(sessions: Sessions) -> None:
    register(sessions)
    come_back(sessions, "monday", 0.1, uploaded=1, taken=1)
    come_back(sessions, "friday", 0.9, uploaded=5, taken=5)
    assert _damage(sessions) == [("V-001", "friday", "new", "monday")]
    before = history_rows(sessions)
    # The phone had no network for days: uploaded last, taken in between.
    work = come_back(sessions, "wednesday", None, uploaded=6, taken=3)
    assert _damage(sessions) == [("V-001", "friday", "new", "monday")], "not judged yet"
    claimed = claim(sessions, work, LEASE, 5)
    assert claimed is not None
    finish(sessions, claimed, scored(claimed, 0.9, NOW + timedelta(days=3)), POLICY, NOW, 0.5)
    assert _damage(sessions) == [("V-001", "friday", "known", "wednesday"), ("V-001", "wednesday", "new", "monday")]
    assert history_rows(sessions)[: len(before)] == before


def test_a_review_of_the_baseline_changes_what_is_new(sessions: Sessions) -> None:
    register(sessions)
    baseline = come_back(sessions, "monday", 0.1, uploaded=1, taken=1)
    come_back(sessions, "friday", 0.9, uploaded=5, taken=5)
    add_review(
        sessions,
        idempotency_key="k",
        set_id=baseline.set_id,
        seen_verdict_id=None,
        seen_generation=1,
        label=Label.DAMAGED,
        reason_code="dent",
        reviewer="ana",
        now=NOW,
    )
    assert _damage(sessions) == [("V-001", "friday", "known", "monday"), ("V-001", "monday", "no baseline", None)]
    ref = set_ref(return_ref="monday")
    later = arrive(sessions, ref, stored(ref, "a", "b", at=NOW + timedelta(days=1)), now=NOW + timedelta(days=8))
    assert _damage(sessions) == [("V-001", "friday", "no baseline", None)], "its content changed: it awaits a verdict"
    judge(sessions, later.opened[0], 0.1)
    assert _damage(sessions) == [("V-001", "friday", "new", "monday")]
