"""Photo bytes to pixels: the one decoding and the one preprocessing, for training and for serving.

These decisions make the same bytes give the same pixels everywhere:

- The first bytes decide the format, never the name.
- Several pictures in one file (APNG, animated WEBP, HEIF sequences) are refused. What phones append to a JPEG
  (MPO: depth and gain maps, a second eye) or store beside a HEIF's primary picture is ignored.
- EXIF orientation is applied. Transparent areas become white.
- Colour profiles are ignored. The photos that the model was trained on have none; reading a phone's Display P3 as sRGB
  moves a pixel by two grey levels on average; and a profile parser is one more thing that hostile bytes could reach.
- 16-bit grey is scaled to its upper byte, CMYK follows Adobe's inverted convention (Pillow's own rule).
"""

import io
import warnings
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from PIL import Image, UnidentifiedImageError
from pillow_heif import register_heif_opener

from core.domain import LoadedPhoto, Pixels, ViewPlan
from core.errors import PhotoRefused, Refusal
from core.photos.exif import read_exif, upright_size
from core.photos.formats import Format, recognise
from core.photos.integrity.jpeg import require_complete_data
from core.photos.integrity.whole import require_whole
from core.photos.limits import MAX_PIXELS
from core.photos.phash import perceptual_hash
from core.photos.quality import measure_quality

# A view is made from a picture at least this many times its size, so that the antialiasing filter still decides the
# result. Measured at 448 pixels on photos of 4 to 12 megapixels: the mean difference from a full decode is 0.2 to 0.9
# grey levels (0.4 with 2, which makes a 12-megapixel JPEG 1.3 to 1.4 times as slow; 1.3 at worst with 1.25).
_OVERSAMPLING = 1.5
_REDUCING_GAP = 2.0  # the same for Pillow's resize, where a smaller value saves almost nothing
_FILLED_IN = 128

register_heif_opener()
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """An upright photo: `pixels` is uint8 RGB (H, W, 3), reduced; `width` and `height` are the original's."""

    pixels: Pixels = field(repr=False)
    width: int
    height: int
    format: Format
    taken_at: datetime | None


def decode(data: bytes, *, min_side: int) -> DecodedPhoto:
    """Decode one photo, reduced by a whole factor that leaves its shorter side `min_side` pixels, if it has as many.

    `taken_at` comes from EXIF, see `core.photos.exif`. Raises `PhotoRefused`.
    """
    format_ = recognise(data)
    require_whole(data, format_)
    try:
        with Image.open(io.BytesIO(data), formats=[format_]) as image:
            photo = _decode_opened(image, format_, min_side)
            if format_ == "JPEG" and _ends_in_grey(image):
                require_complete_data(data)
            return photo
    except PhotoRefused:
        raise
    except Exception as error:  # a decoder fed with hostile bytes may raise anything
        raise _refusal_for(error) from error


def load_photo(data: bytes, plan: ViewPlan) -> LoadedPhoto:
    """All that a worker needs of one photo: views, size, format, quality, perceptual hash. Raises `PhotoRefused`."""
    photo = decode(data, min_side=min_side_for(plan))
    return LoadedPhoto(
        views=make_views(photo.pixels, plan),
        width=photo.width,
        height=photo.height,
        format=photo.format,
        taken_at=photo.taken_at,
        quality=measure_quality(photo.pixels),
        phash=perceptual_hash(photo.pixels),
    )


def make_views(pixels: Pixels, plan: ViewPlan) -> Pixels:
    """The network's inputs, uint8 (plan.count, size, size, 3): the photo squashed to a square, then its tiles by row.

    `pixels` is uint8 RGB (H, W, 3), best from `decode(..., min_side=min_side_for(plan))`. Bicubic, antialiased.
    """
    image = Image.fromarray(pixels)
    boxes = [(0.0, 0.0, float(image.width), float(image.height)), *_tile_boxes(image.width, image.height, plan)]
    return np.stack([_resize(image, box, plan.size) for box in boxes])


def min_side_for(plan: ViewPlan) -> int:
    """The shorter side, in pixels, that `decode` must keep for views of full quality."""
    share = plan.tile_share if plan.tiles else 1.0
    return round(_OVERSAMPLING * plan.size / share)


def _decode_opened(image: Image.Image, format_: Format, min_side: int) -> DecodedPhoto:
    if image.width * image.height > MAX_PIXELS:
        raise PhotoRefused(Refusal.TOO_MANY_PIXELS, f"{image.width} x {image.height}")
    if format_ in ("PNG", "WEBP") and getattr(image, "n_frames", 1) > 1:
        raise PhotoRefused(Refusal.ANIMATED)
    size = image.size
    if format_ == "JPEG":  # for HEIF it would take the embedded thumbnail, which need not show the same
        image.draft("RGB", (min_side, min_side))
    image.load()
    orientation, taken_at = read_exif(image)  # after load(): a PNG's EXIF may follow its pixels
    width, height = upright_size(size, orientation)
    reduced = _as_rgb(image, min_side)
    upright = reduced if orientation is None else reduced.transpose(orientation)
    return DecodedPhoto(np.asarray(upright), width, height, format_, taken_at)


def _ends_in_grey(image: Image.Image) -> bool:
    """Whether the last pixel has the grey that libjpeg fills in, without a warning, where a scan ends too soon."""
    return bool((np.asarray(image.crop((image.width - 1, image.height - 1, *image.size))) == _FILLED_IN).all())


def _as_rgb(image: Image.Image, min_side: int) -> Image.Image:
    """Plain RGB, reduced as early as its mode allows, which saves the memory of a second whole picture."""
    if image.mode.startswith("I;16"):  # convert("RGB") would clip 16 bits to white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.has_transparency_data and image.mode not in ("RGBA", "LA"):
        image = image.convert("RGBA")
    elif image.mode in ("P", "1"):
        image = image.convert("RGB")
    factor = min(image.size) // min_side
    reduced = image.reduce(factor) if factor > 1 else image
    if reduced.mode in ("RGBA", "LA"):
        layer = reduced.convert("RGBA")
        reduced = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return reduced if reduced.mode == "RGB" else reduced.convert("RGB")


def _tile_boxes(width: int, height: int, plan: ViewPlan) -> list[tuple[float, float, float, float]]:
    tile_width, tile_height = width * plan.tile_share, height * plan.tile_share
    slack = 1.0 - plan.tile_share
    offsets = np.linspace(0.0, slack, plan.tiles).tolist() if plan.tiles > 1 else [slack / 2] * plan.tiles
    corners = [(left * width, top * height) for top in offsets for left in offsets]
    # min(): sums of fractions may pass the edge by a rounding error, which Pillow refuses
    return [(x, y, min(x + tile_width, float(width)), min(y + tile_height, float(height))) for x, y in corners]


def _resize(image: Image.Image, box: tuple[float, float, float, float], size: int) -> Pixels:
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box, reducing_gap=_REDUCING_GAP))


def _refusal_for(error: Exception) -> PhotoRefused:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return PhotoRefused(Refusal.TOO_MANY_PIXELS)
    if isinstance(error, UnidentifiedImageError):  # its message holds a memory address and nothing else
        return PhotoRefused(Refusal.CORRUPT)
    message = str(error)[:200]
    if isinstance(error, MemoryError) or "memory" in message.lower():
        return PhotoRefused(Refusal.DECODER_MEMORY, message)
    truncated = "truncated" in message.lower() or isinstance(error, EOFError)
    return PhotoRefused(Refusal.TRUNCATED if truncated else Refusal.CORRUPT, message)
