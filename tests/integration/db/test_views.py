"""What the views say of small, known situations, on both databases."""

from datetime import timedelta
from typing import Any

import pytest

from core.domain import Label, ModelIdentity, ModelState, PhotoStatus
from core.policy import AuditSample
from db.session import Sessions
from db.transactions import add_review, finish, register_model
from tests.fleet_history import query_rows, tell
from tests.photo_sets import NOW, POLICY, arrive, judge, must_claim, register, scored, set_ref, stored


def review(sessions: Sessions, set_id: int, label: Label, *, generation: int = 1, verdict: int | None = None) -> None:
    add_review(
        sessions,
        idempotency_key=f"{set_id}-{generation}-{label}",
        set_id=set_id,
        seen_verdict_id=verdict,
        seen_generation=generation,
        label=label,
        reason_code="dent",
        reviewer="ana",
        now=NOW,
    )


def one(sessions: Sessions, query: str) -> dict[str, Any]:
    (row,) = query_rows(sessions, query)
    return row


def test_what_people_must_look_at(sessions: Sessions) -> None:
    register(sessions)
    works = [arrive(sessions, set_ref(n), stored(set_ref(n), "a")).opened[0] for n in range(1, 7)]
    for work, probability in zip(works, (0.6, 0.9, 0.1, 0.6, 0.1, 0.1), strict=True):
        judge(sessions, work, probability)
    review(sessions, 4, Label.CLEAR)  # was undecided: done
    review(sessions, 5, Label.UNDECIDED)
    review(sessions, 6, Label.DAMAGED)
    later = arrive(sessions, set_ref(6), stored(set_ref(6), "a", "b"))
    queue = "SELECT set_id, why, label, uncertainty FROM review_queue"
    assert [row["set_id"] for row in query_rows(sessions, queue)] == [1, 5], "no verdict on the new photos yet"
    judge(sessions, later.opened[0], 0.1)
    assert query_rows(sessions, queue) == [
        {"set_id": 1, "why": "undecided", "label": "undecided", "uncertainty": pytest.approx(0.8)},
        {"set_id": 5, "why": "second opinion", "label": "undecided", "uncertainty": pytest.approx(0.2)},
        {"set_id": 6, "why": "another look", "label": "clear", "uncertainty": pytest.approx(0.2)},
    ]


def test_a_review_stands_before_the_model_has_spoken(sessions: Sessions) -> None:
    register(sessions)
    arrive(sessions, set_ref(), stored(set_ref(), "a"))
    review(sessions, 1, Label.DAMAGED)
    row = one(sessions, "SELECT status, decided_by, needs_another_look FROM return_status")
    assert row == {"status": "damaged", "decided_by": "person", "needs_another_look": 0}


def test_the_latest_review_counts_by_when_it_was_made(sessions: Sessions) -> None:
    register(sessions)
    judge(sessions, arrive(sessions, set_ref(), stored(set_ref(), "a")).opened[0], 0.9)
    for key, label, minutes in (("second", Label.CLEAR, 5), ("first", Label.DAMAGED, 1)):
        add_review(
            sessions,
            idempotency_key=key,
            set_id=1,
            seen_verdict_id=1,
            seen_generation=1,
            label=label,
            reason_code="dent",
            reviewer="ana",
            now=NOW + timedelta(minutes=minutes),
        )
    assert one(sessions, "SELECT label FROM current_verdict") == {"label": "clear"}
    rate = one(sessions, "SELECT reviewed, overridden, override_rate, false_alarms, misses FROM override_rate")
    assert rate == {"reviewed": 1, "overridden": 1, "override_rate": 1, "false_alarms": 1, "misses": 0}


def test_a_vehicle_stands_where_its_latest_decided_return_does(sessions: Sessions) -> None:
    register(sessions)
    for day, probability in ((1, 0.1), (2, 0.9), (3, None)):
        ref = set_ref(return_ref=f"day-{day}")
        (work,) = arrive(sessions, ref, stored(ref, "a", at=NOW + timedelta(days=day))).opened
        if probability is not None:
            judge(sessions, work, probability)
    row = one(sessions, "SELECT label, return_ref, later_returns FROM vehicle_verdict")
    assert row == {"label": "damaged", "return_ref": "day-2", "later_returns": 1}


