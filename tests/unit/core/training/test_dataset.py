from pathlib import Path

import pytest

from core.errors import DatasetInvalid
from core.training.dataset import of_split, read_samples
from core.training.leakage import check_dataset
from tests.unit.core.training.conftest import photo, write_manifest


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
