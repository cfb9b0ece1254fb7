"""What would make a model's figures lie: broken photos, copies across splits, labels given away by the wrong things."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetInvalid, PhotoRefused
from core.phash_bits import near_pairs
from core.photos.decode import decode
from core.photos.phash import perceptual_hash
from core.training.dataset import Sample

NEAR_BITS = 36  # of 256; measured: photos resized and compressed again differ by 0 to 32, different ones by 100 or more
_HASH_SIDE = 64


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What is known of one readable photo: perceptual hash, size in pixels, bytes of file a pixel."""

    phash: str
    width: int
    height: int
    bytes_per_pixel: float


@dataclass(frozen=True, slots=True)
class Giveaway:
    """How well something that is not damage predicts the label: cross-validated accuracy, and the majority's share."""

    name: str
    accuracy: float
    majority: float


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """`problems` must be empty before training; `giveaways` are to be read."""

    photos: int
    problems: tuple[str, ...]
    giveaways: tuple[Giveaway, ...]

    def require_sound(self) -> None:
        """Raise `DatasetInvalid` with the first problems, if there are any."""
        if self.problems:
            shown = "\n  ".join(self.problems[:20])
            raise DatasetInvalid(f"{len(self.problems)} problem(s) with the data; repair these rows first:\n  {shown}")


def check_dataset(samples: Sequence[Sample], advance: Callable[[], object] = lambda: None) -> DatasetReport:
    """Read every photo once and judge the whole; `advance` is called after each photo."""
    problems: list[str] = []
    facts: dict[int, PhotoFacts] = {}
    for number, sample in enumerate(samples):
        try:
            facts[number] = _facts_of(sample)
        except (DatasetInvalid, PhotoRefused) as error:
            problems.append(f"{sample.name}: {error}")
        advance()
    problems += _crossing_groups(samples) + _crossing_copies(samples, facts)
    readable = [samples[number] for number in facts]
    return DatasetReport(len(samples), tuple(problems), tuple(_giveaways(readable, list(facts.values()))))


def _facts_of(sample: Sample) -> PhotoFacts:
    try:
        data = sample.path.read_bytes()
    except OSError as error:
        raise DatasetInvalid(f"the file cannot be read ({error.strerror})") from error
    photo = decode(data, min_side=_HASH_SIDE)
    return PhotoFacts(
        perceptual_hash(photo.pixels), photo.width, photo.height, len(data) / (photo.width * photo.height)
    )


def _crossing_groups(samples: Sequence[Sample]) -> list[str]:
    splits: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        splits[sample.group].add(sample.split)
    return [
        f"group {group} is in {' and '.join(sorted(found))}; photos of one group belong in one split"
        for group, found in sorted(splits.items())
        if len(found) > 1
    ]


def _crossing_copies(samples: Sequence[Sample], facts: dict[int, PhotoFacts]) -> list[str]:
    numbers = list(facts)
    pairs = [(numbers[a], numbers[b]) for a, b in near_pairs([facts[number].phash for number in numbers], NEAR_BITS)]
    return [
        f"{samples[a].name} ({samples[a].split}) and {samples[b].name} ({samples[b].split}) show the same photo"
        for a, b in pairs
        if samples[a].split != samples[b].split
    ]


def _giveaways(samples: Sequence[Sample], facts: Sequence[PhotoFacts]) -> list[Giveaway]:
    """Logistic regression, five folds, each fold's groups unseen by the others."""
    damaged = np.array([sample.damaged for sample in samples])
    if min(damaged.sum(), (~damaged).sum()) < 10:
        return []
    groups = np.array([sample.group for sample in samples])
    size = np.array([(fact.width, fact.height, fact.width / fact.height) for fact in facts], dtype=np.float64)
    weight = np.array([(fact.bytes_per_pixel, np.log(fact.bytes_per_pixel)) for fact in facts])
    candidates = {
        "size": np.log(size),
        "compression": weight,
        "source": _one_hot([sample.source for sample in samples]),
        "view": _one_hot([sample.view for sample in samples]),
    }
    majority = float(max(damaged.mean(), 1 - damaged.mean()))
    return [Giveaway(name, _predictability(x, damaged, groups), majority) for name, x in candidates.items()]


def _one_hot(values: Sequence[str]) -> NDArray[np.float64]:
    kinds = sorted(set(values))
    return np.array([[value == kind for kind in kinds] for value in values], dtype=np.float64)


def _predictability(x: NDArray[np.float64], y: NDArray[np.bool_], groups: NDArray[np.str_]) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=0)
    return float(cross_val_score(model, x, y, groups=groups, cv=folds).mean())
