import numpy as np
import pytest

from core.domain import Pixels
from core.training.augmentation import CLOSE_UP, WIDE, Framing, _random_box, augment


@pytest.fixture(scope="module")
def photo() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (90, 140, 3), dtype=np.uint8)


def test_a_seed_fixes_every_pixel(photo: Pixels) -> None:
    views = [augment(photo, WIDE, 64, np.random.default_rng(5)) for _ in range(2)]
    assert np.array_equal(views[0], views[1])
    assert views[0].shape == (64, 64, 3)
    assert views[0].dtype == np.uint8


def test_seeds_differ(photo: Pixels) -> None:
    views = [augment(photo, WIDE, 64, np.random.default_rng(seed)) for seed in range(2)]
    assert not np.array_equal(views[0], views[1])


def test_the_photo_itself_is_never_written_to(photo: Pixels) -> None:
    before = photo.copy()
    for seed in range(20):
        augment(photo, CLOSE_UP, 64, np.random.default_rng(seed), damage=True)
    assert np.array_equal(photo, before)


@pytest.mark.parametrize("framing", [WIDE, CLOSE_UP])
def test_a_crop_lies_inside_the_photo_and_keeps_its_share(framing: Framing) -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        left, top, right, bottom = _random_box(140, 90, framing, rng)
        assert 0 <= left < right <= 140
        assert 0 <= top < bottom <= 90
        share = (right - left) * (bottom - top) / (140 * 90)
        assert framing.least * 0.7 < share <= framing.most + 1e-9


def test_views_cover_light_and_dark(photo: Pixels) -> None:
    means = [augment(photo, WIDE, 32, np.random.default_rng(seed)).mean() for seed in range(60)]
    assert np.ptp(means) > 40
