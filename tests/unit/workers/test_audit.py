"""The audit accounts for every object of the store, or names it; the parts add up to all that lies there."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from core.domain import Label
from tests.house import GREEN, RED, SET, House
from workers import pipeline
from workers.audit import audit


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


def test_a_photo_is_one_whatever_its_name(house: House) -> None:
    """Cameras set to AdobeRGB begin their files' names with `_`: a car was called clear for it."""
    house.put("01.png", GREEN)
    house.put("_MG_0002.JPG", RED)
    house.put("_DSC0003.JPG", GREEN, "returns/harbour/HB-205/r1/")
    pipeline.scan(house.context)
    house.answer()
    assert house.labels() == {SET: Label.DAMAGED, "returns/harbour/HB-205/r1/": Label.CLEAR}
    result = house.audit()
    assert (result.passed, result.in_verdict, result.listing.objects) == (True, 3, 3)


def test_the_parts_add_up_to_all_objects_of_the_store(house: House) -> None:
    for name, data in (("1.png", GREEN), ("1.mov", b"a video"), ("2.png", b""), ("_COMPLETE", b""), ("._1.png", b"x")):
        house.put(name, data)
    house.put(".DS_Store", b"x")
    for key in ("returns/harbour/HB-204_$folder$", "returns/harbour/"):
        house.store.write(key, b"")
    for key in ("reports/fleet-2026-11-23.html", "models/card.json"):
        house.store.write(key, b"x")
    house.ingest()
    house.answer()
    result = house.audit()
    assert dict(result.parts) == {
        "photos in a verdict": 1,
        "quarantined": 1,
        "companions": 1,
        "control files": 1,
        "written by Walkaround": 1,
        "litter (Hadoop)": 1,
        "litter (folder marker)": 1,
        "litter (macOS)": 2,
        "outside the returns' folder": 1,
    }
    assert (result.passed, result.listing.objects) == (True, 10)
    house.put("3.png", GREEN)
    house.put("lost.jpg", RED, "returns/")
    result = house.audit()
    assert not result.passed
    assert (result.parts["strays"], result.parts["unexplained"]) == (1, 1)
    assert sum(result.parts.values()) == result.listing.objects == 12


def test_a_photo_that_waits_longer_than_allowed_is_named(house: House) -> None:
    house.put("1.png", GREEN)
    house.ingest()
    context, late = house.context, datetime.now(UTC) + timedelta(hours=12, seconds=1)
    assert house.audit().pending == 1
    (finding,) = audit(house.store, context.layout, context.sessions, late, timedelta(hours=12)).findings
    assert finding.startswith(f"{SET}1.png: pending since")


@pytest.mark.parametrize("change", ["sampled = NOT sampled", "score = 0.5", "label = 'undecided'"])
def test_a_verdict_that_was_changed_by_hand_is_named(house: House, change: str) -> None:
    house.put("1.png", GREEN)
    house.ingest()
    house.answer()
    assert house.audit().recomputed == 1
    with house.context.sessions.begin() as session:
        is_postgresql = session.get_bind().dialect.name == "postgresql"
        protection_off = (
            "ALTER TABLE verdict DISABLE TRIGGER USER" if is_postgresql else "DROP TRIGGER verdict_refuses_update"
        )
        session.execute(text(protection_off))
        session.execute(text(f"UPDATE verdict SET {change}"))
    result = house.audit()
    assert (result.recomputed, result.passed) == (0, False)
    assert result.findings == [f"{SET}: its verdict does not follow from its rows; they were changed by hand"]


def judged(house: House, **photos: bytes) -> None:
    for name, data in photos.items():
        house.put(f"{name}.jpg", data)
    house.ingest()
    house.answer()


def test_photos_that_vanished_are_named_until_they_come_back(house: House) -> None:
    judged(house, a=RED, b=GREEN)
    house.store.remove(SET + "a.jpg")
    first = house.audit()
    assert (first.vanished, [finding.partition(";")[0] for finding in first.findings]) == (
        0,
        [f"{SET}a.jpg: in the database but not in the store"],
    )
    house.ingest()
    house.ingest()
    house.answer()
    assert house.labels() == {SET: Label.DAMAGED}
    result = house.audit()
    assert (result.passed, result.vanished, result.in_verdict, result.recomputed) == (False, 1, 1, 1)
    (finding,) = result.findings
    assert finding.startswith(f"{SET}a.jpg: vanished from the store")
    house.store.remove(SET + "b.jpg")
    house.ingest()
    house.ingest()
    house.answer()
    assert house.audit().vanished == 2, "of a return without any photo too"
    for name, data in (("a", RED), ("b", GREEN)):
        house.put(f"{name}.jpg", data)
    house.ingest()
    house.answer()
    assert house.audit().passed
