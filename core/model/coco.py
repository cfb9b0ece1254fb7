"""Outlined damage as a COCO file, which annotation tools read."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.model.outline_branch import KINDS
from core.model.regions import DamageRegion


@dataclass(frozen=True, slots=True)
class OutlinedPhoto:
    """A photo by name, its size in pixels the right way up, and what was found on it."""

    name: str
    width: int
    height: int
    regions: Sequence[DamageRegion]


def as_coco(photos: Sequence[OutlinedPhoto]) -> dict[str, object]:
    """Images, categories (the kinds) and annotations with a score; coordinates in pixels."""
    annotations: list[dict[str, object]] = []
    for image_id, photo in enumerate(photos, start=1):
        for region in photo.regions:
            points = [(x * photo.width, y * photo.height) for x, y in region.polygon]
            left, top = (min(point[axis] for point in points) for axis in (0, 1))
            right, bottom = (max(point[axis] for point in points) for axis in (0, 1))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": 1 + KINDS.index(region.kind),
                    "segmentation": [[round(value, 2) for point in points for value in point]],
                    "area": round(region.area * photo.width * photo.height, 2),
                    "bbox": [round(value, 2) for value in (left, top, right - left, bottom - top)],
                    "iscrowd": 0,
                    "score": region.probability,
                }
            )
    images = [
        {"id": number, "file_name": photo.name, "width": photo.width, "height": photo.height}
        for number, photo in enumerate(photos, start=1)
    ]
    categories = [{"id": number, "name": kind} for number, kind in enumerate(KINDS, start=1)]
    return {"images": images, "categories": categories, "annotations": annotations}
