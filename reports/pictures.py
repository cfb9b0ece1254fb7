"""Pictures of photos for the page: fetched as the very version that was scored, decoded where a file can do no harm."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from core.domain import PhotoLoader, PhotoStore, ViewPlan
from core.errors import WalkaroundError
from core.photos.derivative import overlay, restore_proportions, thumbnail
from core.photos.sandbox.loader import make_loader
from core.settings import Settings
from reports.view import PhotoView

LONGEST = 320  # pixels; shown at about 200, so sharp on a fine screen too


@dataclass(frozen=True, slots=True)
class Picture:
    """A small JPEG of `width` x `height` pixels without metadata, and the same with the heat map painted on it."""

    jpeg: bytes = field(repr=False)
    width: int
    height: int
    heat: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Thumbnailer:
    """Takes the pictures of one store's photos; `missed` says of which it could not, and why."""

    store: PhotoStore
    loader: PhotoLoader
    threads: Executor
    max_bytes: int
    missed: dict[str, str] = field(default_factory=dict)

    def render(self, wanted: Sequence[tuple[PhotoView, bool]]) -> list[Picture | None]:
        """A picture for each photo, with its heat map where that is wanted; None where the photo cannot be had."""
        return list(self.threads.map(lambda pair: self._render(*pair), wanted))

    def _render(self, photo: PhotoView, with_heat: bool) -> Picture | None:
        try:
            blob = self.store.read(photo.key, max_bytes=self.max_bytes, etag=photo.etag)
            loaded = self.loader.load(blob.data, ViewPlan(size=LONGEST))
        except WalkaroundError as error:
            self.missed[photo.key] = str(error)
            return None
        pixels = restore_proportions(loaded.views[0], loaded.width, loaded.height)
        heat = overlay(pixels, photo.heatmap, LONGEST) if with_heat and photo.heatmap is not None else None
        return Picture(thumbnail(pixels, LONGEST), pixels.shape[1], pixels.shape[0], heat)


@contextmanager
def open_thumbnailer(
    store: PhotoStore, settings: Settings
) -> Iterator[Callable[[Sequence[tuple[PhotoView, bool]]], list[Picture | None]]]:
    """A way to have pictures of the store's photos, with processes of its own to decode them."""
    with closing(make_loader(settings)) as loader, ThreadPoolExecutor(4, "picture") as threads:
        yield Thumbnailer(store, loader, threads, settings.max_photo_bytes).render
