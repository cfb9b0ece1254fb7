"""The report of a night, from either database: what is damage, and what was not there to compare it with."""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from core.domain import PhotoStatus
from db.session import Sessions
from db.transactions import bury
from reports.night_page import Night, night_document, night_page, read_night
from reports.view import PhotoView
from tests.photo_sets import BUCKET, NOW, arrive, judge, must_claim, register, set_ref, stored

COUNTS = {"objects": 1234, "missing": 3, "failed": 2, "reviews_unwritten": 5}


def a_night(sessions: Sessions) -> Night:
    """One vehicle comes back twice, clear and then damaged; one for the first time; one is given up."""
    register(sessions)
    for number, return_ref, probability in ((1, "2026-11-20", 0.1), (1, "2026-11-23", 0.9), (2, "2026-11-23", 0.95)):
        ref, day = set_ref(number, return_ref=return_ref), timedelta(days=int(return_ref[-2:]) - 24)
        (work,) = arrive(sessions, ref, stored(ref, "a", at=NOW + day), now=NOW + day).opened
        judge(sessions, work, probability)
    unread = set_ref(3)
    judge(sessions, arrive(sessions, unread, stored(unread, "a")).opened[0], a=PhotoStatus.QUARANTINED)
    given_up = set_ref(4)
    bury(sessions, must_claim(sessions, arrive(sessions, given_up, stored(given_up, "a")).opened[0]), "no such <model>")
    return read_night(sessions, BUCKET, COUNTS, NOW - timedelta(hours=1), NOW + timedelta(hours=1))


def test_new_damage_and_damage_without_a_baseline_are_listed_apart(sessions: Sessions) -> None:
    found = night_document(BUCKET, a_night(sessions), "reports/page.html")
    assert [item["vehicle"] for item in found["new_damage"]] == ["V-001"]
    assert [item["vehicle"] for item in found["damage_without_baseline"]] == ["V-002"]
    assert found["failures"] == [{"set_key": set_ref(4).set_key, "last_error": "no such <model>"}]
    assert (found["photos_not_scored"], found["scan"], found["page"]) == ({"corrupt": 1}, COUNTS, "reports/page.html")
    assert found["drift"]["stability_index"] is None


def test_what_was_decided_before_is_no_news(sessions: Sessions) -> None:
    a_night(sessions)
    later = read_night(sessions, BUCKET, COUNTS, NOW + timedelta(seconds=1), NOW + timedelta(hours=1))
    assert later.damage == []


def test_the_page_tells_what_a_person_must_look_after(sessions: Sessions) -> None:
    asked: list[str] = []

    def render(wanted: Sequence[tuple[PhotoView, bool]]) -> list[None]:
        asked.extend(photo.key for photo, _ in wanted)
        return [None] * len(wanted)

    text = night_page(sessions, BUCKET, ZoneInfo("Europe/Riga"), a_night(sessions), render).decode()
    assert asked == [set_ref(number, return_ref="2026-11-23").set_key + "a.jpg" for number in (2, 1)]
    assert "since 23 November, 09:30" in text
    for words in (
        "Photos not scored: 1 corrupt.",
        "5 reviews are in the database alone",
        "2 returns could not be looked at by the scan",
        "no such &lt;model&gt;",
        "<dt>objects listed</dt><dd>1,234</dd>",
    ):
        assert words in text
