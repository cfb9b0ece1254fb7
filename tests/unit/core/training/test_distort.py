import numpy as np

from core.training.distort import blur, coarsen, compress, crop_square, draw_polygon, draw_strokes, warp

CORNERS = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]


def gradient(size: int = 64) -> np.ndarray:
    ramp = np.linspace(0, 250, size)
    return np.stack([np.tile(ramp, (size, 1)), np.tile(ramp[:, None], size), np.full((size, size), 90)], 2).astype(
        np.uint8
    )


def test_a_crop_of_everything_is_the_resized_photo() -> None:
    assert np.abs(crop_square(gradient(), (0, 0, 64, 64), 64).astype(int) - gradient()).max() == 0


def test_a_crop_shows_its_part() -> None:
    assert crop_square(gradient(), (32, 0, 64, 32), 16)[..., 0].mean() > 170


def test_the_photos_own_corners_warp_nothing() -> None:
    assert np.abs(warp(gradient(), CORNERS).astype(int) - gradient())[2:-2, 2:-2].max() <= 2


def test_inner_corners_enlarge_the_middle() -> None:
    inner = [(0.25 + x / 2, 0.25 + y / 2) for x, y in CORNERS]
    warped = warp(gradient(), inner)[4:-4, 4:-4, 0]
    assert warped.min() > 50
    assert warped.max() < 200


def test_losses_are_small_and_real() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for lossy in (compress(noise, 40), coarsen(noise, 30), blur(noise, 1.0)):
        assert lossy.shape == noise.shape
        assert lossy.std() < noise.std()


def test_strokes_and_polygons_cover_where_they_are_drawn() -> None:
    line = draw_strokes(32, [[(0, 16), (32, 16)]], [2.0])
    assert line[16].mean() > 0.9
    assert line[:12].max() == 0
    square = draw_polygon(32, [(8, 8), (24, 8), (24, 24), (8, 24)])
    assert square[10:22, 10:22].min() == 1
    assert abs(square.sum() - 256) < 40
