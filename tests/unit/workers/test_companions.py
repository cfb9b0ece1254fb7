"""Files that belong to photos keep no return from being clear; a picture under such a name is scored like any."""

import pytest

from core.domain import Label
from core.errors import Refusal
from db import queries
from tests.house import GREEN, RED, SET, House

MOV = b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(100)
GIF = b"GIF89a" + bytes(100)


@pytest.mark.parametrize(
    ("name", "data"),
    [("1.MOV", MOV), ("1.AAE", b"<?xml"), ("1.xmp", b""), ("notes.txt", b"all well"), ("protocol.pdf", b"%PDF-1.7")],
)
def test_a_companion_is_listed_and_counted_and_changes_no_verdict(house: House, name: str, data: bytes) -> None:
    house.put("1.png", GREEN)
    house.put(name, data)
    house.ingest()
    house.answer()
    (verdict,) = queries.current_verdicts(house.context.sessions)
    assert (verdict.label, verdict.photos) == (Label.CLEAR, 1)
    reasons = {photo["key"]: photo["reason"] for photo in verdict.reasons["photos"]}
    assert reasons == {SET + "1.png": None, SET + name: Refusal.COMPANION}
    audit = house.audit()
    assert (audit.passed, audit.in_verdict, audit.companions, audit.quarantined) == (True, 1, 1, 0)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("walk.MOV", MOV),  # a video alone
        ("1.MOV", GIF),  # beside its picture, and a picture itself
        ("notes.txt", GIF),
        ("broken.jpg", b"no picture at all"),
        ("unknown.bin", b"?"),
    ],
)
def test_what_may_show_the_vehicle_goes_to_a_person(house: House, name: str, data: bytes) -> None:
    house.put("1.png", GREEN)
    house.put(name, data)
    house.ingest()
    house.answer()
    assert house.labels() == {SET: Label.UNDECIDED}
    assert house.audit().quarantined == 1


def test_a_photo_under_a_companions_name_is_scored(house: House) -> None:
    house.put("1.png", GREEN)
    house.put("notes.txt", RED)
    house.put(".hidden", GREEN)
    house.ingest()
    house.answer()
    assert house.labels() == {SET: Label.DAMAGED}
    assert house.audit().in_verdict == 3


def test_a_return_of_nothing_but_companions_goes_to_a_person(house: House) -> None:
    house.put("notes.txt", b"no photos today")
    house.ingest()
    house.answer()
    assert house.labels() == {SET: Label.UNDECIDED}


def test_a_video_becomes_a_companion_when_its_picture_comes(house: House) -> None:
    house.put("1.png", GREEN)
    house.put("2.MOV", MOV)
    house.ingest()
    house.answer()
    assert house.labels() == {SET: Label.UNDECIDED}
    house.put("2.png", GREEN)
    house.ingest()
    house.ingest()
    house.answer()
    assert house.labels() == {SET: Label.CLEAR}
    assert house.audit().companions == 1


def test_a_companion_that_is_gone_takes_nothing_away(house: House) -> None:
    house.put("1.png", GREEN)
    house.put("notes.txt", b"all well")
    house.ingest()
    house.answer()
    house.store.remove(SET + "notes.txt")
    house.ingest()
    house.ingest()
    house.answer()
    assert house.labels() == {SET: Label.CLEAR}
    assert house.audit().passed
