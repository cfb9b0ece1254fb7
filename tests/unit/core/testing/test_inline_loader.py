"""The loader without processes; the contract is in tests/integration/core/photos/sandbox/test_loader.py."""

import pytest

from core.domain import ViewPlan
from core.errors import PhotoRefused, Refusal
from core.testing.inline_loader import InlinePhotoLoader
from tests.house import GREEN


def test_a_photo_is_decoded_and_a_refusal_comes_through() -> None:
    loader = InlinePhotoLoader()
    assert loader.load(GREEN, ViewPlan()).views.shape == (1, 224, 224, 3)
    with pytest.raises(PhotoRefused) as caught:
        loader.load(b"no photo", ViewPlan())
    assert caught.value.reason is Refusal.NOT_A_PHOTO
    loader.close()
