"""The picture of the rooms in docs/architecture.md is what the imports say."""

import pytest

from studies import rooms


def test_the_document_shows_the_imports_as_they_are() -> None:
    text = rooms.DOCUMENT.read_text(encoding="utf-8")
    assert rooms.with_picture(text) == text, "run `python -m studies.rooms`"


def test_imports_make_no_circle_and_every_room_is_named() -> None:
    arrows = rooms.import_arrows()
    assert rooms.find_circle(arrows) == []
    assert {room for arrow in arrows for room in arrow} <= rooms.TITLES.keys()


def test_an_arrow_that_follows_from_others_is_left_out() -> None:
    assert rooms.without_implied({("a", "b"), ("b", "c"), ("a", "c")}) == {("a", "b"), ("b", "c")}


def test_a_circle_is_found_and_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "import_arrows", lambda: {("core", "db"), ("db", "core")})
    assert set(rooms.find_circle(rooms.import_arrows())) == {"core", "db"}
    with pytest.raises(ValueError, match="circle"):
        rooms.picture()
