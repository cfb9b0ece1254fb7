"""The labelled photos a model learns from and is judged on: a manifest (CSV), or one folder per label."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.domain import Pixels
from core.errors import DatasetInvalid
from core.photos.decode import decode

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif"}
_DAMAGED = {"damaged": True, "intact": False}
_SHARES = {"train": 0.7, "val": 0.15}  # of groups, where photos come in folders; the rest is test


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled photo. `name` is how the manifest calls it; photos of one `group` belong in one split."""

    path: Path
    name: str
    damaged: bool
    split: Split
    group: str
    source: str = "unknown"
    view: str = "unknown"
    licence: str = "not stated"

    def pixels(self, min_side: int) -> Pixels:
        """Decoded as in serving, see `core.photos.decode.decode`. Raises `PhotoRefused`, `DatasetInvalid`."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise DatasetInvalid(
                f"{self.path} cannot be read ({error.strerror}); restore it or drop its row"
            ) from error
        return decode(data, min_side=min_side).pixels


def read_samples(path: Path) -> list[Sample]:
    """Samples of a manifest, or of a folder that holds `damaged/` and `intact/`. Raises `DatasetInvalid`."""
    samples = _read_folders(path) if path.is_dir() else _read_manifest(path)
    if not samples:
        raise DatasetInvalid(f"{path} names no photos; give a CSV manifest or a folder with damaged/ and intact/")
    return samples


def of_split(samples: Sequence[Sample], split: Split) -> list[Sample]:
    """The samples of one split. Raises `DatasetInvalid` unless both labels are there."""
    chosen = [sample for sample in samples if sample.split == split]
    if len({sample.damaged for sample in chosen}) < 2:
        raise DatasetInvalid(f"the split {split} must hold damaged and intact photos; it has {len(chosen)} of one kind")
    return chosen


def _read_manifest(path: Path) -> list[Sample]:
    """Columns file and label are needed; split, group or set_id, source or source_repo, view, licence used if there."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetInvalid(f"{path} cannot be read as a CSV manifest: {error}") from error
    if rows and not {"file", "label"} <= rows[0].keys():
        raise DatasetInvalid(f"{path} lacks the columns file and label; its first line must name them")
    return [_sample(path, line, row) for line, row in enumerate(rows, start=2)]


def _sample(manifest: Path, line: int, row: dict[str, str]) -> Sample:
    if row["label"] not in _DAMAGED:
        raise DatasetInvalid(f"{manifest}:{line}: the label is {row['label']!r}; it must be damaged or intact")
    split = row.get("split") or _split_of(row.get("group") or row.get("set_id") or row["file"])
    if split not in SPLITS:
        raise DatasetInvalid(f"{manifest}:{line}: the split is {split!r}; it must be train, val or test")
    return Sample(
        path=manifest.parent / row["file"],
        name=row["file"],
        damaged=_DAMAGED[row["label"]],
        split=split,
        group=row.get("group") or row.get("set_id") or row["file"],
        source=row.get("source_repo") or row.get("source") or "unknown",
        view=row.get("view") or "unknown",
        licence=row.get("licence") or "not stated",
    )


def _read_folders(root: Path) -> list[Sample]:
    samples = []
    for label, damaged in _DAMAGED.items():
        if not (root / label).is_dir():
            raise DatasetInvalid(f"{root} has no folder {label}/; put photos into {root}/damaged and {root}/intact")
        for path in sorted((root / label).rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                name = path.relative_to(root).as_posix()
                samples.append(Sample(path, name, damaged, _split_of(name), name, source=root.name))
    return samples


def _split_of(group: str) -> Split:
    """A split that stays when photos are added: by the group's hash, 70 % train, 15 % val, 15 % test."""
    share = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    if share < _SHARES["train"]:
        return "train"
    return "val" if share < _SHARES["train"] + _SHARES["val"] else "test"
