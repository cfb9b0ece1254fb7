"""Pictures: the scored version only, without metadata, and never a crash."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.storage.folder import FolderPhotoStore
from core.testing.inline_loader import InlinePhotoLoader
from reports.pictures import LONGEST, Thumbnailer
from reports.view import PhotoView
from tests.reports import photo

KEY = "returns/f/V/r/1.jpg"


def jpeg(width: int = 800, height: int = 600) -> bytes:
    rows, columns = np.mgrid[0:height, 0:width]
    pixels = np.stack([rows % 256, columns % 256, (rows + columns) % 256], -1).astype(np.uint8)
    image, file = Image.fromarray(pixels), io.BytesIO()
    exif = image.getexif()
    exif[0x010F] = "SecretCamera"
    image.save(file, "JPEG", exif=exif)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / KEY).parent.mkdir(parents=True)
    (tmp_path / KEY).write_bytes(jpeg())
    return tmp_path


@pytest.fixture
def studio(folder: Path) -> Iterator[Thumbnailer]:
    with ThreadPoolExecutor(2) as threads:
        yield Thumbnailer(FolderPhotoStore(folder), InlinePhotoLoader(), threads, max_bytes=1_000_000)


def scored(studio: Thumbnailer, probability: float = 0.9) -> PhotoView:
    stored = studio.store.stat(KEY)
    assert stored is not None
    return replace(photo("1.jpg", probability), key=KEY, etag=stored.etag)


def test_a_picture_is_small_has_the_photos_proportions_and_no_metadata(studio: Thumbnailer) -> None:
    (picture,) = studio.render([(scored(studio), False)])

    assert picture is not None
    image = Image.open(io.BytesIO(picture.jpeg))
    assert image.size == (picture.width, picture.height) == (LONGEST, LONGEST * 3 // 4)
    assert not image.getexif()
    assert b"SecretCamera" not in picture.jpeg
    assert picture.heat is None


def test_an_upright_photo_stays_upright(studio: Thumbnailer, folder: Path) -> None:
    (folder / KEY).write_bytes(jpeg(300, 600))

    (picture,) = studio.render([(scored(studio), False)])

    assert picture is not None
    assert (picture.width, picture.height) == (LONGEST // 2, LONGEST)


def test_the_heat_map_is_painted_where_the_damage_is(studio: Thumbnailer) -> None:
    heat = np.full((7, 7), -1, np.float32)
    heat[0, 0] = 3.0
    (picture,) = studio.render([(replace(scored(studio), heatmap=heat), True)])

    assert picture is not None
    assert picture.heat is not None
    plain = np.asarray(Image.open(io.BytesIO(picture.jpeg)), np.int16)
    painted = np.asarray(Image.open(io.BytesIO(picture.heat)), np.int16)
    difference = np.abs(plain - painted).mean(-1)
    assert difference[:20, :20].mean() > 40
    assert difference[-100:, -100:].mean() < 4


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b"not a photo at all"),
        lambda file: file.write_bytes(jpeg()[:2000]),
        lambda file: file.write_bytes(jpeg(900, 600)),
        lambda file: file.write_bytes(b"\xff" * 1_000_001),
    ],
    ids=["gone", "no photo", "cut short", "another photo since", "too large"],
)
def test_a_photo_that_cannot_be_had_has_no_picture_and_the_others_have_theirs(
    studio: Thumbnailer, folder: Path, spoil: Callable[[Path], object]
) -> None:
    other = folder / "returns/f/V/r/2.jpg"
    other.write_bytes(jpeg())
    stored = studio.store.stat("returns/f/V/r/2.jpg")
    assert stored is not None
    good = replace(photo("2.jpg", 0.1), key=stored.key, etag=stored.etag)
    wanted = scored(studio)
    spoil(folder / KEY)

    missing, taken = studio.render([(wanted, True), (good, False)])

    assert missing is None
    assert taken is not None
    assert list(studio.missed) == [KEY]
