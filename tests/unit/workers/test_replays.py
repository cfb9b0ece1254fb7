"""A cause is mended, and what it had spoilt is scored again: on both databases."""

from dataclasses import replace

import pytest

from core.domain import Label, LoadedPhoto, ViewPlan
from core.errors import PhotoRefused, Refusal
from core.testing.inline_loader import InlinePhotoLoader
from db.queries import ReplayFilter
from db.transactions import ReplayRequest
from tests.house import GREEN, RED, SET, House
from tests.rows import everything, rows
from workers import replays

ANA = ReplayRequest("ana", "more memory")


class StarvedLoader(InlinePhotoLoader):
    """A decoder that was given too little memory."""

    def load(self, data: bytes, plan: ViewPlan) -> LoadedPhoto:
        raise PhotoRefused(Refusal.DECODER_MEMORY)


@pytest.fixture
def starved(house: House) -> House:
    """A return whose photos were all refused, for a reason that is mended now."""
    house.put("1.jpg", GREEN)
    house.put("2.jpg", RED)
    well, house.scoring = house.scoring, replace(house.scoring, loader=StarvedLoader())
    house.ingest()
    house.answer()
    assert house.labels() == {SET: Label.UNDECIDED}
    house.scoring = well
    return house


def test_photos_refused_by_a_fault_of_ours_are_scored_once_it_is_mended(starved: House) -> None:
    wanted = ReplayFilter(starved.context.store.name, photos=True, reason=Refusal.DECODER_MEMORY)
    (found,) = replays.replay(starved.context, wanted, ANA)
    assert found.refused == (f"{SET}1.jpg", f"{SET}2.jpg")
    starved.answer()
    assert starved.labels() == {SET: Label.DAMAGED}
    assert starved.audit().passed
    assert list(replays.replay(starved.context, wanted, ANA)) == []


def test_one_photo_can_be_replayed_alone(starved: House) -> None:
    wanted = ReplayFilter(starved.context.store.name, object_keys=(f"{SET}1.jpg",), photos=True)
    assert len(list(replays.replay(starved.context, wanted, ANA))) == 1
    starved.answer()
    assert starved.labels() == {SET: Label.UNDECIDED}
    assert [(row.photos, row.requested_by) for row in rows(starved.context.sessions, "replay")] == [(1, "ana")]
    before = everything(starved.context.sessions)
    assert list(replays.replay(starved.context, wanted, ANA)) == [], "it is scored now"
    assert everything(starved.context.sessions) == before
