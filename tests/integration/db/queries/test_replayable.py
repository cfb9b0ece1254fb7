"""What can be scored again is found without reading any other row, on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from core.domain import PhotoStatus
from db import queries
from db.queries import Replayable, ReplayFilter
from db.session import Sessions, engine_of
from db.transactions import bury
from tests.photo_sets import BUCKET, NOW, arrive, judge, must_claim, register, set_ref, stored


def found(sessions: Sessions, **wanted: Any) -> list[Replayable]:
    return queries.replayable(sessions, ReplayFilter(BUCKET, **wanted))


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [3]),
        ({"photos": True}, [1, 2, 3]),
        ({"photos": True, "reason": "corrupt"}, [1, 2]),
        ({"photos": True, "reason": "truncated"}, []),
        ({"photos": True, "fleet": "airport"}, [2]),
        ({"photos": True, "since": NOW + timedelta(hours=1)}, [2]),
        ({"photos": True, "set_keys": (set_ref(1).set_key, set_ref(3).set_key)}, [1, 3]),
        ({"photos": True, "object_keys": (f"{set_ref(1).set_key}a.jpg",)}, [1]),
    ],
)
def test_each_part_that_is_given_must_match(sessions: Sessions, wanted: dict[str, Any], numbers: list[int]) -> None:
    register(sessions)
    for number, fleet in ((1, "harbour"), (2, "airport"), (3, "harbour"), (4, "harbour")):
        ref, at = set_ref(number, fleet), NOW + timedelta(days=number == 2)
        (work,) = arrive(sessions, ref, stored(ref, "a"), now=at).opened
        if number == 3:
            bury(sessions, must_claim(sessions, work), "broken")
        else:
            judge(sessions, work, a=PhotoStatus.OK if number == 4 else PhotoStatus.QUARANTINED)
    assert sorted(int(item.set_key.split("/")[2][2:]) for item in found(sessions, **wanted)) == numbers


def test_work_on_content_that_was_replaced_is_not_replayable(sessions: Sessions) -> None:
    register(sessions)
    ref = set_ref()
    bury(sessions, must_claim(sessions, arrive(sessions, ref, stored(ref, "a")).opened[0]), "broken")
    assert len(found(sessions)) == 1
    arrive(sessions, ref, stored(ref, "a", "b"))
    assert found(sessions) == []


def test_neither_all_work_nor_all_photos_are_read(sessions: Sessions) -> None:
    asked: list[tuple[str, Any]] = []
    engine = engine_of(sessions)
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
    found(sessions, photos=True)
    plans = ""
    with sessions() as session:
        connection = session.connection()
        on_postgresql = connection.dialect.name == "postgresql"
        if on_postgresql:  # whose planner would rather read an empty table whole
            session.execute(text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN" if on_postgresql else "EXPLAIN QUERY PLAN"
        for statement, parameters in [each for each in asked if each[0].startswith("SELECT photo_set")]:
            plans += str(connection.exec_driver_sql(f"{explain} {statement}", parameters).all())
    assert "Seq Scan on work" not in plans
    assert "Seq Scan on photo " not in plans
    assert "SCAN work'" not in plans
    assert "SCAN photo'" not in plans
