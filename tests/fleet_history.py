"""Some weeks at two fleets, told to a database by the repositories' own calls: something for every view to show."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, text

from core.completeness import Completeness
from core.domain import ClosedBy, Label, ModelState, PhotoStatus, SetRef
from db.history import Verdict
from db.session import Sessions, engine_of
from db.transactions import activate_model, add_review, bury, claim, finish, open_rescoring
from db.views import VIEWS
from tests.photo_sets import LEASE, NOW, POLICY, arrive, judge, must_claim, register, scored, set_ref, stored

# Each database's own: measured by its clock, or counted by it (PostgreSQL leaves out numbers).
_ITS_OWN = {"age_seconds", "oldest_seconds", "oldest_at", "hours", "oldest_hours", "oldest_minutes", "vehicle_id"}


# What the second model makes of some returns, by their numbers; 11 to 14 are of one vehicle.
_SECOND_OPINION = {7: 0.9, 11: 0.1, 12: 0.9, 13: 0.6, 14: 0.9}


def tell(sessions: Sessions) -> None:
    """Every rule and label, vehicles that come back again, late photos, reviews, failures, three model versions."""
    register(sessions)
    _ten_vehicles(sessions)
    _one_vehicle_four_times(sessions)
    _late_photos_and_reviews(sessions)
    second = register(sessions, "second", ModelState.CANDIDATE)
    for work in open_rescoring(sessions, second, 100):
        if work.set_id != 10:
            judge(sessions, work, _SECOND_OPINION.get(work.set_id, 0.06 * work.set_id))
    activate_model(sessions, second)
    third = register(sessions, "third", ModelState.CANDIDATE)
    for work in open_rescoring(sessions, third, 8):
        judge(sessions, work, 0.4)
    _unfinished(sessions)
    _audit_sample(sessions, second)


def _ten_vehicles(sessions: Sessions) -> None:
    rules = list(ClosedBy)
    for number in range(1, 11):
        ref = set_ref(number, "harbour" if number % 2 else "Äirport")
        rule = Completeness(rules[number % 5], note="a note" if number == 3 else None)
        outcome = arrive(sessions, ref, stored(ref, "a", "b", "C", "ä"), rule, now=NOW + timedelta(minutes=number))
        fate = {4: {"a": PhotoStatus.QUARANTINED}, 5: {"b": PhotoStatus.UNUSABLE}}.get(number, {})
        judge(sessions, outcome.opened[0], number / 10.5, **fate)


def _one_vehicle_four_times(sessions: Sessions) -> None:
    for day, probability in ((-18, 0.1), (-3, 0.9), (-2, 0.6), (-1, 0.9)):
        at = NOW + timedelta(days=day)
        return_ref = f"{at:%Y-%m-%d-%H%M}"
        ref = SetRef("harbour", "HB-204", return_ref, f"returns/harbour/HB-204/{return_ref}/")
        (work,) = arrive(sessions, ref, stored(ref, "01", "02", at=at), now=at).opened
        claimed = claim(sessions, work, LEASE, 5)
        assert claimed is not None
        taken = at - timedelta(minutes=20)
        finish(
            sessions,
            claimed,
            scored(claimed, probability, taken),
            POLICY,
            at + timedelta(seconds=-day, microseconds=7),
            0.1,
        )


def _late_photos_and_reviews(sessions: Sessions) -> None:
    late = set_ref(2, "Äirport")
    judge(sessions, arrive(sessions, late, stored(late, "a", "late"), now=NOW + timedelta(hours=1)).opened[0], 0.7)
    reviews = (
        (1, 1, None, Label.CLEAR),
        (2, 1, 2, Label.DAMAGED),
        (9, 1, 9, Label.UNDECIDED),
        (3, 1, 3, Label.DAMAGED),
    )
    for set_id, generation, verdict_id, label in (*reviews, (8, 1, None, Label.UNDECIDED), (9, 1, 9, Label.CLEAR)):
        add_review(
            sessions,
            idempotency_key=f"review-{set_id}-{label}",
            set_id=set_id,
            seen_verdict_id=verdict_id,
            seen_generation=generation,
            label=label,
            reason_code="dent",
            reviewer="ana",
            now=NOW + timedelta(hours=2),
        )


def _unfinished(sessions: Sessions) -> None:
    arrive(sessions, set_ref(21), stored(set_ref(21), "a"), Completeness(None, check_at=NOW))
    arrive(sessions, set_ref(22), stored(set_ref(22), "a"))
    bury(sessions, must_claim(sessions, arrive(sessions, set_ref(23), stored(set_ref(23), "a")).opened[0]), "broken")


def _audit_sample(sessions: Sessions, model: int) -> None:
    """Seven clear returns that were drawn; of the six that people decided, one is damaged."""
    for number in range(31, 38):
        ref = set_ref(number)
        (work,) = arrive(sessions, ref, stored(ref, "a")).opened
        row = {
            "set_id": work.set_id,
            "generation": 1,
            "model_id": model,
            "label": Label.CLEAR,
            "score": 0.02,
            "closed_by": ClosedBy.MARKER,
            "reasons": {"rule": "every photo stays below the clear threshold"},
            "input_sha256": "0" * 64,
            "device_seconds": 0.125,
            "sampled": True,
            "created_at": NOW + timedelta(seconds=number),
        }
        with sessions.begin() as session:
            session.execute(insert(Verdict), [row])
        if number < 37:
            add_review(
                sessions,
                idempotency_key=f"audit-{number}",
                set_id=work.set_id,
                seen_verdict_id=None,
                seen_generation=1,
                label=Label.DAMAGED if number == 33 else Label.CLEAR,
                reason_code="audit",
                reviewer="ben",
                now=NOW + timedelta(hours=3),
            )


def view_rows(sessions: Sessions) -> dict[str, list[dict[str, Any]]]:
    """Every row of every view, in one order and spelling."""
    return {view: query_rows(sessions, f"SELECT * FROM {view}") for view in VIEWS}


def query_rows(sessions: Sessions, query: str) -> list[dict[str, Any]]:
    """A query's rows without their database's spelling of times, truth and documents, in one order."""
    engine = engine_of(sessions)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
        rows = connection.execute(text(query)).mappings()
        return sorted(({name: _plain(name, value) for name, value in row.items()} for row in rows), key=repr)


def _plain(name: str, value: Any) -> Any:
    if name in _ITS_OWN:
        return value is not None
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if name == "reasons" and isinstance(value, str):
        return json.loads(value)
    return value
