import json
from pathlib import Path

from core.training.gathering import gather


def test_manifests_and_outlines_become_one_set_named_by_folder(tmp_path: Path) -> None:
    for folder, rows in {
        "dev": "p/1.jpg,damaged,train\n",
        "more": "p/1.jpg,intact,val\np/2.jpg,damaged,train\n",
    }.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "manifest.csv").write_text("file,label,split\n" + rows)
    square = [[[0, 0], [9, 0], [9, 9]]]
    items = [{"file": "p/9.jpg", "width": 10, "height": 10, "polygons": square, "split": "test"}]
    (tmp_path / "seg").mkdir()
    (tmp_path / "seg" / "masks.json").write_text(json.dumps({"items": items}))
    boxes = [
        {"file": "p/1.jpg", "width": 10, "height": 10, "boxes_xywh": []},
        {"file": "p/2.jpg", "width": 10, "height": 10, "boxes_xywh": [[1, 1, 2, 2]]},
    ]
    (tmp_path / "more" / "boxes.json").write_text(json.dumps({"items": boxes}))
    gathered = gather(
        [tmp_path / "dev/manifest.csv", tmp_path / "more/manifest.csv"],
        [tmp_path / "seg/masks.json", tmp_path / "more/boxes.json"],
    )
    said = {sample.name: (sample.damaged, sample.split) for sample in gathered.samples}
    assert said == {
        "dev/p/1.jpg": (True, "train"),
        "more/p/1.jpg": (False, "val"),
        "more/p/2.jpg": (True, "train"),
        "seg/p/9.jpg": (True, "test"),
    }
    assert {name: len(known) for name, known in gathered.outlines.items()} == {
        "seg/p/9.jpg": 1,
        "more/p/1.jpg": 0,
        "more/p/2.jpg": 1,
    }
    assert [sample.name for sample in gathered.of_split("test")] == ["seg/p/9.jpg"]
    assert len({sample.group for sample in gathered.samples}) == 4
