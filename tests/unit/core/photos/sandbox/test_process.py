"""What the parent believes of a process that decodes: nothing that no photo can have."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from core.domain import ViewPlan
from core.errors import PhotoRefused, Refusal
from core.photos.limits import MAX_PIXELS
from core.photos.sandbox.process import parse_answer

PLAN = ViewPlan(size=8)
VIEWS = np.arange(8 * 8 * 3, dtype=np.uint8).tobytes()
QUALITY = {"sharpness": 0.5, "brightness": 0.5, "dark_share": 0, "bright_share": 0.0, "contrast": 0.2}
PHOTO = {
    "width": 640,
    "height": 480,
    "format": "JPEG",
    "taken_at": "2026-11-23T12:00:00+02:00",
    "quality": QUALITY,
    "phash": "0" * 64,
}


def test_a_photo() -> None:
    photo = parse_answer(json.dumps(PHOTO).encode(), VIEWS, PLAN)
    assert (photo.width, photo.height, photo.format, photo.phash) == (640, 480, "JPEG", "0" * 64)
    assert photo.taken_at == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert photo.taken_at.utcoffset() == timedelta(hours=2)
    assert photo.quality.contrast == 0.2
    assert photo.views.tobytes() == VIEWS


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 10**12},
        {"width": MAX_PIXELS, "height": 2},
        {"height": -5},
        {"height": 0},
        {"width": True},
        {"width": 640.5},
        {"width": "640"},
        {"format": "GIF"},
        {"format": "JPEG\0"},
        {"taken_at": "2026-01-01T00:00:00"},
        {"taken_at": "0001-01-01T00:00:00+00:00"},
        {"taken_at": "9999-01-01T00:00:00+00:00"},
        {"taken_at": 1e300},
        {"phash": "0" * 63},
        {"phash": "0" * 64 + "\n"},
        {"phash": None},
        {"quality": QUALITY | {"sharpness": float("nan")}},
        {"quality": QUALITY | {"sharpness": 9.0}},
        {"quality": QUALITY | {"brightness": float("inf")}},
        {"quality": QUALITY | {"dark_share": -0.1}},
        {"quality": QUALITY | {"contrast": 1.5}},
        {"quality": QUALITY | {"more": 0.1}},
        {"quality": {}},
        {"more": 1},
    ],
    ids=str,
)
def test_what_no_photo_has_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        parse_answer(json.dumps(PHOTO | wrong).encode(), VIEWS, PLAN)


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b"\xff", b'{"refusal": "no such reason", "detail": ""}'])
def test_nonsense_is_refused(answer: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        parse_answer(answer, VIEWS, PLAN)


def test_pixels_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        parse_answer(json.dumps(PHOTO).encode(), VIEWS[:-3], PLAN)


def test_a_refusal_is_raised_and_its_detail_is_short() -> None:
    with pytest.raises(PhotoRefused) as caught:
        parse_answer(json.dumps({"refusal": "truncated", "detail": "x" * 10_000}).encode(), b"", PLAN)
    assert caught.value.reason is Refusal.TRUNCATED
    assert len(caught.value.detail) == 200
