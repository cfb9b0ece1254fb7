import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import DatasetInvalid
from core.training.dataset import of_split, read_samples
from core.training.leakage import check_dataset, near_pairs


def photo(path: Path, seed: int, side: int = 96, quality: int = 90) -> None:
    """A random picture: unlike any other seed's, alike at every size and quality."""
    coarse = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(path, quality=quality)


def write_manifest(folder: Path, rows: list[dict[str, str]]) -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, str]]:
    rows = []
    for number in range(30):
        photo(tmp_path / f"{number}.jpg", number)
        split = ("train", "val", "test")[number % 3]
        label = "damaged" if number % 2 else "intact"
        rows.append({"file": f"{number}.jpg", "label": label, "split": split, "group": f"g{number}", "source": "here"})
    return rows


def test_a_sound_manifest_is_read_whole(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    samples = read_samples(write_manifest(tmp_path, rows))
    assert len(samples) == 30
    assert samples[1].damaged
    assert samples[1].split == "val"
    assert samples[1].pixels(96).shape == (96, 96, 3)
    report = check_dataset(samples)
    assert report.problems == ()
    report.require_sound()
    assert {giveaway.name for giveaway in report.giveaways} == {"size", "compression", "source", "view"}


def test_a_planted_near_duplicate_across_splits_fails_the_check(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    photo(tmp_path / "copy.jpg", 0, side=70, quality=40)  # photo 0 of train, smaller and compressed again
    rows.append({"file": "copy.jpg", "label": "intact", "split": "test", "group": "new", "source": "here"})
    report = check_dataset(read_samples(write_manifest(tmp_path, rows)))
    assert len(report.problems) == 1
    assert "0.jpg" in report.problems[0]
    assert "copy.jpg" in report.problems[0]
    with pytest.raises(DatasetInvalid, match=r"copy\.jpg"):
        report.require_sound()


def test_a_copy_within_one_split_is_no_leak(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    photo(tmp_path / "copy.jpg", 0, side=70, quality=40)
    rows.append({"file": "copy.jpg", "label": "intact", "split": "train", "group": "new", "source": "here"})
    assert check_dataset(read_samples(write_manifest(tmp_path, rows))).problems == ()


def test_missing_and_unreadable_photos_and_crossing_groups_are_named(
    tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    (tmp_path / "3.jpg").unlink()
    (tmp_path / "4.jpg").write_bytes(b"no photo")
    rows[6]["group"] = rows[7]["group"]
    problems = "\n".join(check_dataset(read_samples(write_manifest(tmp_path, rows))).problems)
    assert "3.jpg" in problems
    assert "4.jpg" in problems
    assert "group g7 is in" in problems


def test_a_label_that_the_size_gives_away_is_reported(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    for number, row in enumerate(rows):
        photo(tmp_path / row["file"], number, side=200 if row["label"] == "damaged" else 100)
    report = check_dataset(read_samples(write_manifest(tmp_path, rows)))
    size = next(giveaway for giveaway in report.giveaways if giveaway.name == "size")
    assert size.accuracy == 1.0
    assert size.majority == 0.5


@pytest.mark.parametrize(("column", "value"), [("label", "broken"), ("split", "holdout")])
def test_a_wrong_word_names_its_line(tmp_path: Path, rows: list[dict[str, str]], column: str, value: str) -> None:
    rows[4][column] = value
    with pytest.raises(DatasetInvalid, match=f":6: .*{value}"):
        read_samples(write_manifest(tmp_path, rows))


def test_folders_are_labels_and_a_photo_keeps_its_split(tmp_path: Path) -> None:
    for number in range(40):
        photo(tmp_path / ("damaged" if number % 2 else "intact") / f"{number}.jpg", number)
    before = {sample.name: sample for sample in read_samples(tmp_path)}
    photo(tmp_path / "damaged" / "new.jpg", 99)
    after = {sample.name: sample for sample in read_samples(tmp_path)}
    assert len(before) == 40
    assert all(after[name].split == sample.split for name, sample in before.items())
    assert sum(sample.damaged for sample in before.values()) == 20
    assert of_split(list(before.values()), "train")


def test_a_folder_without_labels_and_an_empty_split_say_so(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    with pytest.raises(DatasetInvalid, match="damaged"):
        read_samples(tmp_path)
    samples = read_samples(write_manifest(tmp_path, [row for row in rows if row["split"] == "train"]))
    with pytest.raises(DatasetInvalid, match="test"):
        of_split(samples, "test")


def test_near_pairs_finds_exactly_the_close_ones() -> None:
    rng = np.random.default_rng(0)
    hashes = [int.from_bytes(rng.bytes(32), "big") for _ in range(50)]
    hashes.append(hashes[7] ^ 0b1011)
    assert near_pairs(hashes) == [(7, 50)]
