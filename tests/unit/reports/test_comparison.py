"""What another model would change: the page that a person reads and the JSON that a program does."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.domain import Label, ModelIdentity, ModelState, PhotoStatus
from db.queries import ComparedSet, Comparison, PhotoReport, VersionRow
from reports.comparison import MAX_SETS, PHOTOS_SHOWN, ComparisonReport, comparison_json, write_comparison
from reports.pictures import Picture
from tests.reports import MADE_AT, POLICY

FIRST, SECOND = (
    VersionRow(number, ModelIdentity(name, "a" * 64, "b" * 64), POLICY, state, MADE_AT, None, 9, 0)
    for number, (name, state) in enumerate(
        [("old", ModelState.ACTIVE), ("new", ModelState.CANDIDATE)],
        start=1,
    )
)
RULES: list[dict[str, Any]] = [{"rule": "all_clear"}, {"rule": "damage"}]
CHANGED = ComparedSet(
    5, "r/", "harbour", "V-002", "r1", Label.CLEAR, 0.1, RULES[0], Label.DAMAGED, 0.9, RULES[1], Label.DAMAGED
)
COUNTS = Comparison({(Label.CLEAR, Label.DAMAGED): 2, (Label.CLEAR, Label.CLEAR): 1}, 0, 4, 2, 0, 1, 9, 0.25, 0.5)


def report(*changed: ComparedSet) -> ComparisonReport:
    return ComparisonReport("s3://bucket", MADE_AT, FIRST, SECOND, COUNTS, changed)


def photos_of(_: int, model_id: int) -> Sequence[PhotoReport]:
    """Nine photos: the second model's probability differs by n hundredths; one that the first did not score."""
    shifts = [n / 100 if model_id == SECOND.id else 0 for n in range(8)]
    scores = [*(0.3 + shift for shift in shifts), None if model_id == FIRST.id else 0.99]
    return [
        PhotoReport(f"r/{n}.jpg", str(n), PhotoStatus.OK if score else PhotoStatus.SEEN, None, score, None, 640, 480)
        for n, score in enumerate(scores)
    ]


def page(path: Path, *changed: ComparedSet) -> str:
    write_comparison(
        path / "compare.html",
        report(*changed),
        photos_of,
        lambda wanted: [Picture(b"plain", 320, 240, b"heat")] * len(wanted),
    )
    return (path / "compare.html").read_text("utf-8")


def test_the_photos_that_moved_most_stand_first_with_both_answers(tmp_path: Path) -> None:
    text = page(tmp_path, CHANGED)
    assert re.findall(r'<span title="(\d)\.jpg">', text) == [str(7 - n) for n in range(PHOTOS_SHOWN)]
    assert "<b>30\u00a0% → 37\u00a0%</b>" in text
    assert "From version <b>1 (old)</b>, active, to <b>2 (new)</b>, candidate" in text


def test_the_page_needs_nothing_else_and_names_are_text(tmp_path: Path) -> None:
    text = page(tmp_path, replace(CHANGED, vehicle="<script>V</script>"))
    assert not re.search(r"""(src|href)=["'](?!data:)|url\(|@import|https?:""", text)
    assert "<script" not in text


def test_over_the_cap_sets_are_named_without_pictures(tmp_path: Path) -> None:
    text = page(tmp_path, *(replace(CHANGED, vehicle=f"V-{n:03}") for n in range(MAX_SETS + 2)))
    assert text.count("<article") == MAX_SETS
    assert "2 more, without pictures" in text
    assert f"V-{MAX_SETS + 1:03} harbour" in text


def test_the_json_has_the_counts_and_every_changed_set() -> None:
    found = json.loads(comparison_json(report(CHANGED)))
    assert (found["sets"], found["changed_sets"], found["only_second"]) == (3, 2, 4)
    assert found["reviewed"] == {"sets": 2, "first_right": 0, "second_right": 1}
    assert found["labels"] == [
        {"first": "clear", "second": "clear", "sets": 1},
        {"first": "clear", "second": "damaged", "sets": 2},
    ]
    (changed,) = found["changed"]
    assert (changed["first"]["rule"], changed["second"]["rule"], changed["reviewed"]) == (
        "all_clear",
        "damage",
        "damaged",
    )