def test_delays_are_those_of_the_first_verdict_by_nearest_rank(sessions: Sessions) -> None:
    register(sessions)
    for number in range(1, 21):  # uploaded 1 to 20 seconds before their verdicts
        ref = set_ref(number)
        uploaded = NOW - timedelta(seconds=number)
        judge(sessions, arrive(sessions, ref, stored(ref, "a", at=uploaded), now=NOW).opened[0])
    row = one(sessions, "SELECT returns, p50_seconds, p95_seconds, longest_seconds FROM verdict_delay")
    assert row == {"returns": 20, "p50_seconds": 10, "p95_seconds": 19, "longest_seconds": 20}


def test_refused_photos_are_named_with_their_reason_until_they_are_replaced(sessions: Sessions) -> None:
    register(sessions)
    ref = set_ref()
    (work,) = arrive(sessions, ref, stored(ref, "a", "b", "c")).opened
    judge(sessions, work, a=PhotoStatus.QUARANTINED, b=PhotoStatus.UNUSABLE)
    query = "SELECT object_key, status, reason FROM quarantine"
    assert [(row["object_key"][-5:], row["status"]) for row in query_rows(sessions, query)] == [
        ("a.jpg", "quarantined"),
        ("b.jpg", "unusable"),
    ]
    arrive(sessions, ref, [*stored(ref, "b", "c"), *stored(ref, "a", version="2")])
    assert one(sessions, query)["status"] == "unusable"


def test_rates_and_costs_of_some_weeks(sessions: Sessions) -> None:
    tell(sessions)
    # Wilson's interval for 1 of 6, as SciPy's binomtest(1, 6).proportion_ci(method="wilson") gives it.
    assert one(sessions, "SELECT sampled, reviewed, missed, miss_rate, low, high FROM miss_rate") == {
        "sampled": 7,
        "reviewed": 6,
        "missed": 1,
        "miss_rate": pytest.approx(1 / 6),
        "low": pytest.approx(0.0300534, abs=1e-6),
        "high": pytest.approx(0.5635028, abs=1e-6),
    }
    days = query_rows(sessions, "SELECT * FROM fleet_day")
    for day in days:
        assert day["returns"] == day["damaged"] + day["clear"] + day["undecided"] + day["waiting"]
    assert sum(day["returns"] for day in days) == len(query_rows(sessions, "SELECT set_id FROM standing"))
    pairs = query_rows(sessions, "SELECT set_id, generation, model_id, other_model_id, agree FROM model_comparison")
    turned = [{**row, "model_id": row["other_model_id"], "other_model_id": row["model_id"]} for row in pairs]
    assert sorted(pairs, key=repr) == sorted(turned, key=repr), "each pair comes from either side"


@pytest.mark.parametrize(
    ("missed", "low", "high"), [(0, 0.0, 0.5614970), (3, 0.4385030, 1.0)], ids=["none missed", "all missed"]
)
def test_the_miss_rate_is_bounded_where_none_or_all_were_missed(
    sessions: Sessions, missed: int, low: float, high: float
) -> None:
    """As SciPy's binomtest(missed, 3).proportion_ci(method="wilson") gives it."""
    policy = POLICY.model_copy(update={"audit": AuditSample(share=1.0)})
    register_model(sessions, ModelIdentity("first", "a" * 64, "b" * 64), policy, ModelState.ACTIVE)
    for number in (1, 2, 3):
        claimed = must_claim(sessions, arrive(sessions, set_ref(number), stored(set_ref(number), "a")).opened[0])
        finish(sessions, claimed, scored(claimed), policy, NOW, 0.1)
        review(sessions, claimed.work.set_id, Label.DAMAGED if number <= missed else Label.CLEAR)
    row = one(sessions, "SELECT miss_rate, low, high FROM miss_rate")
    assert row == {
        "miss_rate": missed / 3,
        "low": pytest.approx(low, abs=1e-6),
        "high": pytest.approx(high, abs=1e-6),
    }
