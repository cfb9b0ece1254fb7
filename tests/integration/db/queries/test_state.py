"""How things stand, as queries and views tell it, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.completeness import Completeness
from core.domain import Label, ModelState, PhotoStatus
from db import queries
from db.session import Sessions
from db.transactions import activate_model, bury, end_leases, open_rescoring, release
from tests.photo_sets import (
    BUCKET,
    NOW,
    OPEN,
    arrive,
    judge,
    must_claim,
    register,
    set_ref,
    stored,
)
from tests.rows import view


def test_every_state_of_a_return_is_told(sessions: Sessions) -> None:
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


def test_a_candidates_work_is_no_backlog_of_verdicts(sessions: Sessions) -> None:
    register(sessions)
    judge(sessions, arrive(sessions, set_ref(1), stored(set_ref(1), "a")).opened[0])
    candidate = register(sessions, "second", ModelState.CANDIDATE)
    asked = open_rescoring(sessions, candidate, 10)
    assert queries.backlog(sessions) == queries.Backlog(0, 0, 0, None, shadow=1)
    bury(sessions, must_claim(sessions, asked[0]), "it broke")
    assert queries.backlog(sessions) == queries.Backlog(0, 0, 0, None, shadow=0)
    (row,) = view(sessions, "backlog")
    assert (row["model_state"], row["state"], row["sets"]) == ("candidate", "dead", 1)


def test_verdicts_are_found_by_fleet_vehicle_label_and_time(sessions: Sessions) -> None:
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


def test_what_waits_is_told_queue_by_queue_also_where_nothing_does(sessions: Sessions) -> None:
    first = register(sessions)
    assert queries.backlog_figures(sessions).oldest == {"classify": None, "rescore": None}
    judge(sessions, arrive(sessions, set_ref(1), stored(set_ref(1), "a")).opened[0])
    arrive(sessions, set_ref(2), stored(set_ref(2), "a"))
    overdue = Completeness(None, check_at=NOW - timedelta(hours=1))
    arrive(sessions, set_ref(3), stored(set_ref(3), "a"), overdue)
    later = Completeness(None, check_at=datetime.now(UTC) + timedelta(hours=1))
    arrive(sessions, set_ref(4), stored(set_ref(4), "a"), later)
    second = register(sessions, "second", ModelState.CANDIDATE)
    open_rescoring(sessions, second, 10)
    figures = queries.backlog_figures(sessions)
    assert {key: sets for key, sets in figures.sets.items() if sets} == {("classify", "pending"): 1}
    assert len(figures.sets) == 6
    assert figures.oldest["classify"] is not None
    assert figures.oldest["rescore"] is None, "nobody waits for a candidate"
    assert (figures.shadow, figures.overdue) == (2, 1)
    activate_model(sessions, second)
    figures = queries.backlog_figures(sessions)
    assert figures.sets["rescore", "pending"] == 2, "opened before it was active"
    assert figures.oldest["rescore"] is not None
    assert first != second


def test_due_work_is_that_of_these_models_on_these_queues_expired_leases_too(sessions: Sessions) -> None:
    first = register(sessions)
    work = arrive(sessions, set_ref(1), stored(set_ref(1), "a")).opened[0]
    assert queries.has_due_work(sessions, [first], ["classify"])
    assert not queries.has_due_work(sessions, [first], ["rescore", "intake"])
    assert not queries.has_due_work(sessions, [first + 1], ["classify"])
    assert not queries.has_due_work(sessions, [], ["classify"])
    held = must_claim(sessions, work)
    assert not queries.has_due_work(sessions, [first], ["classify"]), "somebody has it"
    end_leases(sessions)
    assert queries.has_due_work(sessions, [first], ["classify"]), "whose lease has expired"
    release(sessions, must_claim(sessions, work), timedelta(hours=1), "the store is away")
    assert not queries.has_due_work(sessions, [first], ["classify"]), "its pause is not over"
    assert held.work == work
