"""Decisions as objects in a store, on both databases: written once, never changed, and restored from there."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from core.domain import Label
from core.errors import StoreUnavailable
from core.review_line import ReviewLine, VersionRef, parse_review
from core.testing.memory_store import MemoryPhotoStore
from db import queries, transactions
from tests.house import GREEN, SET, House
from workers import review_objects
from workers.context import Context
from workers.review_objects import WriteResult, restore_reviews, stored_reviews, write_missing_reviews, write_reviews


def decided(house: House, *names: str) -> list[ReviewLine]:
    """A return with decisions in the database alone."""
    house.put("1.jpg", GREEN)
    house.ingest()
    house.answer()
    lines = [
        ReviewLine(key=name, set_key=SET, label=Label.DAMAGED, reason_code="dent", reviewer="ana", generation=1)
        for name in names
    ]
    bucket = house.store.name
    assert transactions.import_reviews(house.context.sessions, bucket, lines, datetime.now(UTC)) == [True] * len(names)
    return list(queries.review_lines(house.context.sessions, bucket))


def restored(context: Context) -> dict[str, bool | str]:
    return {
        key: outcome if isinstance(outcome, bool) else str(outcome)
        for key, outcome in restore_reviews(context, stored_reviews(context))
    }


def test_what_no_object_shows_is_written_word_for_word_and_once(house: House) -> None:
    lines = decided(house, "a", "b", "c")
    write_reviews(house.context, lines[:1])
    before = [house.store.stat(key) for key in stored_reviews(house.context)]
    for written in (2, 0):
        assert write_missing_reviews(house.context) == WriteResult(written)
    assert write_reviews(house.context, lines) == WriteResult()
    stored = {key: house.store.read(key, max_bytes=10**4).data for key in stored_reviews(house.context)}
    assert {key: parse_review(data) for key, data in stored.items()} == {line.object_key: line for line in lines}
    assert house.store.stat(lines[0].object_key) in before, "what was there already is left as it was"


class NoReviewsStore(MemoryPhotoStore):
    """Takes no review, and remembers which it was asked to take."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def create(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> NoReturn:
        self.asked.append(key)
        raise StoreUnavailable(f"{key}: the store is away")


def test_a_store_that_takes_nothing_is_asked_for_one_batch_and_says_why(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_objects, "BATCH", 2)
    lines = decided(house, "a", "b", "c", "d", "e")
    store = NoReviewsStore()
    result = write_reviews(replace(house.context, store=store), lines)
    assert (result.written, result.unwritten, len(store.asked)) == (0, 5, 2)
    assert result.problem == f"{lines[0].object_key}: the store is away"


def test_reviews_can_go_to_a_place_of_their_own(house: House, tmp_path: Path) -> None:
    (line,) = decided(house, "a")
    settings = house.context.settings.model_copy(update={"reviews": str(tmp_path / "elsewhere")})
    assert write_missing_reviews(replace(house.context, settings=settings)) == WriteResult(1)
    assert (tmp_path / "elsewhere" / line.object_key).is_file()
    assert list(house.store.list("reviews/")) == []


def test_objects_that_are_no_decisions_are_named_and_the_others_come_back(house: House) -> None:
    (line,) = decided(house, "a")
    missing = line.model_copy(update={"key": "b", "reviewed_at": datetime.now(UTC)})
    misplaced, torn = f"reviews/2026-11/{'0' * 64}.json", f"reviews/2026-11/{'1' * 64}.json"
    for key, text in (
        (line.object_key, line.to_json()),
        (missing.object_key, missing.to_json()),
        (misplaced, line.to_json()),
        (torn, line.to_json()[:40]),
        ("reviews/2026-11/notes.txt", "somebody's own"),
    ):
        house.store.write(key, text.encode())
    for added in (True, False):
        outcomes = restored(house.context)
        assert outcomes.keys() == {line.object_key, missing.object_key, misplaced, torn}
        assert (outcomes[line.object_key], outcomes[missing.object_key]) == (False, added)
        assert f"belongs at {line.object_key}" in str(outcomes[misplaced])
        assert "it is not JSON" in str(outcomes[torn])


def test_a_decision_comes_back_without_the_verdict_of_a_model_that_is_gone(house: House) -> None:
    (line,) = decided(house, "a")
    gone = VersionRef(name="old", weights_sha256="a" * 64, preprocess_sha256="a" * 64, policy_sha256="a" * 64)
    on_gone = line.model_copy(update={"key": "b", "verdict_by": gone})
    sessions, bucket = house.context.sessions, house.store.name
    (refused,) = transactions.import_reviews(sessions, bucket, [on_gone], datetime.now(UTC))
    assert "gave no verdict" in str(refused)
    house.store.write(on_gone.object_key, on_gone.to_json().encode())
    assert restored(house.context) == {on_gone.object_key: True}
    assert {found.key: found.verdict_by for found in queries.review_lines(sessions, bucket)}["b"] is None


def test_decisions_come_back_in_the_order_in_which_they_were_made(house: House) -> None:
    """Wherever their keys stand in the listing."""
    (line,) = decided(house, "a")
    assert line.reviewed_at is not None
    later = [
        line.model_copy(update={"key": f"k{n}", "label": label, "reviewed_at": line.reviewed_at + timedelta(seconds=n)})
        for n, label in enumerate([Label.CLEAR, Label.DAMAGED] * 4 + [Label.CLEAR], start=-20)
    ]
    for told in later:
        house.store.write(told.object_key, told.to_json().encode())
    assert set(restored(house.context).values()) == {True}
    found = [told.key for told in queries.review_lines(house.context.sessions, house.store.name)]
    assert found == ["a", *(told.key for told in later)]
