"""A decision as a line: what it means, and what is said of a bad one."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ReviewRefused
from core.object_kinds import is_review_key
from core.review_line import MAX_LINE_BYTES, ReviewLine, parse_review

LINE = {"set_key": "returns/f/v/r/", "label": "damaged", "reason_code": "dent", "reviewer": "ana"}


def parse(**fields: object) -> ReviewLine:
    return parse_review(
        json.dumps({name: value for name, value in {**LINE, **fields}.items() if value != ...}).encode()
    )


def test_the_same_line_is_the_same_decision_however_it_is_spaced() -> None:
    spaced = parse_review(json.dumps(dict(reversed(LINE.items())), indent=1).replace("\n", " ").encode())
    assert spaced.idempotency_key == parse().idempotency_key
    assert parse(key="k").idempotency_key == "k"


@pytest.mark.parametrize("change", [{"label": "clear"}, {"reviewer": "bo"}, {"generation": 1}, {"verdict_by": None}])
def test_another_line_is_another_decision(change: dict[str, object]) -> None:
    assert parse(**change).idempotency_key != parse().idempotency_key


def test_a_recorded_decision_has_one_place_in_the_store() -> None:
    """Not its words decide where, but its key and its month in UTC: written again, it meets itself."""
    at = "2026-12-01T00:30:00+02:00"
    place = f"reviews/2026-11/{hashlib.sha256(b'k').hexdigest()}.json"
    assert parse(key="k", reviewed_at=at).object_key == place
    assert parse(key="k", reviewed_at=at, label="clear").object_key == place
    assert is_review_key(place)
    for missing in ({"key": "k"}, {"reviewed_at": at}):
        with pytest.raises(ReviewRefused, match="key or reviewed_at is missing"):
            _ = parse(**missing).object_key


def test_absent_and_null_verdicts_differ() -> None:
    assert not parse().names_verdict
    assert parse(verdict_by=None).names_verdict


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"label": ...}, "label: is missing; add it"),
        ({"label": "broken"}, "label: input should be 'damaged', 'clear' or 'undecided'; correct it"),
        ({"colour": "red"}, "colour: is no field of a review; take it out"),
        ({"reviewer": ""}, "reviewer: string should have at least 1 character; correct it"),
        ({"generation": 0}, "generation: input should be greater than or equal to 1; correct it"),
        ({"reviewed_at": "2026-11-20T10:00:00"}, "reviewed_at: input should have timezone info; correct it"),
        ({"boxes": ["a"]}, "boxes.0: input should be an object; correct it"),
        ({"verdict_by": {"name": "m"}}, "verdict_by.weights_sha256: is missing; add it"),
    ],
)
def test_a_bad_line_is_told_its_field_and_remedy(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ReviewRefused) as refusal:
        parse(**change)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("text", [b"{", b"damaged", b"\xff\xfe", b"{" * 100_000])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(ReviewRefused, match="it is not JSON; write"):
        parse_review(text)


def test_an_endless_line_is_refused() -> None:
    with pytest.raises(ReviewRefused, match="one decision a line"):
        parse_review(b" " * (MAX_LINE_BYTES + 1))


@given(
    st.text(min_size=1, max_size=20),
    st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC)),
    st.none() | st.integers(1, 9),
)
def test_a_line_written_is_the_line_read(reviewer: str, at: object, generation: int | None) -> None:
    line = ReviewLine.model_validate({**LINE, "reviewer": reviewer, "reviewed_at": at, "generation": generation})
    again = parse_review(line.to_json().encode())
    assert again.model_dump() == line.model_dump()
