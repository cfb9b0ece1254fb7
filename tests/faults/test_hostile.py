"""The hostile corpus against the decoder alone; scenario 13 sends it through the whole system."""

import pytest

from core.domain import ViewPlan
from core.errors import PhotoRefused
from core.photos.decode import load_photo
from core.photos.usability import judge
from tests.faults.hostile import Hostile, corpus


def test_there_are_as_many_as_the_documents_say() -> None:
    assert len(corpus()) == len({file.name for file in corpus()}) == 44


@pytest.mark.parametrize("file", corpus(), ids=lambda file: file.name)
def test_each_has_exactly_its_reason(file: Hostile) -> None:
    assert _fate(file.data) == (file.reason, file.status if file.reason else "ok")


def _fate(data: bytes) -> tuple[str | None, str]:
    """Reason and status that the pipeline would store."""
    try:
        photo = load_photo(data, ViewPlan())
    except PhotoRefused as refused:
        return refused.reason.value, "quarantined"
    reason = judge(photo.quality, photo.width, photo.height)
    return (reason.value, "unusable") if reason else (None, "ok")
