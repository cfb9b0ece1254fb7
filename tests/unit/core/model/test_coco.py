from typing import Any

from core.model.coco import OutlinedPhoto, as_coco
from core.model.regions import DamageRegion


def test_regions_become_annotations_in_pixels() -> None:
    triangle = DamageRegion(((0.25, 0.5), (0.75, 0.5), (0.75, 1.0)), "glass", 0.125, 0.8)
    said: dict[str, Any] = as_coco(
        [OutlinedPhoto("clear.jpg", 10, 10, ()), OutlinedPhoto("a.jpg", 400, 200, (triangle,))]
    )
    assert [image["file_name"] for image in said["images"]] == ["clear.jpg", "a.jpg"]
    (annotation,) = said["annotations"]
    assert annotation["image_id"] == 2
    assert {category["id"]: category["name"] for category in said["categories"]}[annotation["category_id"]] == "glass"
    assert annotation["segmentation"] == [[100.0, 100.0, 300.0, 100.0, 300.0, 200.0]]
    assert annotation["bbox"] == [100.0, 100.0, 200.0, 100.0]
    assert annotation["area"] == 10_000
    assert annotation["score"] == 0.8
