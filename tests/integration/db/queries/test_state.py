"""How things stand, as queries and views tell it, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.completeness import Completeness
from core.domain import Label, ModelState, PhotoStatus
from db import queries
from db.session import Sessions
from db.transactions import (
    bury,
    open_rescoring,
)
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
