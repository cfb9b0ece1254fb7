from pathlib import Path

import pytest

from core.errors import DatasetInvalid
from core.training.dataset import read_samples
from core.training.leakage import check_dataset
from tests.unit.core.training.conftest import photo, write_manifest


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
