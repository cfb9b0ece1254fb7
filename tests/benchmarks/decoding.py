"""Photos to the shipped model's input, beside Pillow, and beside OpenCV and simplejpeg in the bench venv."""

import io
import json
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain import Pixels
from core.model.artefact import open_artefact
from core.photos.decode import decode, load_photo, make_views, min_side_for
from core.photos.sandbox.loader import ProcessPhotoLoader
from core.settings import SHIPPED_MODEL
from tests.benchmarks.environment import bench_python
from tests.benchmarks.measured import BUILD, ROOT, Measured, Spread, Table, interleaved, ratio, spread
from tests.benchmarks.photographs import photographs

_PLAN = open_artefact(SHIPPED_MODEL).card.input.plan
SIZE = (_PLAN.size, _PLAN.size)
Decoder = Callable[[bytes], Pixels]


def measure(small: bool) -> Measured:
    """Milliseconds a photo, scaling to two cores, and how far the pixels are from a full antialiased decode."""
    rounds, photos = (1, list(photographs(2))) if small else (7, list(photographs(8)))
    times = interleaved({name: over(decoder, photos) for name, decoder in PILLOW.items()}, rounds)
    others = _others(photos, rounds)
    ours = times["ours"]
    fastest = min(
        (times["Pillow draft at most, resize"], *others["times"].values()), key=lambda found: spread(found).median
    )
    two = _scaling(photos, rounds)
    rows = [
        [name, spread([1000 * t / len(photos) for t in found]), *_differences(name, photos)]
        for name, found in times.items()
    ]
    for name, found in others["times"].items():
        mean, most = others["differences"][name]
        rows.append([name, spread([1000 * t / len(photos) for t in found]), mean, int(most)])
    return Measured(
        ratios={
            "decode_vs_pillow": ratio(times["Pillow open, convert, resize"], ours),
            "decode_vs_fastest": spread([spread(fastest).median / t for t in ours]),
            "decode_two_threads": two["threads"],
            "decode_two_processes": two["processes"],
        },
        tables=[
            Table(
                [
                    f"12-megapixel JPEG to {SIZE[0]} x {SIZE[1]}",
                    "ms a photo, one thread",
                    "mean difference, grey levels",
                    "largest",
                ],
                rows,
            ),
            Table(
                ["other formats, 12 megapixels, ours", "ms a photo", "Pillow open, convert, resize: ms"],
                _formats(rounds),
            ),
        ],
        notes=[
            "Differences are from Pillow's full decode with an antialiased bicubic resize, over every pixel. "
            '"All that is kept of a photo" is what a worker asks for: the view, quality '
            "and perceptual hash. `decode_two_threads`: how many times the rate of one thread two have; "
            "`decode_two_processes` the same for the worker's sandboxed decoders. "
            "simplejpeg and OpenCV run in a process of their own, after ours in the same run."
        ],
    )


def full_decode(data: bytes) -> Pixels:
    """Every pixel decoded, then one antialiased bicubic resize to the shipped model's view."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB").resize(SIZE, Image.Resampling.BICUBIC))


def _draft(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (2 * SIZE[0], 2 * SIZE[1]))
        return np.asarray(image.resize(SIZE, Image.Resampling.BICUBIC, reducing_gap=2.0))


def _draft_8(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", SIZE)
        return np.asarray(image.resize(SIZE, Image.Resampling.BICUBIC))


def _ours(data: bytes) -> Pixels:
    views: Pixels = make_views(decode(data, min_side=min_side_for(_PLAN)).pixels, _PLAN)[0]
    return views


def _whole(data: bytes) -> Pixels:
    view: Pixels = load_photo(data, _PLAN).views[0]
    return view


PILLOW: dict[str, Decoder] = {
    "Pillow open, convert, resize": full_decode,
    "Pillow draft to twice the size, resize": _draft,
    "Pillow draft at most, resize": _draft_8,
    "ours": _ours,
    "ours, all that is kept of a photo": _whole,
}


def over(decoder: Decoder, photos: Sequence[bytes]) -> Callable[[], object]:
    """A run of the decoder over all photos."""
    return lambda: [decoder(data) for data in photos]


def difference(found: NDArray[Any], full: NDArray[Any]) -> tuple[float, int]:
    """Mean and largest difference of pixels, in grey levels."""
    apart = np.abs(found.astype(np.int16) - full.astype(np.int16))
    return float(apart.mean()), int(apart.max())


def _differences(name: str, photos: Sequence[bytes]) -> list[object]:
    found = [difference(PILLOW[name](data), full_decode(data)) for data in photos]
    return [float(np.mean([mean for mean, _ in found])), max(most for _, most in found)]


def _scaling(photos: Sequence[bytes], rounds: int) -> dict[str, Spread]:
    """How many times the rate of one do two threads decode with, and two of the worker's processes."""
    many = list(photos) * 2
    loaders = [ProcessPhotoLoader(count, 1 << 30, 60.0) for count in (1, 2)]
    try:
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
            times = interleaved(
                {
                    "one thread": lambda: list(one.map(_ours, many)),
                    "two threads": lambda: list(two.map(_ours, many)),
                    "one process": lambda: list(one.map(lambda data: loaders[0].load(data, _PLAN), many)),
                    "two processes": lambda: list(two.map(lambda data: loaders[1].load(data, _PLAN), many)),
                },
                rounds,
            )
    finally:
        for loader in loaders:
            loader.close()
    return {
        kind: ratio(times[f"one {name}"], times[f"two {kind}"])
        for name, kind in (("thread", "threads"), ("process", "processes"))
    }


def _formats(rounds: int) -> list[list[object]]:
    (photo,) = photographs(1, seed=99)
    with Image.open(io.BytesIO(photo)) as image:
        kinds = {"baseline JPEG": photo, "progressive JPEG": _saved(image, "JPEG", quality=90, progressive=True)}
        kinds |= {"HEIC": _saved(image, "HEIF", quality=60), "WEBP": _saved(image, "WEBP", quality=85, method=0)}
    rows: list[list[object]] = []
    for name, data in kinds.items():
        times = interleaved({"ours": over(_ours, [data]), "full": over(full_decode, [data])}, min(rounds, 3))
        rows.append(
            [f"{name}, {len(data) / 1e6:.1f} MB", *(spread([1000 * t for t in found]) for found in times.values())]
        )
    return rows


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def _others(photos: Sequence[bytes], rounds: int) -> dict[str, Any]:
    """Times and differences of what the bench venv has."""
    folder = BUILD / "decoding"
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(photos):
        (folder / f"{number}.jpg").write_bytes(data)
        np.save(folder / f"{number}.npy", full_decode(data))
    python = bench_python("simplejpeg", "opencv-python-headless")
    command = [str(python), "-m", "tests.benchmarks.foreign_decoders", str(folder), str(len(photos)), str(rounds)]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(found.stdout)
    return answer
