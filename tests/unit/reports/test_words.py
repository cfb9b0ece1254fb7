"""Reasons in plain words: each says what was found, in which photo, against which limit."""

from dataclasses import replace

import pytest

from core.domain import ClosedBy, PhotoStatus
from core.errors import Refusal
from core.photos.usability import Unusable
from core.reasons import Rule
from reports.view import PhotoView, ReturnView, Standing
from reports.words import explain_closing, explain_photo, explain_verdict, percent
from tests.reports import decided, photo, sample_report, waiting

KEY = "returns/f/V/r/"


def words(found: ReturnView) -> str:
    return explain_verdict(found).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("photos", "closed_by", "sentence"),
    [
        (
            [photo("1.jpg", 0.97), photo("2.jpg", 0.7), photo("3.jpg", 0.1)],
            ClosedBy.MANIFEST,
            "2 of 3 photos show damage: most clearly 1.jpg at 97 % (damage from 62 %).",
        ),
        (
            [photo("1.jpg", 0.1), photo("2.jpg", 0.999)],
            ClosedBy.MANIFEST,
            "1 of 2 photos shows damage: 2.jpg at > 99 % (damage from 62 %).",
        ),
        ([photo("1.jpg", 0.97)], ClosedBy.MANIFEST, "The photo shows damage: 97 % (damage from 62 %)."),
        (
            [photo("1.jpg", 0.48), photo("2.jpg", 0.1)],
            ClosedBy.QUIET,
            "1.jpg is at 48 %, between clear (below 35 %) and damage (from 62 %); a person has to look.",
        ),
        (
            [photo("1.jpg", 0.1), photo("2.jpg", reason="empty")],
            ClosedBy.QUIET,
            "No scored photo shows damage, but not all could be scored; a person has to look."
            " Not scored: 2.jpg: the file is empty; upload it again.",
        ),
        (
            [photo("2.jpg", reason="too_dark"), photo("3.jpg", reason="empty")],
            ClosedBy.QUIET,
            "No photo could be scored; a person has to look."
            " Not scored: 2.jpg: the photo is almost black; take it again in light, and 1 more.",
        ),
        (
            [photo("1.jpg", 0.1)],
            ClosedBy.DEADLINE,
            "The set is incomplete: its deadline passed before all photos came in.",
        ),
        (
            [photo("1.jpg", 0.12), photo("2.jpg", 0.004)],
            ClosedBy.COUNT,
            "All 2 photos stay below 35 %; the highest is 1.jpg at 12 %.",
        ),
        ([photo("1.jpg", 0.004)], ClosedBy.COUNT, "The photo stays below 35 %: < 1 %."),
    ],
)
def test_a_verdict_is_explained(photos: list[PhotoView], closed_by: ClosedBy, sentence: str) -> None:
    assert words(decided(KEY, *photos, closed_by=closed_by)) == sentence


def test_missing_photos_are_named() -> None:
    found = decided(KEY, photo("1.jpg", 0.1), missing=[f"{KEY}{n}.jpg" for n in range(2, 7)])

    assert words(found) == "The set is incomplete: 5 photos of its manifest are missing (2.jpg, 3.jpg, 4.jpg …)."


def test_damage_is_explained_even_where_another_photo_could_not_be_scored() -> None:
    sentence = words(decided(KEY, photo("1.jpg", 0.97), photo("2.jpg", reason="truncated")))

    assert sentence.startswith("1 of 2 photos shows damage")
    assert sentence.endswith("Not scored: 2.jpg: a part of the file is missing; upload it again.")


def test_a_persons_decision_is_named_as_one() -> None:
    found = decided(KEY, photo("1.jpg", 0.97), standing=Standing.CLEAR, decided_by="person")

    assert words(found) == "A person decided: clear."


def test_what_waits_or_failed_says_why() -> None:
    assert words(waiting(KEY, Standing.PENDING, photo("1.jpg"))) == "1 photo to be scored."
    assert words(waiting(KEY, Standing.PENDING, photo("1.jpg"), photo("2.jpg"))) == "2 photos to be scored."
    assert words(waiting(KEY, Standing.FAILED, note="the model broke")) == "It could not be scored: the model broke."


@pytest.mark.parametrize("reason", [*Refusal, *Unusable])
def test_every_reason_a_photo_can_have_is_explained(reason: Refusal | Unusable) -> None:
    assert explain_photo(photo("1.jpg", reason=reason.value)) == reason.explanation


def test_a_reason_of_another_version_is_shown_as_it_is() -> None:
    assert explain_photo(photo("1.jpg", reason="eaten_by_moths")) == "eaten_by_moths"


@pytest.mark.parametrize("rule", ClosedBy)
def test_every_closing_rule_has_words(rule: ClosedBy) -> None:
    assert explain_closing(decided(KEY, photo("1.jpg", 0.1), closed_by=rule)).startswith("Taken as complete because")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule.NO_VEHICLE, "No photo seems to show a vehicle"),
        (Rule.TOO_FEW_PHOTOS, "There are too few different photos"),
        (Rule.PHOTO_REUSED, "A photo was used for an earlier return"),
        (Rule.CLEAR_BUT_FOR_LOSS, "No photo shows damage, but some are gone from the store"),
        (Rule.PHOTO_WITHOUT_VEHICLE, "A photo seems to show no vehicle"),
        (Rule.BETWEEN_THRESHOLDS, "1.jpg is at 10"),
    ],
)
def test_the_rule_that_decided_is_explained(rule: Rule, words: str) -> None:
    """Also as the database gives it back, as plain text."""
    undecided = decided(KEY, photo("1.jpg", 0.1), standing=Standing.UNDECIDED, reasons={"rule": rule.value})

    assert explain_verdict(undecided).startswith(words)


def test_every_standing_of_the_sample_has_a_sentence() -> None:
    assert all(explain_verdict(found).endswith(".") for found in sample_report().returns)


@pytest.mark.parametrize(
    ("probability", "text"),
    [(None, "–"), (0.0, "< 1 %"), (0.0101, "1 %"), (0.5, "50 %"), (0.9949, "> 99 %"), (1.0, "> 99 %"), (0.985, "98 %")],
)
def test_no_probability_is_shown_as_certain(probability: float | None, text: str) -> None:
    assert percent(probability).replace("\u00a0", " ") == text


def test_what_a_person_should_know_of_single_photos_is_said_aloud() -> None:
    photos = [
        {"key": "r/1.jpg", "reused_from": "returns/f/v/earlier/"},
        {"key": "r/2.jpg", "shows_vehicle": False},
        {"key": "r/3.jpg", "counted_as": "r/1.jpg"},
    ]
    reasons = {"thresholds": {"damaged_at": 0.9, "clear_below": 0.5, "intact_share": 0.0125}, "photos": photos}
    said = explain_verdict(replace(_returned(), reasons=reasons))
    assert "one in 80 looks like this" in said
    assert "1.jpg was already used for the return returns/f/v/earlier/." in said
    assert "Not taken for a vehicle: 2.jpg." in said
    assert "1 photo counted as copies of others." in said


def _returned() -> ReturnView:
    photo = PhotoView("r/1.jpg", "e", PhotoStatus.OK, probability=0.95)
    return ReturnView("r/", "f", "v", "r", Standing.DAMAGED, 0.95, "marker", (photo,))
